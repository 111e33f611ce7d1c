// SPDX-License-Identifier: MIT
// An RSA private key from its numbers; see cred_key.h.
#include "cred_key.h"

#include "kp_openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

// RSAPrivateKey: version, then these.
#define NUMBERS 8
#define NUMBER_MAX 2048 // bytes

struct numbers {
	BIGNUM *bn[NUMBERS];
};

static void numbers_free(struct numbers *n)
{
	for (size_t i = 0; i < NUMBERS; i++)
		BN_clear_free(n->bn[i]);
}

void cred_pair_free(struct cred_pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->leaf);
	sk_X509_pop_free(p->others, X509_free);
	*p = (struct cred_pair){0};
	ERR_clear_error();
}

// The head of one DER value of this tag; *p is moved to its content.
static bool enter(const unsigned char **p, const unsigned char *end, int tag, size_t *len)
{
	long n = 0;
	int got = 0, class = 0;
	int ret = ASN1_get_object(p, &n, &got, &class, end - *p);
	if ((ret & 0x81) || got != tag || class != V_ASN1_UNIVERSAL || n < 0 || n > end - *p)
		return false;
	*len = (size_t)n;
	return true;
}

static bool read_numbers(const unsigned char *der, size_t der_len, struct numbers *out)
{
	const unsigned char *p = der, *end = der + der_len;
	size_t len;
	if (!enter(&p, end, V_ASN1_SEQUENCE, &len))
		return false;
	end = p + len;
	// Two primes is version 0.
	if (!enter(&p, end, V_ASN1_INTEGER, &len) || len != 1 || *p++ != 0)
		return false;
	for (size_t i = 0; i < NUMBERS; i++) {
		if (!enter(&p, end, V_ASN1_INTEGER, &len) || len == 0 || len > NUMBER_MAX ||
			(*p & 0x80u))
			return false;
		out->bn[i] = BN_secure_new();
		if (!out->bn[i] || !BN_bin2bn(p, (int)len, out->bn[i]))
			return false;
		p += len;
	}
	return p == end;
}

int cred_key_pkcs1(const unsigned char *der, size_t len, EVP_PKEY **out)
{
	static const char *const names[NUMBERS] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	scoped(numbers_free) struct numbers n = {0};
	if (!read_numbers(der, len, &n))
		return -EBADMSG;
	scoped(kp_bld_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < NUMBERS; i++)
		if (!builder || !OSSL_PARAM_BLD_push_BN(builder, names[i], n.bn[i]))
			return -ENOMEM;
	scoped(kp_params_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	scoped(kp_pctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return -ENOMEM;
	return EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, params) <= 0 ? -EBADMSG : 0;
}

int cred_key_pkcs8(const PKCS8_PRIV_KEY_INFO *info, EVP_PKEY **out)
{
	const ASN1_OBJECT *algorithm = NULL;
	const unsigned char *der = NULL;
	int len = 0;
	if (!PKCS8_pkey_get0(&algorithm, &der, &len, NULL, info) || len < 0 ||
		OBJ_obj2nid(algorithm) != NID_rsaEncryption)
		return -EBADMSG;
	return cred_key_pkcs1(der, (size_t)len, out);
}
