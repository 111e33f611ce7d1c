// SPDX-License-Identifier: MIT
// Any bytes as a PKCS#11 key URL, as a key set's query, and as a key set. Nothing may crash; what
// is taken names no library and no file by the URL, and by the query only with full paths; what is
// refused has a sentence.
#include "p11_config.h"

#include "provider_host.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_taken(const struct p11_config *c)
{
	require(c->uri && c->environment);
	require(!p11_kit_uri_any_unrecognized(c->uri));
	require(!p11_kit_uri_get_module_path(c->uri) && !p11_kit_uri_get_module_name(c->uri));
	require(!p11_kit_uri_get_pin_source(c->uri) && !p11_kit_uri_get_pin_value(c->uri));
	require(!c->module_path || (c->module_path[0] == '/' && !c->module_name));
	require(!c->pin_source || c->pin_source[0] == '/');
	require(strlen(c->id) % 2 == 0 && strlen(c->id) <= 2 * (size_t)P11_ID_MAX);
}

static void ask(const char *url, const char *config)
{
	struct provider_host host;
	struct p11_config c;
	struct kp_outcome o = {0};
	const struct cmk_key_ref ref = {sizeof(ref), url, config, "", NULL};
	provider_host_init(&host);
	enum cmk_verdict v = p11_config_read(&host.api, &ref, &c, &o);
	require(v == CMK_GRANTED || (v == CMK_MISCONFIGURED && o.err.text[0]));
	if (v == CMK_GRANTED)
		check_taken(&c);
	p11_config_free(&host.api, &c);
	require(host.secrets == 0);
}

// The text as a JSON string, so that the query's own rules are reached.
static void as_query(const char *text, size_t size)
{
	static const char head[] = "{\"cmkdisk\":{\"pkcs11\":{\"query\":\"", tail[] = "\"}}}";
	char *set = malloc(sizeof(head) + sizeof(tail) + size);
	require(set != NULL);
	memcpy(set, head, sizeof(head) - 1);
	memcpy(set + sizeof(head) - 1, text, size);
	memcpy(set + sizeof(head) - 1 + size, tail, sizeof(tail));
	ask("pkcs11:object=disk", set);
	free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || memchr(data, 0, size))
		return 0;
	char *text = malloc(size);
	require(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 3 == 0)
		ask(text, "{}");
	else if (data[0] % 3 == 1)
		as_query(text, size - 1);
	else
		ask("pkcs11:object=disk", text);
	free(text);
	return 0;
}
