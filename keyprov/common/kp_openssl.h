// SPDX-License-Identifier: MIT
// What providers do with OpenSSL alike: cleanup of its objects, for scoped(), and RSA-OAEP.
#ifndef CMK_KP_OPENSSL_H
#define CMK_KP_OPENSSL_H

#include "kp_scope.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdint.h>

// With the key goes what OpenSSL noted of errors while it was used.
static inline void kp_pkey_free(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
	ERR_clear_error();
}
static inline void kp_pctx_free(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
}
// As above.
static inline void kp_cctx_free(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
	ERR_clear_error();
}
static inline void kp_bn_free(BIGNUM **p)
{
	BN_clear_free(*p);
}
static inline void kp_bnctx_free(BN_CTX **p)
{
	BN_CTX_free(*p);
}
static inline void kp_bld_free(OSSL_PARAM_BLD **p)
{
	OSSL_PARAM_BLD_free(*p);
}
static inline void kp_params_free(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

// RFC 8017 section 7.1 with this digest, for MGF1 too, and no label.
static inline bool kp_set_oaep(EVP_PKEY_CTX *ctx, const char *digest)
{
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_PAD_MODE,
			(char *)(uintptr_t)OSSL_PKEY_RSA_PAD_MODE_OAEP, 0),
		OSSL_PARAM_construct_utf8_string(
			OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_construct_utf8_string(
			OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_PKEY_CTX_set_params(ctx, p) > 0;
}

#endif
