// SPDX-License-Identifier: MIT
// The PKCS#11 provider: keys in an HSM, a TPM or a token in software. Each question opens a
// session, finds the key anew and closes the session; only the loaded modules are kept.
#include "p11_choose.h"
#include "p11_last.h"
#include "p11_module.h"
#include "p11_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_MS 100 // that a second look may take longer than the first

struct provider {
	const struct cmk_host *host;
	struct p11_config config;
	struct p11_modules modules;
	struct p11_pin_memory *pin_memory; // secret memory
	struct p11_last last;
	bool loaded;
};

// A question on its way: what is asked of the keys that were found.
struct question {
	const char *version; // "" any
	enum cmk_verdict (*answer)(const struct question *q, const struct p11_context *c,
		struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o);
	const char *alg;
	const uint8_t *in;
	size_t in_len;
	uint8_t *plain;
	size_t *plain_len;
	struct cmk_wrapped *wrapped;
	struct cmk_key_info *info;
};

// Of a version that a disk is bound to, or else of the key's name as somebody wrote it.
static enum cmk_verdict gone(const struct p11_context *c, const struct question *q,
	const struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o)
{
	const char *pinned = c->config->id;
	if (!*q->version)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_DELETED,
			"%s: no key matches%s%.*s; correct %s in the key URL, or make the key with "
			"cmkdisk tokenkey new",
			s->where, *pinned ? " id " : "", CMK_VERSION_MAX, pinned,
			*pinned ? "object= or id=" : "object=");
	return kp_outcome_set(o, CMK_DENIED, CMK_REASON_DELETED,
		"%s: there is no such key with id %.*s (any more)%s; restore it from the token's "
		"backup",
		s->where, CMK_VERSION_MAX, q->version,
		keys->other_type ? ", a key of another kind stands in its place" : "");
}

static enum cmk_verdict no_key(const struct p11_context *c, const struct question *q,
	struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o)
{
	enum cmk_verdict v = p11_session_sees_all(s, o);
	if (v != CMK_GRANTED)
		return v;
	v = p11_choose_unfit(keys, s->where, o);
	// A version that was there once is gone, whatever has taken its place.
	if (v == CMK_UNREACHABLE || (v == CMK_MISCONFIGURED && !*q->version))
		return v;
	return gone(c, q, s, keys, o);
}

// One look at the token. *again: a second one, after a new start of the module, may see more.
static enum cmk_verdict look(
	struct provider *p, const struct question *q, bool *again, struct kp_outcome *o)
{
	struct p11_context c = {p->host, &p->config, &p->modules, p->pin_memory};
	struct p11_session s;
	struct p11_keys keys;
	keys.count = 0;
	enum cmk_verdict v = p11_session_begin(&c, false, &s, o);
	*again = v == CMK_UNREACHABLE;
	if (v == CMK_GRANTED)
		v = p11_keys_find(&c, &s, q->version, &keys, o);
	if (v == CMK_GRANTED)
		v = keys.count ? q->answer(q, &c, &s, &keys, o) : no_key(&c, q, &s, &keys, o);
	if (v == CMK_GRANTED)
		p11_last_granted(&p->last, &c, &s);
	*again |= v == CMK_DENIED && o->reason == CMK_REASON_DELETED;
	if (*again && v == CMK_DENIED && !keys.count && p11_last_is_other(&p->last, &s, o))
		v = CMK_UNREACHABLE;
	*again |= v != CMK_GRANTED && s.lost != CKR_OK;
	// A refused PIN is never shown again, and one that was shown for nothing not before the
	// next question.
	*again &= !s.pin_failed && !(v == CMK_DENIED && o->reason == CMK_REASON_IDENTITY);
	p11_session_end(&c, &s);
	return v;
}

// Several modules (tpm2-pkcs11, OpenSC, nShield's) learn which keys there are in C_Initialize only:
// of a key that others have destroyed or made since they would say what was true then. So each
// question begins with a new start.
static enum cmk_verdict load(struct provider *p, struct kp_outcome *o)
{
	if (p->loaded)
		return p11_modules_restart(&p->modules, o);
	enum cmk_verdict v = p11_modules_load(&p->config, &p->modules, o);
	p->loaded = v == CMK_GRANTED;
	if (!p->loaded)
		p11_modules_free(&p->modules);
	return v;
}

static enum cmk_verdict ask(struct provider *p, const struct question *q, struct kp_outcome *o)
{
	const struct cmk_host *host = p->host;
	uint32_t before = host->time_left(host);
	bool again = false;
	enum cmk_verdict v = load(p, o);
	if (v == CMK_GRANTED)
		v = look(p, q, &again, o);
	if (!again)
		return v;
	uint32_t left = host->time_left(host);
	const uint32_t spare = MARGIN_MS + P11_PAUSE_MS;
	bool in_time = !host->cancelled(host) && left >= spare &&
		       left - spare > (before > left ? before - left : 0);
	if (in_time) {
		v = p11_modules_restart_later(&p->modules, o);
		return v == CMK_GRANTED ? look(p, q, &again, o) : v;
	}
	if (v == CMK_DENIED)
		kp_err_prefix(&o->err, "not confirmed, as there was no time to look again");
	o->reason = CMK_REASON_NONE;
	return CMK_UNREACHABLE;
}

static enum cmk_verdict answer_unwrap(const struct question *q, const struct p11_context *c,
	struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o)
{
	const struct p11_key *k = NULL;
	struct p11_key newest;
	enum cmk_verdict v;
	if (*q->version) {
		v = p11_choose_version(keys, q->alg, s->where, &k, o);
	} else {
		v = p11_choose_newest(
			keys, c->host->wall_time(c->host), true, s->where, &newest, o);
		k = &newest;
	}
	if (v != CMK_GRANTED)
		return v;
	return p11_unwrap(c, s, k, q->alg, q->in, q->in_len, q->plain, q->plain_len, o);
}

static enum cmk_verdict answer_wrap(const struct question *q, const struct p11_context *c,
	struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o)
{
	struct p11_key k;
	int64_t now = c->host->wall_time(c->host);
	enum cmk_verdict v = p11_choose_newest(keys, now, false, s->where, &k, o);
	return v == CMK_GRANTED ? p11_wrap(c, s, &k, q->in, q->in_len, q->wrapped, o) : v;
}

static enum cmk_verdict answer_describe(const struct question *q, const struct p11_context *c,
	struct p11_session *s, const struct p11_keys *keys, struct kp_outcome *o)
{
	struct p11_key k;
	int64_t now = c->host->wall_time(c->host);
	enum cmk_verdict v = *q->version ? p11_choose_strictest(keys, s->where, &k, o)
					 : p11_choose_newest(keys, now, true, s->where, &k, o);
	if (v != CMK_GRANTED)
		return v;
	memcpy(q->info->version, k.version, sizeof(q->info->version));
	if (!*q->version || keys->count == 1) {
		(void)snprintf(q->info->kty, sizeof(q->info->kty), "%s",
			k.type == CKK_RSA ? "RSA-HSM" : "oct-HSM");
		q->info->bits = k.bits;
	}
	q->info->enabled = k.decrypt || k.unwrap ? 1 : p11_key_may_unwrap(&k) ? -1 : 0;
	q->info->nbf = k.nbf;
	q->info->exp = k.exp;
	q->info->created = p11_key_created(&k);
	return v;
}

// Tells the host, with the key's URL in front where the sentence does not name it.
static enum cmk_verdict tell(struct provider *p, enum cmk_verdict v, struct kp_outcome *o)
{
	char url[256];
	if (v == CMK_GRANTED)
		return v;
	(void)snprintf(url, sizeof(url), "%s", p->config.text);
	if (!strstr(o->err.text, url))
		kp_err_prefix(&o->err, url);
	p->host->explain(p->host, o->reason, "%s", o->err.text);
	return v;
}

static void provider_free(struct provider *p)
{
	if (p->loaded)
		p11_modules_free(&p->modules);
	p11_config_free(p->host, &p->config);
	p->host->secret_free(p->host, p->pin_memory);
	free(p);
}

// What earlier processes noted.
static void remember(struct provider *p, const struct cmk_key_ref *ref)
{
	static const char head[] = "CMKDISK_NOTE=";
	const char *const *line =
		CMK_HAS(ref, struct cmk_key_ref, environment) ? ref->environment : NULL;
	for (; line && *line; line++)
		if (strncmp(*line, head, strlen(head)) == 0) {
			p11_pin_remember(p->pin_memory, *line + strlen(head));
			p11_last_remember(&p->last, &p->config, *line + strlen(head));
		}
}

static enum cmk_verdict pkcs11_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	struct kp_outcome o = {0};
	struct provider *p = calloc(1, sizeof(*p));
	if (!p) {
		host->explain(host, CMK_REASON_NONE, "no memory to open the key");
		return CMK_UNREACHABLE;
	}
	p->host = host;
	p->pin_memory = host->secret_alloc(host, sizeof(*p->pin_memory));
	if (!p->pin_memory) {
		host->explain(host, CMK_REASON_NONE, "no locked memory to open the key");
		provider_free(p);
		return CMK_UNREACHABLE;
	}
	enum cmk_verdict v = p11_config_read(host, ref, &p->config, &o);
	if (v != CMK_GRANTED) {
		host->explain(host, o.reason, "%s", o.err.text);
		provider_free(p);
		return v;
	}
	remember(p, ref);
	*key = p;
	return v;
}

static void pkcs11_close(void *key)
{
	provider_free(key);
}

static enum cmk_verdict pkcs11_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	struct provider *p = key;
	struct kp_outcome o = {0};
	const struct question q = {.version = version,
		.answer = answer_unwrap,
		.alg = alg,
		.in = wrapped,
		.in_len = wrapped_len,
		.plain = plain,
		.plain_len = plain_len};
	if (p11_is_algorithm(alg))
		return tell(p, ask(p, &q, &o), &o);
	return tell(p,
		kp_outcome_set(&o, CMK_BAD_BLOB, CMK_REASON_NONE,
			"%.*s is no way to wrap that keys in tokens know; the secret is another "
			"provider's work",
			CMK_ALG_MAX, alg),
		&o);
}

static enum cmk_verdict pkcs11_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	struct provider *p = key;
	struct kp_outcome o = {0};
	const struct question q = {.version = "",
		.answer = answer_wrap,
		.in = plain,
		.in_len = plain_len,
		.wrapped = out};
	return tell(p, ask(p, &q, &o), &o);
}

static enum cmk_verdict pkcs11_describe(void *key, const char *version, struct cmk_key_info *out)
{
	struct provider *p = key;
	struct kp_outcome o = {0};
	const struct question q = {.version = version, .answer = answer_describe, .info = out};
	return tell(p, ask(p, &q, &o), &o);
}

static struct cmk_keyprov pkcs11_provider = {
	.name = "pkcs11",
	.version = CMKDISK_VERSION,
	.description = "keys in HSMs, TPMs and other PKCS#11 tokens",
	.schemes = "pkcs11",
	.open = pkcs11_open,
	.close = pkcs11_close,
	.unwrap = pkcs11_unwrap,
	.wrap = pkcs11_wrap,
	.describe = pkcs11_describe,
};

CMK_KEYPROV_REGISTER(pkcs11_provider)
