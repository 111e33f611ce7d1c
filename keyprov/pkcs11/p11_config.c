// SPDX-License-Identifier: MIT
// See p11_config.h. The URI's two halves are in p11_config_path.c and p11_config_query.c.
#include "p11_config.h"

#include "kp_json.h"
#include "p11_config_read.h"
#include "p11_crypto.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PKCS11 "cmkdisk.pkcs11"
#define PIN_VARIABLE "CMKDISK_PIN"
#define NOTE_VARIABLE "CMKDISK_NOTE"

struct reader {
	const struct cmk_host *host;
	const char *const *given; // the host's environment, or NULL
	const struct kp_json *pkcs11;
	struct p11_config *c;
	struct kp_outcome *o;
};

static enum cmk_verdict check_members(const struct reader *r)
{
	static const char *const known[] = {"query", "alg", "environment"};
	const size_t count = sizeof(known) / sizeof(*known);
	for (const struct kp_json *j = kp_json_first_member(r->pkcs11); j; j = kp_json_next(j)) {
		size_t i = 0;
		while (i < count && strcmp(known[i], kp_json_name(j)) != 0)
			i++;
		if (i == count)
			return p11_config_refuse(r->o,
				"key set: " PKCS11 " has no member '%.64s'; it may have query, alg "
				"and environment",
				kp_json_name(j));
	}
	return CMK_GRANTED;
}

// *out stays as it is when the member is absent.
static enum cmk_verdict text_member(const struct reader *r, const char *name, const char **out)
{
	const struct kp_json *member = kp_json_get(r->pkcs11, name);
	if (kp_json_is_null(member))
		return CMK_GRANTED;
	*out = kp_json_text(member);
	if (*out)
		return CMK_GRANTED;
	return p11_config_refuse(r->o, "key set: " PKCS11 ".%s must be a text in quotes", name);
}

static enum cmk_verdict read_alg(const struct reader *r)
{
	const char *alg = "";
	enum cmk_verdict v = text_member(r, "alg", &alg);
	if (v != CMK_GRANTED || !*alg)
		return v;
	if (!p11_is_algorithm(alg))
		return p11_config_refuse(r->o,
			"key set: " PKCS11 ".alg is '%.64s'; write RSA-OAEP-256, RSA-OAEP, A256KW, "
			"CKM_AES_KEY_WRAP_KWP or CKM_AES_KEY_WRAP_PAD",
			alg);
	(void)snprintf(r->c->alg, sizeof(r->c->alg), "%s", alg);
	return CMK_GRANTED;
}

static bool is_variable(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	while (isalnum((unsigned char)*name) || *name == '_')
		name++;
	return !*name;
}

static bool may_be_set(const char *name)
{
	return strncmp(name, "LD_", 3) != 0 && strcmp(name, "PATH") != 0 &&
	       strcmp(name, PIN_VARIABLE) != 0;
}

// Lines on their way into c->lines, which has room for all of them.
struct lines {
	size_t count, used;
};

// name may be NULL: value is the whole line.
static void add_line(const struct reader *r, struct lines *l, const char *name, const char *value)
{
	size_t name_len = name ? strlen(name) + 1 : 0, len = strlen(value) + 1;
	char *line = r->c->lines + l->used;
	if (name) {
		memcpy(line, name, name_len);
		line[name_len - 1] = '=';
	}
	memcpy(line + name_len, value, len);
	r->c->environment[l->count++] = line;
	l->used += name_len + len;
}

static enum cmk_verdict add_member(const struct reader *r, const struct kp_json *j, struct lines *l)
{
	const char *name = kp_json_name(j), *value = kp_json_text(j);
	if (!is_variable(name) || !may_be_set(name))
		return p11_config_refuse(r->o,
			"key set: " PKCS11 ".environment may not have '%.64s'; it is for variables "
			"that the HSM's module reads, not for LD_*, PATH or " PIN_VARIABLE,
			name);
	if (!value)
		return p11_config_refuse(r->o,
			"key set: " PKCS11 ".environment.%.64s must be a text in quotes", name);
	add_line(r, l, name, value);
	return CMK_GRANTED;
}

// The PIN is in the host's locked memory, and goes into no other.
static enum cmk_verdict take_pin(const struct reader *r, const char *text)
{
	size_t len = strlen(text);
	if (!len || r->c->pin)
		return CMK_GRANTED;
	r->c->pin = r->host->secret_alloc(r->host, len + 1);
	if (!r->c->pin)
		return kp_outcome_set(
			r->o, CMK_UNREACHABLE, CMK_REASON_NONE, "no locked memory for the PIN");
	memcpy(r->c->pin, text, len);
	return CMK_GRANTED;
}

static bool starts_with(const char *line, const char *head)
{
	return strncmp(line, head, strlen(head)) == 0;
}

// Not the PIN, and no note: those are no settings.
static bool is_for_module(const char *line)
{
	return !starts_with(line, PIN_VARIABLE "=") && !starts_with(line, NOTE_VARIABLE "=");
}

// One line of what the host knows.
static enum cmk_verdict take_line(const struct reader *r, const char *line, struct lines *l)
{
	if (starts_with(line, PIN_VARIABLE "="))
		return take_pin(r, line + strlen(PIN_VARIABLE "="));
	if (is_for_module(line))
		add_line(r, l, NULL, line);
	return CMK_GRANTED;
}

// For every line that may come, and for their text.
static enum cmk_verdict make_room(const struct reader *r, const struct kp_json *own)
{
	size_t count = 0, size = 0;
	for (const char *const *p = r->given; p && *p; p++, count++)
		size += is_for_module(*p) ? strlen(*p) + 1 : 0;
	for (const struct kp_json *j = kp_json_first_member(own); j; j = kp_json_next(j), count++) {
		const char *value = kp_json_text(j);
		size += strlen(kp_json_name(j)) + (value ? strlen(value) : 0) + 2;
	}
	r->c->environment = calloc(count + 1, sizeof(*r->c->environment));
	if (!r->c->environment)
		return p11_config_no_memory(r->o);
	if (!size)
		return CMK_GRANTED;
	r->c->lines = r->host->secret_alloc(r->host, size);
	if (r->c->lines)
		return CMK_GRANTED;
	return kp_outcome_set(r->o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no locked memory for the module's variables");
}

static enum cmk_verdict read_environment(const struct reader *r)
{
	const struct kp_json *own = kp_json_get(r->pkcs11, "environment");
	struct lines l = {0};
	if (!kp_json_is_null(own) && !kp_json_is_object(own))
		return p11_config_refuse(r->o,
			"key set: " PKCS11 ".environment must be an object, such as "
			"{\"SOFTHSM2_CONF\":\"/etc/softhsm/softhsm2.conf\"}");
	enum cmk_verdict v = make_room(r, own);
	for (const char *const *p = r->given; v == CMK_GRANTED && p && *p; p++)
		v = take_line(r, *p, &l);
	for (const struct kp_json *j = kp_json_first_member(own); v == CMK_GRANTED && j;
		j = kp_json_next(j))
		v = add_member(r, j, &l);
	return v;
}

static enum cmk_verdict parse_set(
	char *text, struct kp_json **tree, const struct kp_json **pkcs11, struct kp_outcome *o)
{
	int ret = kp_json_parse(text, strlen(text), tree);
	if (ret == -ENOMEM)
		return p11_config_no_memory(o);
	if (ret || !kp_json_is_object(*tree))
		return p11_config_refuse(o,
			"the key set is no JSON object; write one such as "
			"{\"activeKey\":{\"keyUrl\":\"pkcs11:token=bank;object=disk\"}}");
	*pkcs11 = kp_json_get(kp_json_get(*tree, "cmkdisk"), "pkcs11");
	if (!kp_json_is_null(*pkcs11) && !kp_json_is_object(*pkcs11))
		return p11_config_refuse(o, "key set: " PKCS11 " must be an object");
	return CMK_GRANTED;
}

static enum cmk_verdict read_set(struct reader *r, char *text)
{
	scoped(kp_json_free) struct kp_json *tree = NULL;
	const char *query = "";
	enum cmk_verdict v = parse_set(text, &tree, &r->pkcs11, r->o);
	if (v == CMK_GRANTED)
		v = check_members(r);
	if (v == CMK_GRANTED)
		v = text_member(r, "query", &query);
	if (v == CMK_GRANTED)
		v = p11_config_query(r->c, query, r->o);
	if (v == CMK_GRANTED)
		v = read_alg(r);
	return v == CMK_GRANTED ? read_environment(r) : v;
}

enum cmk_verdict p11_config_read(const struct cmk_host *host, const struct cmk_key_ref *ref,
	struct p11_config *out, struct kp_outcome *o)
{
	struct reader r = {
		.host = host,
		.given = CMK_HAS(ref, struct cmk_key_ref, environment) ? ref->environment : NULL,
		.c = out,
		.o = o,
	};
	*out = (struct p11_config){.text = ref->key_url};
	enum cmk_verdict v = p11_config_path(out, ref->key_url, o);
	if (v != CMK_GRANTED)
		return v;
	autofree char *text = strdup(ref->config);
	return text ? read_set(&r, text) : p11_config_no_memory(o);
}

void p11_config_free(const struct cmk_host *host, struct p11_config *c)
{
	p11_kit_uri_free(c->uri);
	free(c->module_path);
	free(c->module_name);
	free(c->pin_source);
	host->secret_free(host, c->pin);
	host->secret_free(host, c->lines);
	free(c->environment);
	*c = (struct p11_config){0};
}
