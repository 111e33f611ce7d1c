// SPDX-License-Identifier: MIT
// What wrapping and unwrapping in a token came to; see p11_crypto.h.
#include "p11_crypto.h"

#include "p11_rsa.h"
#include "p11_rv.h"
#include "p11_use.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define PROBE_LEN 32

static enum cmk_verdict bad_blob(const struct p11_use *u, const char *why, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	p11_key_text(u->key, text);
	return kp_outcome_set(o, CMK_BAD_BLOB, CMK_REASON_NONE,
		"%s: the wrapped secret was not made by %s with %s, or is damaged: %s", u->s->where,
		text, u->alg->name, why);
}

static bool has_length(const struct p11_use *u, size_t len)
{
	if (u->alg->type == CKK_RSA)
		return u->key->bits == 0 || len == (u->key->bits + 7) / 8;
	// RFC 3394 makes 8 bytes more of at least 16, RFC 5649 of what it pads to at least 8.
	return len % 8 == 0 && len >= (u->alg->mechanism == CKM_AES_KEY_WRAP ? 24 : 16);
}

// What the token says when it is the bytes that are wrong.
static bool is_about_blob(CK_RV rv)
{
	return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
	       rv == CKR_WRAPPED_KEY_INVALID || rv == CKR_WRAPPED_KEY_LEN_RANGE;
}

// What many tokens say of wrong bytes, but of other things as well.
static bool is_vague(CK_RV rv)
{
	return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED || rv == CKR_DATA_INVALID ||
	       rv == CKR_DATA_LEN_RANGE || rv >= CKR_VENDOR_DEFINED;
}

static enum cmk_verdict not_its_own(const struct p11_use *u, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT], name[P11_RV_TEXT];
	p11_key_text(u->key, text);
	p11_rv_name(u->rv, name);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: %s does not unwrap what was wrapped for it with %s just now (%s); have the "
		"token examined, no disk is bound to it",
		u->s->where, text, u->alg->name, name);
}

// Wraps and has the token unwrap: *same tells whether that gave the bytes back.
static enum cmk_verdict round_trip(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *wrapped, size_t *wrapped_len, bool *same, struct kp_outcome *o)
{
	const struct cmk_host *host = u->c->host;
	uint8_t *back = host->secret_alloc(host, P11_ROOM);
	size_t len = 0;
	*same = false;
	u->rv = CKR_OK;
	if (!back)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: no locked memory to unwrap into", u->s->where);
	enum cmk_verdict v = p11_use_wrap(u, plain, plain_len, wrapped, wrapped_len, o);
	if (v == CMK_GRANTED) {
		v = p11_use_unwrap(u, wrapped, *wrapped_len, back, &len, o);
		if (v == CMK_BAD_BLOB)
			v = not_its_own(u, o);
	}
	if (v == CMK_GRANTED)
		*same = len == plain_len && CRYPTO_memcmp(back, plain, len) == 0;
	host->secret_free(host, back);
	return v;
}

// Whether the token can unwrap with this key right now something that was just made for it.
static bool key_works(struct p11_use *u)
{
	const struct cmk_host *host = u->c->host;
	struct kp_outcome ignored = {0};
	uint8_t wrapped[CMK_WRAPPED_MAX];
	size_t len = sizeof(wrapped);
	bool same = false;
	uint8_t *probe = host->secret_alloc(host, PROBE_LEN);
	if (probe && RAND_bytes(probe, PROBE_LEN) == 1 &&
		round_trip(u, probe, PROBE_LEN, wrapped, &len, &same, &ignored) != CMK_GRANTED)
		same = false;
	host->secret_free(host, probe);
	return same;
}

// A vague error is the blob's fault only if the key works otherwise, and the error comes again
// after that. *o keeps the token's own words if not.
static enum cmk_verdict second_opinion(struct p11_use *u, enum cmk_verdict v,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *out, size_t *len, struct kp_outcome *o)
{
	char name[P11_RV_TEXT], why[P11_RV_TEXT + 80];
	struct kp_outcome again = {0};
	CK_RV first = u->rv, lost = u->s->lost;
	if (!key_works(u)) {
		u->s->lost = lost;
		return v;
	}
	u->s->lost = CKR_OK;
	u->rv = CKR_OK;
	v = p11_use_unwrap(u, wrapped, wrapped_len, out, len, &again);
	if (v != CMK_GRANTED && u->rv == first) {
		p11_rv_name(first, name);
		(void)snprintf(why, sizeof(why),
			"the token says %s to it while it unwraps what is made now", name);
		u->s->lost = CKR_OK;
		return bad_blob(u, why, o);
	}
	*o = again;
	return v;
}

static enum cmk_verdict unwrap_into(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *out, uint8_t *plain, size_t *len_out, struct kp_outcome *o)
{
	size_t len = 0;
	enum cmk_verdict v = p11_use_unwrap(u, wrapped, wrapped_len, out, &len, o);
	if (v != CMK_GRANTED && is_about_blob(u->rv)) {
		char name[P11_RV_TEXT];
		p11_rv_name(u->rv, name);
		return bad_blob(u, name, o);
	}
	if (v != CMK_GRANTED && is_vague(u->rv))
		v = second_opinion(u, v, wrapped, wrapped_len, out, &len, o);
	if (v != CMK_GRANTED)
		return v;
	if (len > CMK_PLAIN_MAX)
		return bad_blob(u, "it unwraps to more than a disk's secret", o);
	memcpy(plain, out, len);
	*len_out = len;
	return CMK_GRANTED;
}

enum cmk_verdict p11_unwrap(const struct p11_context *c, struct p11_session *s,
	const struct p11_key *key, const char *alg, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *plain, size_t *len_out, struct kp_outcome *o)
{
	struct p11_use u = {.c = c, .s = s, .key = key, .alg = p11_algorithm_find(alg)};
	char text[P11_KEY_TEXT];
	p11_key_text(key, text);
	if (!u.alg || u.alg->type != key->type)
		return kp_outcome_set(o, CMK_BAD_BLOB, CMK_REASON_NONE,
			"%s: %s of type %s does not unwrap with %.*s", s->where, text,
			key->type == CKK_RSA ? "RSA" : "AES", CMK_ALG_MAX, alg);
	if (p11_key_may_unwrap(key) && !has_length(&u, wrapped_len)) {
		char why[64];
		(void)snprintf(why, sizeof(why), "it never makes %zu bytes", wrapped_len);
		return bad_blob(&u, why, o);
	}
	uint8_t *out = c->host->secret_alloc(c->host, P11_ROOM);
	if (!out)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: no locked memory to unwrap into", s->where);
	enum cmk_verdict v = unwrap_into(&u, wrapped, wrapped_len, out, plain, len_out, o);
	c->host->secret_free(c->host, out);
	return v;
}

static enum cmk_verdict check_size(
	const struct p11_session *s, const struct p11_key *key, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	p11_key_text(key, text);
	if (key->type == CKK_RSA && (key->bits < 2048 || key->bits > P11_ROOM * 8))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: %s is an RSA key of %u bits%s; make one of 2048, 3072 or 4096",
			s->where, text, key->bits, key->bits ? "" : " (the token does not tell)");
	if (key->type == CKK_AES && key->bits != 256)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: %s is an AES key of %u bits%s; make one of 256", s->where, text,
			key->bits, key->bits ? "" : " (the token does not tell)");
	return CMK_GRANTED;
}

static bool is_candidate(const struct p11_use *u, const char *wanted, size_t plain_len)
{
	const struct p11_algorithm *a = u->alg;
	if (a->type != u->key->type || (*wanted && strcmp(wanted, a->name) != 0))
		return false;
	// RFC 3394 has no padding.
	return a->mechanism != CKM_AES_KEY_WRAP || (plain_len % 8 == 0 && plain_len >= 16);
}

static enum cmk_verdict other_bytes(
	const struct p11_use *u, const struct p11_key *key, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	p11_key_text(key, text);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: %s unwraps with %s to other bytes than were wrapped; have the token examined, "
		"no disk is bound to it",
		u->s->where, text, u->alg->name);
}

// True if another algorithm may do what this one did not.
static bool may_go_on(const struct p11_use *u, enum cmk_verdict v, const struct kp_outcome *o)
{
	if (v == CMK_DENIED)
		return u->rv == CKR_OK && o->reason == CMK_REASON_NOT_PERMITTED;
	return p11_rv_is_unsupported(u->rv) || is_about_blob(u->rv) || is_vague(u->rv) ||
	       v == CMK_MISCONFIGURED;
}

static enum cmk_verdict try_all(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	struct cmk_wrapped *out, struct kp_outcome *o)
{
	const char *wanted = u->c->config->alg;
	bool tried = false, told = false;
	for (size_t i = 0; i < P11_ALGORITHMS; i++) {
		struct kp_outcome one = {0};
		bool same;
		u->alg = &p11_algorithms[i];
		if (!is_candidate(u, wanted, plain_len))
			continue;
		out->len = sizeof(out->data);
		enum cmk_verdict v =
			round_trip(u, plain, plain_len, out->data, &out->len, &same, &one);
		if (v == CMK_GRANTED && !same)
			return other_bytes(u, u->key, o);
		if (v == CMK_GRANTED) {
			(void)snprintf(out->alg, sizeof(out->alg), "%s", u->alg->name);
			return v;
		}
		// Of several refusals the first that is not about the token's abilities counts.
		bool ability = p11_rv_is_unsupported(u->rv), last = !may_go_on(u, v, &one);
		if (last || !tried || (!told && !ability))
			*o = one;
		if (last)
			return v;
		told |= !ability;
		tried = true;
	}
	if (tried)
		return o->verdict;
	char text[P11_KEY_TEXT];
	p11_key_text(u->key, text);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: alg %s of the key set's cmkdisk.pkcs11 does not wrap %zu bytes with %s of "
		"type %s",
		u->s->where, wanted, plain_len, text, u->key->type == CKK_RSA ? "RSA" : "AES");
}

enum cmk_verdict p11_wrap(const struct p11_context *c, struct p11_session *s,
	const struct p11_key *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out,
	struct kp_outcome *o)
{
	struct p11_use u = {.c = c, .s = s, .key = key};
	enum cmk_verdict v = check_size(s, key, o);
	if (v == CMK_GRANTED)
		v = try_all(&u, plain, plain_len, out, o);
	if (v == CMK_GRANTED)
		memcpy(out->version, key->version, sizeof(out->version));
	return v;
}
