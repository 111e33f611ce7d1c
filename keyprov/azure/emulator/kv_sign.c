// SPDX-License-Identifier: MIT
// Signatures over digests; see kv_crypto.h.
#include "kv_crypto.h"

#include "kv_ssl.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <string.h>

static const struct sign_alg {
	const char *alg, *digest, *crv; // crv NULL: RSA
	size_t digest_len;
	int padding;
} sign_algs[] = {
	{"RS256", "SHA256", NULL, 32, RSA_PKCS1_PADDING},
	{"RS384", "SHA384", NULL, 48, RSA_PKCS1_PADDING},
	{"RS512", "SHA512", NULL, 64, RSA_PKCS1_PADDING},
	{"PS256", "SHA256", NULL, 32, RSA_PKCS1_PSS_PADDING},
	{"PS384", "SHA384", NULL, 48, RSA_PKCS1_PSS_PADDING},
	{"PS512", "SHA512", NULL, 64, RSA_PKCS1_PSS_PADDING},
	{"ES256", "SHA256", "P-256", 32, 0},
	{"ES384", "SHA384", "P-384", 48, 0},
	{"ES512", "SHA512", "P-521", 64, 0},
	{"ES256K", "SHA256", "P-256K", 32, 0},
};

// ctx set up for alg, for signing or verifying.
static int begin(const struct kv_material *m, const char *alg, const struct kv_bytes *digest,
	bool sign, EVP_PKEY_CTX **ctx, struct kv_refusal *no)
{
	const struct sign_alg *a = NULL;
	for (size_t i = 0; i < sizeof(sign_algs) / sizeof(*sign_algs); i++)
		if (strcmp(sign_algs[i].alg, alg) == 0)
			a = &sign_algs[i];
	if (!a || (a->crv ? m->kty != KV_EC || strcmp(a->crv, m->crv) != 0 : m->kty != KV_RSA))
		return kv_bad(no,
			"Key and algorithm are incompatible: a key of type '%s' does not sign with "
			"'%.40s'.\r\n",
			kv_kty_name(m), alg);
	if (digest->len != a->digest_len)
		return kv_bad(no, "A digest for %s has %zu bytes, not %zu.\r\n", alg, a->digest_len,
			digest->len);
	*ctx = EVP_PKEY_CTX_new_from_pkey(NULL, m->pkey, NULL);
	if (!*ctx || (sign ? EVP_PKEY_sign_init(*ctx) : EVP_PKEY_verify_init(*ctx)) <= 0)
		return -ENOMEM;
	if (a->padding && EVP_PKEY_CTX_set_rsa_padding(*ctx, a->padding) <= 0)
		return -ENOMEM;
	if (EVP_PKEY_CTX_set_signature_md(*ctx, EVP_get_digestbyname(a->digest)) <= 0)
		return -ENOMEM;
	if (a->padding == RSA_PKCS1_PSS_PADDING &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(*ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
		return -ENOMEM;
	return 0;
}

static void sig_free(ECDSA_SIG **s)
{
	ECDSA_SIG_free(*s);
}

// RFC 7518 3.4: the two numbers side by side, not in DER.
static int der_to_pair(const uint8_t *der, size_t len, size_t width, struct kv_bytes *out)
{
	scoped(sig_free) ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int ret = s ? kv_bytes_new(2 * width, out) : -ENOMEM;
	if (ret)
		return ret;
	bool ok = BN_bn2binpad(ECDSA_SIG_get0_r(s), out->data, (int)width) == (int)width &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(s), out->data + width, (int)width) == (int)width;
	return ok ? 0 : -EIO;
}

static int pair_to_der(const struct kv_bytes *pair, uint8_t **der, size_t *len)
{
	scoped(sig_free) ECDSA_SIG *s = ECDSA_SIG_new();
	size_t width = pair->len / 2;
	BIGNUM *r = BN_bin2bn(pair->data, (int)width, NULL),
	       *v = BN_bin2bn(pair->data + width, (int)width, NULL);
	if (!s || !r || !v || !ECDSA_SIG_set0(s, r, v)) {
		BN_free(r);
		BN_free(v);
		return -ENOMEM;
	}
	int n = i2d_ECDSA_SIG(s, der);
	*len = (size_t)n;
	return n > 0 ? 0 : -ENOMEM;
}

int kv_sign(const struct kv_material *m, const char *alg, const struct kv_bytes *digest,
	struct kv_bytes *out, struct kv_refusal *no)
{
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = NULL;
	uint8_t raw[640];
	size_t len = sizeof(raw);
	int ret = begin(m, alg, digest, true, &ctx, no);
	if (ret)
		return ret;
	if (EVP_PKEY_sign(ctx, raw, &len, digest->data, digest->len) <= 0)
		return -EIO;
	if (m->kty == KV_EC)
		return der_to_pair(raw, len, (m->bits + 7) / 8, out);
	ret = kv_bytes_new(len, out);
	if (ret == 0)
		memcpy(out->data, raw, len);
	return ret;
}

static void openssl_free(uint8_t **p)
{
	OPENSSL_free(*p);
}

int kv_verify(const struct kv_material *m, const char *alg, const struct kv_bytes *digest,
	const struct kv_bytes *signature, bool *valid, struct kv_refusal *no)
{
	scoped(kv_pctx_free) EVP_PKEY_CTX *ctx = NULL;
	scoped(openssl_free) uint8_t *der = NULL;
	size_t len = 0;
	int ret = begin(m, alg, digest, false, &ctx, no);
	if (ret)
		return ret;
	*valid = false;
	if (m->kty == KV_RSA) {
		*valid = EVP_PKEY_verify(ctx, signature->data, signature->len, digest->data,
				 digest->len) == 1;
		return 0;
	}
	if (signature->len != 2 * (size_t)((m->bits + 7) / 8))
		return 0;
	ret = pair_to_der(signature, &der, &len);
	if (ret == 0)
		*valid = EVP_PKEY_verify(ctx, der, len, digest->data, digest->len) == 1;
	return ret;
}
