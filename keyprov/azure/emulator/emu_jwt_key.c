// SPDX-License-Identifier: MIT
// The keys of tokens: from PEM and JWK, and to JWK; see emu_jwt.h.
#include "emu_jwt.h"

#include "kp_base64.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

#define NUMBER_MAX 1024 // bytes of a modulus

void jwt_key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
	*key = NULL;
	ERR_clear_error();
}

static void bn_free(BIGNUM **p)
{
	BN_free(*p);
}
static void bio_free(BIO **p)
{
	BIO_free(*p);
	ERR_clear_error();
}
static void x509_free(X509 **p)
{
	X509_free(*p);
}
static void ctx_free(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
	ERR_clear_error();
}
static void bld_free(OSSL_PARAM_BLD **p)
{
	OSSL_PARAM_BLD_free(*p);
}
static void params_free(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

static BIGNUM *number(const struct kp_json *jwk, const char *member)
{
	uint8_t buf[NUMBER_MAX];
	size_t len = sizeof(buf);
	const char *text = kp_json_str(jwk, member);
	if (!text || kp_base64_decode(text, buf, &len) || len == 0)
		return NULL;
	return BN_bin2bn(buf, (int)len, NULL);
}

static int from_jwk(const struct kp_json *jwk, EVP_PKEY **out)
{
	const char *kty = kp_json_str(jwk, "kty");
	if (!kty || strcmp(kty, "RSA") != 0)
		return -EINVAL;
	scoped(bn_free) BIGNUM *n = number(jwk, "n");
	scoped(bn_free) BIGNUM *e = number(jwk, "e");
	if (!n || !e)
		return -EINVAL;
	scoped(bld_free) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	if (!bld || !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) ||
		!OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		return -ENOMEM;
	scoped(params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	scoped(ctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return -ENOMEM;
	return EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) > 0 ? 0 : -EINVAL;
}

static int from_set(const struct kp_json *set, const char *kid, EVP_PKEY **out)
{
	const struct kp_json *keys = kp_json_get(set, "keys");
	if (kp_json_count(keys) == 1 && !kp_json_str(kp_json_first(keys), "kid"))
		return from_jwk(kp_json_first(keys), out);
	for (const struct kp_json *k = kp_json_first(keys); k; k = kp_json_next(k)) {
		const char *name = kp_json_str(k, "kid");
		if (!kid ? kp_json_count(keys) == 1 : name && strcmp(name, kid) == 0)
			return from_jwk(k, out);
	}
	return -ENOENT;
}

static int from_pem(const char *text, EVP_PKEY **out)
{
	scoped(bio_free) BIO *bio = BIO_new_mem_buf(text, -1);
	if (!bio)
		return -ENOMEM;
	*out = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	if (!*out) {
		(void)BIO_reset(bio);
		scoped(x509_free) X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		*out = cert ? X509_get_pubkey(cert) : NULL;
	}
	return *out ? 0 : -EINVAL;
}

int jwt_key_parse(const char *text, const char *kid, EVP_PKEY **out)
{
	scoped(jwt_key_free) EVP_PKEY *key = NULL;
	int ret;
	if (text[strspn(text, " \t\r\n")] == '{') {
		autofree char *copy = strdup(text);
		scoped(kp_json_free) struct kp_json *j = NULL;
		ret = copy ? kp_json_parse(copy, strlen(copy), &j) : -ENOMEM;
		if (ret == 0)
			ret = kp_json_is_array(kp_json_get(j, "keys")) ? from_set(j, kid, &key)
								       : from_jwk(j, &key);
		if (ret == -EBADMSG)
			ret = -EINVAL;
	} else {
		ret = from_pem(text, &key);
	}
	if (ret)
		return ret;
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < 2048)
		return -EINVAL;
	*out = TAKE(key);
	return 0;
}

static int add_number(struct kp_json *jwk, const char *member, EVP_PKEY *key, const char *param)
{
	scoped(bn_free) BIGNUM *n = NULL;
	uint8_t buf[NUMBER_MAX];
	char text[KP_BASE64_LEN(sizeof(buf)) + 1];
	if (EVP_PKEY_get_bn_param(key, param, &n) <= 0 || BN_num_bytes(n) > (int)sizeof(buf))
		return -ENOMEM;
	kp_base64_encode(buf, (size_t)BN_bn2bin(n, buf), text);
	return kp_json_add_str(jwk, member, text);
}

int jwt_key_print(EVP_PKEY *key, const char *kid, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	int ret = kp_json_object(&j);
	if (ret)
		return ret;
	if (kp_json_add_str(j, "kty", "RSA") || kp_json_add_str(j, "use", "sig") ||
		kp_json_add_str(j, "alg", "RS256") || kp_json_add_str(j, "kid", kid) ||
		add_number(j, "n", key, OSSL_PKEY_PARAM_RSA_N) ||
		add_number(j, "e", key, OSSL_PKEY_PARAM_RSA_E))
		return -ENOMEM;
	*out = TAKE(j);
	return 0;
}

int jwt_key_name(EVP_PKEY *key, char out[44])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	if (len <= 0)
		return -ENOMEM;
	SHA256(der, (size_t)len, hash);
	OPENSSL_free(der);
	kp_base64_encode(hash, sizeof(hash), out);
	return 0;
}
