// SPDX-License-Identifier: MIT
// Wrapping a key for a vault, inside the token; see byok.h.
#include "byok.h"

#include "p11_rv.h"
#include "p11_use.h"

#include <errno.h>
#include <string.h>

#define AES_BYTES 32
#define AES_WRAPPED (AES_BYTES + 8) // RFC 5649

static CK_RSA_PKCS_OAEP_PARAMS oaep(void)
{
	return (CK_RSA_PKCS_OAEP_PARAMS){
		.hashAlg = CKM_SHA_1, .mgf = CKG_MGF1_SHA1, .source = CKZ_DATA_SPECIFIED};
}

static bool can_wrap(const struct tool *t, CK_MECHANISM_TYPE type)
{
	return p11_mechanism_uses(&t->session, type) & CKF_WRAP;
}

static void destroy(struct tool *t, CK_OBJECT_HANDLE object)
{
	(void)t->session.f->C_DestroyObject(t->session.handle, object);
}

// About the key, whatever the mechanism.
static bool may_not_leave(CK_RV rv)
{
	return rv == CKR_KEY_UNEXTRACTABLE || rv == CKR_KEY_NOT_WRAPPABLE ||
	       rv == CKR_ACTION_PROHIBITED;
}

// Why a key cannot leave the token, or what failed.
static int refused(struct tool *t, const struct p11_key *key, CK_RV rv, struct kp_err *err)
{
	if (rv == CKR_KEY_UNEXTRACTABLE)
		return kp_fail(err, EPERM,
			"%s: version %s was made not to be exported, and nothing changes that; "
			"make an exportable key with cmkdisk tokenkey new --exportable",
			t->session.where, key->version);
	if (may_not_leave(rv))
		return kp_fail(err, EPERM,
			"%s: version %s may leave the token only under a key that the token's "
			"officer has marked as trusted (CKA_WRAP_WITH_TRUSTED)",
			t->session.where, key->version);
	return tool_failed(t, rv, "C_WrapKey", err);
}

// Appends to out. Nothing that the module says of lengths is believed unless it fits.
static CK_RV wrap(struct tool *t, CK_MECHANISM *m, CK_OBJECT_HANDLE under, CK_OBJECT_HANDLE key,
	struct byok_blob *out)
{
	CK_ULONG len = sizeof(out->data) - out->len;
	CK_RV rv = t->session.f->C_WrapKey(
		t->session.handle, m, under, key, out->data + out->len, &len);
	if (rv == CKR_OK && len > sizeof(out->data) - out->len)
		return CKR_DATA_LEN_RANGE;
	out->len += rv == CKR_OK ? len : 0;
	return rv;
}

static int import_kek(
	struct tool *t, const struct byok_kek *kek, CK_OBJECT_HANDLE *out, struct kp_err *err)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	struct tool_template a = {.count = 0};
	tool_put(&a, CKA_CLASS, &class, sizeof(class));
	tool_put(&a, CKA_KEY_TYPE, &type, sizeof(type));
	tool_put_bool(&a, CKA_TOKEN, false);
	tool_put_bool(&a, CKA_WRAP, true);
	tool_put(&a, CKA_MODULUS, kek->n, kek->n_len);
	tool_put(&a, CKA_PUBLIC_EXPONENT, kek->e, kek->e_len);
	CK_RV rv = t->session.f->C_CreateObject(t->session.handle, a.at, a.count, out);
	return rv == CKR_OK ? 0 : tool_failed(t, rv, "C_CreateObject", err);
}

// An AES-256 key of this session, which may leave the token wrapped only.
static int make_ephemeral(struct tool *t, CK_OBJECT_HANDLE *out, struct kp_err *err)
{
	CK_MECHANISM m = {.mechanism = CKM_AES_KEY_GEN};
	CK_ULONG len = AES_BYTES;
	struct tool_template a = {.count = 0};
	tool_put_bool(&a, CKA_TOKEN, false);
	tool_put_bool(&a, CKA_PRIVATE, true);
	tool_put_bool(&a, CKA_SENSITIVE, true);
	tool_put_bool(&a, CKA_EXTRACTABLE, true);
	tool_put_bool(&a, CKA_WRAP, true);
	tool_put_ulong(&a, CKA_VALUE_LEN, &len);
	CK_RV rv = t->session.f->C_GenerateKey(t->session.handle, &m, a.at, a.count, out);
	return rv == CKR_OK ? 0 : tool_failed(t, rv, "C_GenerateKey", err);
}

// Both halves in one call.
static CK_RV wrap_whole(
	struct tool *t, CK_OBJECT_HANDLE kek, const struct p11_key *key, struct byok_blob *out)
{
	CK_RSA_PKCS_OAEP_PARAMS params = oaep();
	struct {
		CK_ULONG aes_bits;
		CK_RSA_PKCS_OAEP_PARAMS *oaep;
	} both = {AES_BYTES * 8, &params}; // CK_RSA_AES_KEY_WRAP_PARAMS
	CK_MECHANISM m = {CKM_RSA_AES_KEY_WRAP, &both, sizeof(both)};
	return wrap(t, &m, kek, key->handle, out);
}

// The second half, by the first mechanism that does RFC 5649.
static int wrap_target(struct tool *t, CK_OBJECT_HANDLE ephemeral, const struct p11_key *key,
	struct byok_blob *out, struct kp_err *err)
{
	static const CK_MECHANISM_TYPE types[] = {CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		CK_MECHANISM m = {.mechanism = types[i]};
		if (!can_wrap(t, types[i]))
			continue;
		int ret = byok_rehearse(t, types[i], key->type, err);
		if (ret == -ENOTSUP)
			continue;
		if (ret)
			return ret;
		CK_RV rv = wrap(t, &m, ephemeral, key->handle, out);
		if (rv == CKR_OK || may_not_leave(rv) || !p11_rv_is_unsupported(rv))
			return rv == CKR_OK ? 0 : refused(t, key, rv, err);
	}
	return kp_fail(err, EDOM,
		"%s: has no mechanism that wraps this key as RFC 5649 says (CKM_AES_KEY_WRAP_KWP, "
		"CKM_AES_KEY_WRAP_PAD, CKM_RSA_AES_KEY_WRAP); use the HSM vendor's own transfer "
		"program",
		t->session.where);
}

static int wrap_halves(struct tool *t, CK_OBJECT_HANDLE kek, const struct p11_key *key,
	struct byok_blob *out, struct kp_err *err)
{
	CK_RSA_PKCS_OAEP_PARAMS params = oaep();
	CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &params, sizeof(params)};
	CK_OBJECT_HANDLE ephemeral;
	int ret = make_ephemeral(t, &ephemeral, err);
	if (ret)
		return ret;
	CK_RV rv = wrap(t, &m, kek, ephemeral, out);
	if (rv != CKR_OK)
		ret = tool_failed(t, rv, "C_WrapKey", err);
	ret = ret ? ret : wrap_target(t, ephemeral, key, out, err);
	destroy(t, ephemeral);
	return ret;
}

// PKCS#8 of an RSA key of two primes holds four and a half times its modulus, and little else.
static int measure(const struct tool *t, const struct p11_key *key, const struct byok_kek *kek,
	const struct byok_blob *blob, struct kp_err *err)
{
	size_t k = key->bits / 8, second = blob->len > kek->n_len ? blob->len - kek->n_len : 0;
	bool fits = key->type == CKK_AES
			    ? second == k + 8
			    : second % 8 == 0 && second > 4 * k && second < 5 * k + 200;
	if (fits)
		return 0;
	return kp_fail(err, EBADMSG,
		"%s: what it made of version %s has %zu bytes, which no vault would take; tell the "
		"maker of the module",
		t->session.where, key->version, blob->len);
}

int byok_wrap(struct tool *t, const struct p11_key *key, const struct byok_kek *kek,
	struct byok_blob *out, struct kp_err *err)
{
	CK_OBJECT_HANDLE under;
	CK_RV rv = CKR_MECHANISM_INVALID;
	out->len = 0;
	if (!key->extractable)
		return refused(t, key, CKR_KEY_UNEXTRACTABLE, err);
	int ret = import_kek(t, kek, &under, err);
	if (ret)
		return ret;
	if (can_wrap(t, CKM_RSA_AES_KEY_WRAP))
		rv = wrap_whole(t, under, key, out);
	if (rv != CKR_OK) {
		out->len = 0;
		bool other_way = p11_rv_is_unsupported(rv) && !may_not_leave(rv);
		ret = other_way ? wrap_halves(t, under, key, out, err) : refused(t, key, rv, err);
	}
	destroy(t, under);
	return ret ? ret : measure(t, key, kek, out, err);
}
