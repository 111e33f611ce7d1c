// SPDX-License-Identifier: MIT
// See azure_config.h. Who we are is in azure_config_identity.c.
#include "azure_config.h"

#include "azure_config_read.h"
#include "azure_duration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AZURE "cmkdisk.azure"
#define CONFIRM_MS 15000
#define SUFFIXES_MAX 32
#define LABEL_MAX 64

static const char *const azure_members[] = {"apiVersion", "alg", "vaultSuffixes", "caFile", "proxy",
	"httpLoopback", "confirmAfter", "firewall", "unknownHost", "authorityHost", "credential",
	NULL};

static enum cmk_verdict no_memory(struct kp_outcome *o)
{
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE, "no memory to read the key set");
}

static void agent_name(const char *disk, char *out, size_t room)
{
	char label[LABEL_MAX] = "";
	for (size_t i = 0; i < sizeof(label) - 1 && disk[i]; i++) {
		char c = disk[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '-';
		label[i] = plain ? c : '_';
	}
	if (label[0])
		(void)snprintf(out, room, "cmkdisk/" CMKDISK_VERSION " (disk %s)", label);
	else
		(void)snprintf(out, room, "cmkdisk/" CMKDISK_VERSION);
}

// One of two words, each standing for a verdict.
static enum cmk_verdict verdict_word(
	const struct config_reader *r, const char *name, enum cmk_verdict *out)
{
	const char *word = NULL;
	enum cmk_verdict v = config_text(r, r->azure, AZURE, name, &word);
	if (v != CMK_GRANTED || !word)
		return v;
	if (strcmp(word, "denied") == 0)
		*out = CMK_DENIED;
	else if (strcmp(word, "unreachable") == 0)
		*out = CMK_UNREACHABLE;
	else
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE ".%s is '%s'; write denied or unreachable", name, word);
	return CMK_GRANTED;
}

static enum cmk_verdict read_confirm(const struct config_reader *r)
{
	const char *text = NULL;
	enum cmk_verdict v = config_text(r, r->azure, AZURE, "confirmAfter", &text);
	if (v == CMK_GRANTED && text && !azure_duration(text, &r->c->confirm_ms))
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE ".confirmAfter is '%s'; write a duration of at most a "
			"day, such as 15s",
			text);
	return v;
}

static bool is_host_name(const char *s)
{
	size_t len = strlen(s);
	return len > 0 && len <= 253 && s[0] != '.' && s[len - 1] != '.' && !strstr(s, "..") &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == len;
}

static enum cmk_verdict read_suffixes(const struct config_reader *r, struct config_memory *m)
{
	const struct kp_json *list = kp_json_get(r->azure, "vaultSuffixes");
	if (kp_json_is_null(list))
		return CMK_GRANTED;
	size_t count = kp_json_count(list);
	if (!kp_json_is_array(list) || count > SUFFIXES_MAX)
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE ".vaultSuffixes must be a list of at most %d host names, "
			"such as [\"vault.example.org\"]",
			SUFFIXES_MAX);
	m->suffixes = calloc(count + 1, sizeof(*m->suffixes));
	if (!m->suffixes)
		return no_memory(r->o);
	size_t n = 0;
	for (const struct kp_json *j = kp_json_first(list); j; j = kp_json_next(j)) {
		const char *s = kp_json_text(j);
		if (s && *s == '.')
			s++;
		if (!s || !is_host_name(s))
			return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
				"key set: " AZURE ".vaultSuffixes has an entry that is no host "
				"name; write names such as \"vault.example.org\"");
		m->suffixes[n++] = s;
	}
	r->c->suffixes = m->suffixes;
	r->c->suffix_count = n;
	return CMK_GRANTED;
}

static enum cmk_verdict check_words(const struct config_reader *r)
{
	const struct azure_config *c = r->c;
	size_t len = strlen(c->api_version);
	if (len == 0 || len > 32 ||
		strspn(c->api_version, "0123456789abcdefghijklmnopqrstuvwxyz.-") != len)
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE ".apiVersion is '%s'; write one such as 7.4",
			c->api_version);
	if (c->alg[0] && strcmp(c->alg, "RSA-OAEP-256") != 0 && strcmp(c->alg, "RSA-OAEP") != 0 &&
		strcmp(c->alg, "A256KW") != 0)
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE ".alg is '%s'; write RSA-OAEP-256, RSA-OAEP or A256KW",
			c->alg);
	return CMK_GRANTED;
}

static const char *first_env(const struct config_reader *r, const char *const *names)
{
	for (; *names; names++)
		if (*config_env(r, *names))
			return config_env(r, *names);
	return "";
}

// What the environment says and the key set does not.
static enum cmk_verdict read_network(const struct config_reader *r)
{
	static const char *const proxies[] = {
		"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
	static const char *const exceptions[] = {"no_proxy", "NO_PROXY", NULL};
	struct azure_config *c = r->c;
	const char *file = NULL;
	c->ca_dir = "";
	c->proxy = first_env(r, proxies);
	c->no_proxy = first_env(r, exceptions);
	enum cmk_verdict v = config_text(r, r->azure, AZURE, "proxy", &c->proxy);
	if (v == CMK_GRANTED)
		v = config_text(r, r->azure, AZURE, "caFile", &file);
	if (v != CMK_GRANTED)
		return v;
	const char *what = file ? "key set: " AZURE ".caFile" : "SSL_CERT_FILE";
	if (!file) {
		file = config_env(r, "SSL_CERT_FILE");
		c->ca_dir = config_env(r, "SSL_CERT_DIR");
	}
	c->ca_file = file;
	if (*file && (*file != '/' || access(file, R_OK)))
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s names %s, which cannot be read (%s); write the full path of a readable "
			"PEM file",
			what, file, *file == '/' ? strerror(errno) : "no full path");
	return CMK_GRANTED;
}

static enum cmk_verdict read_all(const struct config_reader *r, struct config_memory *m)
{
	struct azure_config *c = r->c;
	enum cmk_verdict v = CMK_GRANTED;
	if (r->azure)
		v = config_known(r, r->azure, AZURE, azure_members);
	if (v == CMK_GRANTED)
		v = config_text(r, r->azure, AZURE, "apiVersion", &c->api_version);
	if (v == CMK_GRANTED)
		v = config_text(r, r->azure, AZURE, "alg", &c->alg);
	if (v == CMK_GRANTED)
		v = check_words(r);
	if (v == CMK_GRANTED)
		v = config_flag(r, r->azure, AZURE, "httpLoopback", &c->http_loopback);
	if (v == CMK_GRANTED)
		v = verdict_word(r, "firewall", &c->firewall);
	if (v == CMK_GRANTED)
		v = verdict_word(r, "unknownHost", &c->no_host);
	if (v == CMK_GRANTED)
		v = read_confirm(r);
	if (v == CMK_GRANTED)
		v = read_suffixes(r, m);
	if (v == CMK_GRANTED)
		v = read_network(r);
	if (v != CMK_GRANTED)
		return v;
	static const char rotation[] = "rotationToLatestKeyVersionEnabled";
	const struct kp_json *arm = kp_json_get(r->set, "properties");
	if (!kp_json_bool(r->set, rotation, &c->follow_rotation) &&
		!kp_json_bool(arm, rotation, &c->follow_rotation))
		c->follow_rotation = false;
	return config_identity(r);
}

static enum cmk_verdict parse_set(
	const struct cmk_key_ref *ref, struct config_memory *m, struct kp_outcome *o)
{
	m->text = strdup(ref->config);
	if (!m->text)
		return no_memory(o);
	int ret = kp_json_parse(m->text, strlen(m->text), &m->tree);
	if (ret == -ENOMEM)
		return no_memory(o);
	if (ret || !kp_json_is_object(m->tree))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the key set is no JSON object; write what az disk-encryption-set show "
			"prints");
	return CMK_GRANTED;
}

enum cmk_verdict azure_config_read(const struct cmk_host *host, const struct cmk_key_ref *ref,
	struct azure_config *out, struct kp_outcome *o)
{
	struct config_memory *m = calloc(1, sizeof(*m));
	scoped(azure_config_free) struct azure_config c = {.memory = m,
		.api_version = "7.4",
		.alg = "",
		.confirm_ms = CONFIRM_MS,
		.firewall = CMK_DENIED,
		.no_host = CMK_UNREACHABLE};
	if (!m)
		return no_memory(o);
	m->host = host;
	c.user_agent = m->user_agent;
	agent_name(ref->disk, m->user_agent, sizeof(m->user_agent));
	enum cmk_verdict v = parse_set(ref, m, o);
	if (v != CMK_GRANTED)
		return v;
	const struct kp_json *azure = kp_json_get(kp_json_get(m->tree, "cmkdisk"), "azure");
	if (!kp_json_is_null(azure) && !kp_json_is_object(azure))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " AZURE " must be an object");
	const struct config_reader r = {
		.host = host,
		.environment =
			CMK_HAS(ref, struct cmk_key_ref, environment) ? ref->environment : NULL,
		.key_url = ref->key_url,
		.set = m->tree,
		.azure = kp_json_is_null(azure) ? NULL : azure,
		.c = &c,
		.o = o,
	};
	v = read_all(&r, m);
	if (v != CMK_GRANTED)
		return v;
	*out = c;
	c.memory = NULL;
	return CMK_GRANTED;
}

void azure_config_free(struct azure_config *c)
{
	struct config_memory *m = c->memory;
	if (!m)
		return;
	free(m->tenants);
	m->host->secret_free(m->host, m->client_secret);
	m->host->secret_free(m->host, m->certificate_password);
	kp_json_free(&m->tree);
	free(m->text);
	free(m->suffixes);
	free(m);
	c->memory = NULL;
}
