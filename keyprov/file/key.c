// SPDX-License-Identifier: MIT
// Wrapping and unwrapping with a key of a bundle; see key.h.
#include "key.h"

#include "kp_base64.h"
#include "kp_openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

enum { N, E, D, P, Q, DP, DQ, QI };
#define MODULUS_MAX 512
#define KW_KEY 32

struct numbers {
	BIGNUM *bn[BUNDLE_PARTS];
};

static void numbers_free(struct numbers *n)
{
	for (size_t i = 0; i < BUNDLE_PARTS; i++)
		BN_clear_free(n->bn[i]);
}

bool key_secure_memory(void)
{
	if (CRYPTO_secure_malloc_initialized())
		return true;
	return CRYPTO_secure_malloc_init(128 * 1024, 64) == 1;
}

static int no_memory(struct kp_err *err)
{
	return kp_fail(err, ENOMEM, "OpenSSL failed or had no memory");
}

// Whether what OpenSSL just failed at was memory; the caller cleared errno before. It does not note
// every shortage in its row of errors, nor does malloc() see one of secure memory.
static bool was_memory(void)
{
	bool found = errno == ENOMEM;
	unsigned long e;
	while ((e = ERR_get_error()) != 0)
		found |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return found;
}

static int broken(struct kp_err *err, const struct bundle_version *v)
{
	return kp_fail(err, EUCLEAN,
		"the numbers of key version %s do not fit together; restore the key bundle from a "
		"copy",
		v->version);
}

// Base64url to numbers, by way of secret memory.
static int get_numbers(const struct bundle *b, const struct bundle_version *v, struct numbers *out,
	struct kp_err *err)
{
	uint8_t *buf = b->host->secret_alloc(b->host, MODULUS_MAX);
	int ret = buf ? 0 : no_memory(err);
	for (size_t i = 0; ret == 0 && i < BUNDLE_PARTS; i++) {
		size_t len = MODULUS_MAX;
		out->bn[i] = BN_secure_new();
		if (kp_base64_decode(v->part[i], buf, &len))
			ret = broken(err, v);
		else if (!out->bn[i] || !BN_bin2bn(buf, (int)len, out->bn[i]))
			ret = no_memory(err);
	}
	b->host->secret_free(b->host, buf);
	return ret;
}

// d e = 1 mod (p - 1), dp = d mod (p - 1), for one of the two primes.
static bool prime_fits(
	const struct numbers *n, const BIGNUM *prime, const BIGNUM *dprime, BN_CTX *ctx)
{
	BN_CTX_start(ctx);
	BIGNUM *p1 = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);
	bool ok = t && BN_is_odd(prime) && BN_sub(p1, prime, BN_value_one()) && !BN_is_zero(p1) &&
		  BN_mod(t, n->bn[D], p1, ctx) && BN_cmp(t, dprime) == 0 &&
		  BN_mod_mul(t, n->bn[D], n->bn[E], p1, ctx) && BN_is_one(t);
	BN_CTX_end(ctx);
	return ok;
}

// The import takes any numbers, and a wrong one would look like a wrong blob.
static bool numbers_fit(const struct numbers *n)
{
	scoped(kp_bnctx_free) BN_CTX *ctx = BN_CTX_secure_new();
	if (!ctx)
		return false;
	BN_CTX_start(ctx);
	BIGNUM *t = BN_CTX_get(ctx);
	bool ok = t && BN_is_odd(n->bn[E]) && BN_num_bits(n->bn[E]) <= 64 &&
		  BN_mul(t, n->bn[P], n->bn[Q], ctx) && BN_cmp(t, n->bn[N]) == 0 &&
		  prime_fits(n, n->bn[P], n->bn[DP], ctx) &&
		  prime_fits(n, n->bn[Q], n->bn[DQ], ctx) &&
		  BN_mod_mul(t, n->bn[QI], n->bn[Q], n->bn[P], ctx) && BN_is_one(t);
	BN_CTX_end(ctx);
	return ok;
}

static int import(
	const struct bundle *b, const struct bundle_version *v, EVP_PKEY **out, struct kp_err *err)
{
	static const char *const names[BUNDLE_PARTS] = {OSSL_PKEY_PARAM_RSA_N,
		OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	scoped(numbers_free) struct numbers n = {0};
	int ret = get_numbers(b, v, &n, err);
	if (ret)
		return ret;
	errno = 0;
	if (!numbers_fit(&n))
		return was_memory() ? no_memory(err) : broken(err, v);
	scoped(kp_bld_free) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < BUNDLE_PARTS; i++)
		if (!bld || !OSSL_PARAM_BLD_push_BN(bld, names[i], n.bn[i]))
			return no_memory(err);
	scoped(kp_params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return no_memory(err);
	errno = 0;
	if (EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, params) <= 0)
		return was_memory() ? no_memory(err) : broken(err, v);
	return 0;
}

static int bad_blob(struct kp_err *err, const struct bundle_version *v)
{
	return kp_fail(err, EBADMSG,
		"the wrapped secret was not made by key version %s, or is damaged", v->version);
}

static int rsa_unwrap(const struct bundle *b, const struct bundle_version *v, const char *digest,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *out, size_t *len, struct kp_err *err)
{
	if (wrapped_len != v->bits / 8)
		return kp_fail(err, EBADMSG,
			"the wrapped secret has %zu bytes where a key of %u bits makes %u",
			wrapped_len, v->bits, v->bits / 8);
	scoped(kp_pkey_free) EVP_PKEY *key = NULL;
	int ret = import(b, v, &key, err);
	if (ret)
		return ret;
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) <= 0 || !kp_set_oaep(ctx, digest))
		return no_memory(err);
	// OpenSSL wants room for the whole modulus.
	uint8_t *tmp = b->host->secret_alloc(b->host, MODULUS_MAX);
	if (!tmp)
		return no_memory(err);
	size_t got = MODULUS_MAX;
	errno = 0;
	if (EVP_PKEY_decrypt(ctx, tmp, &got, wrapped, wrapped_len) <= 0) {
		ret = was_memory() ? no_memory(err) : bad_blob(err, v);
	} else if (got > *len) {
		ret = bad_blob(err, v);
	} else {
		memcpy(out, tmp, got);
		*len = got;
	}
	b->host->secret_free(b->host, tmp);
	return ret;
}

static int rsa_wrap(const struct bundle *b, const struct bundle_version *v, const uint8_t *plain,
	size_t plain_len, struct cmk_wrapped *out, struct kp_err *err)
{
	scoped(kp_pkey_free) EVP_PKEY *key = NULL;
	if (plain_len == 0 || plain_len > v->bits / 8 - 66)
		return kp_fail(
			err, EINVAL, "a key of %u bits cannot wrap %zu bytes", v->bits, plain_len);
	int ret = import(b, v, &key, err);
	if (ret)
		return ret;
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	out->len = sizeof(out->data);
	if (!ctx || EVP_PKEY_encrypt_init(ctx) <= 0 || !kp_set_oaep(ctx, "SHA256") ||
		EVP_PKEY_encrypt(ctx, out->data, &out->len, plain, plain_len) <= 0)
		return no_memory(err);
	return 0;
}

// RFC 3394. in and out may not overlap; out has room for in_len + 8 bytes.
static int kw(const struct bundle *b, const struct bundle_version *v, bool wrap, const uint8_t *in,
	size_t in_len, uint8_t *out, size_t *out_len, struct kp_err *err)
{
	scoped(kp_cctx_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t key_len = KW_KEY;
	uint8_t *key = ctx ? b->host->secret_alloc(b->host, KW_KEY) : NULL;
	if (!key)
		return no_memory(err);
	int ret = 0, n = 0;
	errno = 0;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (kp_base64_decode(v->part[0], key, &key_len) || key_len != KW_KEY)
		ret = broken(err, v);
	else if (EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, key, NULL, wrap) <= 0)
		ret = no_memory(err);
	else if (EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) <= 0 || n <= 0)
		ret = wrap || was_memory() ? no_memory(err) : bad_blob(err, v);
	b->host->secret_free(b->host, key);
	*out_len = (size_t)n;
	return ret;
}

static int oct_unwrap(const struct bundle *b, const struct bundle_version *v,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *out, size_t *len, struct kp_err *err)
{
	if (wrapped_len < 24 || wrapped_len % 8 || wrapped_len - 8 > *len)
		return kp_fail(err, EBADMSG,
			"the wrapped secret has %zu bytes, which AES key wrap "
			"does not make of a secret that fits here",
			wrapped_len);
	uint8_t *tmp = b->host->secret_alloc(b->host, wrapped_len);
	if (!tmp)
		return no_memory(err);
	size_t got = 0;
	int ret = kw(b, v, false, wrapped, wrapped_len, tmp, &got, err);
	if (ret == 0 && got == wrapped_len - 8) {
		memcpy(out, tmp, got);
		*len = got;
	} else if (ret == 0) {
		ret = bad_blob(err, v);
	}
	b->host->secret_free(b->host, tmp);
	return ret;
}

int key_unwrap(const struct bundle *b, const struct bundle_version *v, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *out, size_t *len, struct kp_err *err)
{
	if (b->kty == BUNDLE_RSA && strcmp(alg, "RSA-OAEP-256") == 0)
		return rsa_unwrap(b, v, "SHA256", wrapped, wrapped_len, out, len, err);
	if (b->kty == BUNDLE_RSA && strcmp(alg, "RSA-OAEP") == 0)
		return rsa_unwrap(b, v, "SHA1", wrapped, wrapped_len, out, len, err);
	if (b->kty == BUNDLE_OCT && strcmp(alg, "A256KW") == 0)
		return oct_unwrap(b, v, wrapped, wrapped_len, out, len, err);
	return kp_fail(err, EBADMSG, "a key of type %s does not unwrap with %.32s, only with %s",
		bundle_kty_name(b->kty), alg,
		b->kty == BUNDLE_RSA ? "RSA-OAEP-256 or RSA-OAEP" : "A256KW");
}

int key_wrap(const struct bundle *b, const struct bundle_version *v, const uint8_t *plain,
	size_t plain_len, struct cmk_wrapped *out, struct kp_err *err)
{
	int ret;
	if (b->kty == BUNDLE_RSA)
		ret = rsa_wrap(b, v, plain, plain_len, out, err);
	else if (plain_len < 16 || plain_len % 8 || plain_len > sizeof(out->data) - 8)
		ret = kp_fail(err, EINVAL,
			"AES key wrap takes a multiple of 8 bytes from 16 on, not %zu", plain_len);
	else
		ret = kw(b, v, true, plain, plain_len, out->data, &out->len, err);
	if (ret)
		return ret;
	memcpy(out->version, v->version, sizeof(v->version));
	memcpy(out->alg, b->kty == BUNDLE_RSA ? "RSA-OAEP-256" : "A256KW",
		b->kty == BUNDLE_RSA ? sizeof("RSA-OAEP-256") : sizeof("A256KW"));
	return 0;
}
