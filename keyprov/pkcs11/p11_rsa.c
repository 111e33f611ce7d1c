// SPDX-License-Identifier: MIT
// See p11_rsa.h.
#include "p11_rsa.h"

#include "kp_openssl.h"
#include "p11_object.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

struct numbers {
	uint8_t n[P11_RSA_MAX], e[P11_RSA_MAX];
	size_t n_len, e_len; // 0 unknown
};

static enum cmk_verdict read_numbers(
	struct p11_session *s, CK_OBJECT_HANDLE object, struct numbers *out, struct kp_outcome *o)
{
	CK_ATTRIBUTE a[] = {{CKA_MODULUS, out->n, sizeof(out->n)},
		{CKA_PUBLIC_EXPONENT, out->e, sizeof(out->e)}};
	enum cmk_verdict v = p11_object_read(s, object, a, 2, NULL, o);
	out->n_len = a[0].ulValueLen;
	out->e_len = a[1].ulValueLen;
	return v;
}

static bool same_modulus(const struct numbers *a, const struct numbers *b)
{
	size_t skip_a = 0, skip_b = 0;
	while (skip_a < a->n_len && a->n[skip_a] == 0)
		skip_a++;
	while (skip_b < b->n_len && b->n[skip_b] == 0)
		skip_b++;
	size_t len = a->n_len - skip_a;
	return len && len == b->n_len - skip_b && memcmp(a->n + skip_a, b->n + skip_b, len) == 0;
}

// Public key objects of that CKA_ID; *more: there are more than room.
static enum cmk_verdict with_same_id(struct p11_session *s, const struct p11_key *key,
	CK_OBJECT_HANDLE *out, size_t room, size_t *count, bool *more, struct kp_outcome *o)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_ID, (uint8_t *)(uintptr_t)key->id, key->id_len}};
	enum cmk_verdict v = p11_objects_find(s, t, 3, out, room, count, o);
	*more = v == CMK_MISCONFIGURED && *count == room;
	return *more ? CMK_GRANTED : v;
}

enum cmk_verdict p11_rsa_public_halves(struct p11_session *s, const struct p11_key *key,
	CK_OBJECT_HANDLE out[P11_RSA_HALVES], size_t *count, struct kp_outcome *o)
{
	struct numbers own = {0};
	size_t found = 0;
	bool more;
	*count = 0;
	enum cmk_verdict v = read_numbers(s, key->handle, &own, o);
	if (v == CMK_GRANTED && own.n_len)
		v = with_same_id(s, key, out, P11_RSA_HALVES, &found, &more, o);
	for (size_t i = 0; v == CMK_GRANTED && i < found; i++) {
		struct numbers other = {0};
		v = read_numbers(s, out[i], &other, o);
		if (v == CMK_GRANTED && same_modulus(&own, &other))
			out[(*count)++] = out[i];
	}
	return v;
}

static enum cmk_verdict get_numbers(
	struct p11_session *s, const struct p11_key *key, struct numbers *out, struct kp_outcome *o)
{
	CK_OBJECT_HANDLE halves[P11_RSA_HALVES];
	size_t count;
	bool more = false;
	enum cmk_verdict v = read_numbers(s, key->handle, out, o);
	if (v != CMK_GRANTED || (out->n_len && out->e_len))
		return v;
	if (out->n_len)
		v = p11_rsa_public_halves(s, key, halves, &count, o);
	else
		v = with_same_id(s, key, halves, 1, &count, &more, o);
	return v == CMK_GRANTED && count && !more ? read_numbers(s, halves[0], out, o) : v;
}

enum cmk_verdict p11_rsa_bits(
	struct p11_session *s, const struct p11_key *key, uint32_t *bits, struct kp_outcome *o)
{
	struct numbers n = {0};
	enum cmk_verdict v = get_numbers(s, key, &n, o);
	size_t skip = 0;
	while (skip < n.n_len && n.n[skip] == 0)
		skip++;
	*bits = 0;
	if (v == CMK_GRANTED && skip < n.n_len)
		*bits = (uint32_t)((n.n_len - skip) * 8) - (uint32_t)__builtin_clz(n.n[skip]) + 24;
	return v;
}

// NULL if OpenSSL will not take the numbers.
static EVP_PKEY *import(const struct numbers *n)
{
	scoped(kp_bn_free) BIGNUM *modulus = BN_bin2bn(n->n, (int)n->n_len, NULL);
	scoped(kp_bn_free) BIGNUM *exponent = BN_bin2bn(n->e, (int)n->e_len, NULL);
	scoped(kp_bld_free) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	if (!modulus || !exponent || !bld ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent))
		return NULL;
	scoped(kp_params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *out = NULL;
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return NULL;
	return out;
}

enum cmk_verdict p11_rsa_encrypt(struct p11_session *s, const struct p11_key *key,
	const char *digest, const uint8_t *plain, size_t plain_len, uint8_t *out, size_t *len,
	struct kp_outcome *o)
{
	struct numbers n = {0};
	char text[P11_KEY_TEXT];
	p11_key_text(key, text);
	enum cmk_verdict v = get_numbers(s, key, &n, o);
	if (v != CMK_GRANTED)
		return v;
	if (!n.n_len || !n.e_len)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: %s: the token tells neither the modulus of the private key nor a "
			"single public key of that id; import its public key with the same id",
			s->where, text);
	scoped(kp_pkey_free) EVP_PKEY *pkey = import(&n);
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx =
		pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
	if (!ctx || EVP_PKEY_encrypt_init(ctx) <= 0 || !kp_set_oaep(ctx, digest) ||
		EVP_PKEY_encrypt(ctx, out, len, plain, plain_len) <= 0)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: %s: OpenSSL cannot encrypt with its modulus and public exponent, or "
			"had no memory",
			s->where, text);
	return CMK_GRANTED;
}
