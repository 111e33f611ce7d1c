// SPDX-License-Identifier: MIT
// Making new keys for a bundle; see key.h.
#include "key.h"

#include "kp_base64.h"
#include "kp_openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define MODULUS_MAX 512

static int failed(struct kp_err *err)
{
	return kp_fail(err, ENOMEM, "OpenSSL could not make a key");
}

// One number of the key as base64url at *at, which is moved behind it. raw is scratch.
static int put_number(EVP_PKEY *key, const char *name, size_t width, uint8_t *raw, char **at)
{
	BIGNUM *bn = BN_secure_new();
	int n = bn && EVP_PKEY_get_bn_param(key, name, &bn) ? BN_num_bytes(bn) : -1;
	// RFC 7518 6.3.1: as many bytes as the number has; the private members are padded to their
	// modulus, so that the text does not tell how many leading zeros there are.
	int len = n < 0 ? -1 : (width ? (int)width : n);
	bool ok = len >= n && n >= 0 && BN_bn2binpad(bn, raw, len) == len;
	BN_clear_free(bn);
	if (!ok)
		return -ENOMEM;
	kp_base64_encode(raw, (size_t)len, *at);
	*at += strlen(*at) + 1;
	return 0;
}

static int make_rsa(
	const struct bundle *b, uint32_t bits, struct bundle_version *v, struct kp_err *err)
{
	static const char *const names[BUNDLE_PARTS] = {OSSL_PKEY_PARAM_RSA_N,
		OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	scoped(kp_pkey_free) EVP_PKEY *key = EVP_RSA_gen(bits);
	size_t half = bits / 16, room = BUNDLE_PARTS * (KP_BASE64_LEN(MODULUS_MAX) + 1);
	// One piece: first the base64url texts, behind them the scratch.
	v->own = key ? b->host->secret_alloc(b->host, room + MODULUS_MAX) : NULL;
	if (!v->own)
		return failed(err);
	char *at = v->own;
	for (size_t i = 0; i < BUNDLE_PARTS; i++) {
		v->part[i] = at;
		size_t width = i < 2 ? 0 : (i == 2 ? half * 2 : half);
		if (put_number(key, names[i], width, (uint8_t *)v->own + room, &at))
			return failed(err);
	}
	explicit_bzero(v->own + room, MODULUS_MAX);
	return 0;
}

static int make_oct(const struct bundle *b, struct bundle_version *v, struct kp_err *err)
{
	size_t room = KP_BASE64_LEN(32) + 1;
	v->own = b->host->secret_alloc(b->host, room + 32);
	if (!v->own || RAND_priv_bytes((uint8_t *)v->own + room, 32) != 1)
		return failed(err);
	kp_base64_encode(v->own + room, 32, v->own);
	explicit_bzero(v->own + room, 32);
	v->part[0] = v->own;
	return 0;
}

int key_make(const struct bundle *b, uint32_t bits, struct bundle_version *v, struct kp_err *err)
{
	uint8_t id[BUNDLE_VERSION_LEN / 2];
	if (b->kty == BUNDLE_RSA && bits != 2048 && bits != 3072 && bits != 4096)
		return kp_fail(err, EINVAL, "RSA keys have 2048, 3072 or 4096 bits, not %u", bits);
	if (b->kty == BUNDLE_OCT && bits != 256)
		return kp_fail(err, EINVAL, "oct keys have 256 bits, not %u", bits);
	if (RAND_bytes(id, sizeof(id)) != 1)
		return failed(err);
	for (size_t i = 0; i < sizeof(id); i++)
		(void)snprintf(v->version + 2 * i, 3, "%02x", id[i]);
	v->bits = bits;
	return b->kty == BUNDLE_RSA ? make_rsa(b, bits, v, err) : make_oct(b, v, err);
}
