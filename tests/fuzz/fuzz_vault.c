// SPDX-License-Identifier: MIT
// Any bytes as what a vault answers: a challenge, a key, an error. Nothing may crash; only a whole
// 200 is a grant, only the vault's own error a denial, and a challenge that passes the check names
// this vault's own resource. The first byte chooses which, the second a status.
#include "azure_attributes.h"
#include "azure_challenge.h"
#include "azure_config.h"
#include "azure_reply.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "https://contoso.vault.azure.net/keys/disk-key"

static void require(int holds)
{
	if (!holds)
		abort();
}

static void as_challenge(const char *text, const struct azure_url *url)
{
	const struct azure_config config = {
		.identity = {.authority_host = "https://login.microsoftonline.com"}};
	struct azure_challenge c;
	struct kp_err err = {""};
	if (!azure_challenge_parse(text, &c))
		return;
	if (azure_challenge_check(&c, url, &config, &err))
		require(err.text[0] != '\0');
	else
		require(strcasecmp(c.resource, "https://vault.azure.net") == 0 && c.tenant[0]);
}

static void as_key(const struct kp_json *tree, const struct azure_url *url)
{
	struct azure_attributes a;
	struct kp_outcome o = {0};
	struct kp_err err = {""};
	if (azure_attributes_read(tree, url, "", &a, &err)) {
		require(err.text[0] != '\0');
		return;
	}
	require(azure_is_version(a.info.version));
	if (azure_attributes_judge(&a, KEY, 1800000000, &o) == CMK_GRANTED)
		require(a.can_wrap && a.can_unwrap && a.info.enabled != 0 &&
			azure_algorithm(a.info.kty, "") != NULL);
	else
		require(o.err.text[0] != '\0');
}

static void as_reply(char *text, size_t size, int status, const struct azure_url *url)
{
	static const struct azure_asked asked = {
		.operation = "unwrapKey", .key = KEY, .identity = "nobody", .unwrap = true};
	const struct azure_config config = {.firewall = CMK_DENIED, .no_host = CMK_UNREACHABLE};
	struct http_reply reply = {
		.status = status, .content_type = "application/json", .body = text, .len = size};
	struct kp_json *tree = NULL;
	struct azure_error e;
	struct kp_outcome o = {0};
	enum cmk_verdict v = azure_reply_judge(&asked, &config, &reply, &tree, &e, &o);
	require((v == CMK_GRANTED) == (tree != NULL));
	require(v != CMK_GRANTED || status == 200);
	require(v != CMK_DENIED || e.code[0]);
	require(v == CMK_GRANTED || o.err.text[0]);
	if (tree)
		as_key(tree, url);
	kp_json_free(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 400, 401, 403, 404, 409, 429, 503};
	const struct azure_config config = {.suffix_count = 0};
	struct azure_url url, other;
	struct kp_err err;
	if (size < 2 || size > HTTP_REPLY_MAX)
		return 0;
	require(azure_url_parse(KEY, &url, &err) == 0);
	require(azure_url_allow(&url, &config, &err) == 0);
	char *text = malloc(size - 1);
	require(text != NULL);
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	if (data[0] % 4 == 0)
		as_challenge(text, &url);
	else if (data[0] % 4 == 1)
		(void)azure_url_parse(text, &other, &err);
	else
		as_reply(text, size - 2, statuses[data[1] % 8], &url);
	free(text);
	return 0;
}
