// SPDX-License-Identifier: MIT
// Cleanup of OpenSSL's objects, for scoped().
#ifndef CMK_KP_OPENSSL_H
#define CMK_KP_OPENSSL_H

#include "kp_scope.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

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

#endif
