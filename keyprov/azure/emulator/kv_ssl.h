// SPDX-License-Identifier: MIT
// Cleanup of OpenSSL's objects, for scoped().
#ifndef CMK_EMU_KV_SSL_H
#define CMK_EMU_KV_SSL_H

#include "kp_scope.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

static inline void kv_pctx_free(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
	ERR_clear_error();
}
static inline void kv_cctx_free(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
	ERR_clear_error();
}
static inline void kv_bn_free(BIGNUM **p)
{
	BN_clear_free(*p);
}
static inline void kv_bld_free(OSSL_PARAM_BLD **p)
{
	OSSL_PARAM_BLD_free(*p);
}
static inline void kv_params_free(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p);
}

#endif
