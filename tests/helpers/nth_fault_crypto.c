// SPDX-License-Identifier: MIT
// The calls of OpenSSL that our objects make, each able to fail; see nth_fault.h.
#include "nth_fault_crypto.h"

#include "nth_fault.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define FAULTY(failed, type, name, params, args) \
	type __real_##name params;               \
	type __wrap_##name params;               \
	type __wrap_##name params                \
	{                                        \
		if (fault_strikes(FAULT_CRYPTO)) \
			return failed;           \
		return __real_##name args;       \
	}

// clang-format off
FAULTY(NULL, EVP_CIPHER *, EVP_CIPHER_fetch, (OSSL_LIB_CTX *l, const char *n, const char *p), (l, n, p))
FAULTY(NULL, EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), ())
FAULTY(0, int, EVP_CipherInit_ex2,
	(EVP_CIPHER_CTX *c, const EVP_CIPHER *t, const unsigned char *k, const unsigned char *iv, int e,
		const OSSL_PARAM *p),
	(c, t, k, iv, e, p))
FAULTY(0, int, EVP_CipherInit_ex,
	(EVP_CIPHER_CTX *c, const EVP_CIPHER *t, ENGINE *g, const unsigned char *k, const unsigned char *iv,
		int e),
	(c, t, g, k, iv, e))
FAULTY(0, int, EVP_CipherUpdate,
	(EVP_CIPHER_CTX *c, unsigned char *o, int *ol, const unsigned char *i, int il), (c, o, ol, i, il))
FAULTY(0, int, EVP_Digest,
	(const void *d, size_t n, unsigned char *o, unsigned *ol, const EVP_MD *t, ENGINE *g),
	(d, n, o, ol, t, g))
FAULTY(NULL, unsigned char *, HMAC,
	(const EVP_MD *t, const void *k, int kl, const unsigned char *d, size_t n, unsigned char *o,
		unsigned *ol),
	(t, k, kl, d, n, o, ol))
FAULTY(NULL, EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
	(OSSL_LIB_CTX *l, const char *n, const char *p), (l, n, p))
FAULTY(NULL, EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey,
	(OSSL_LIB_CTX *l, EVP_PKEY *k, const char *p), (l, k, p))
FAULTY(0, int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX *c), (c))
FAULTY(0, int, EVP_PKEY_encrypt_init, (EVP_PKEY_CTX *c), (c))
FAULTY(0, int, EVP_PKEY_decrypt_init, (EVP_PKEY_CTX *c), (c))
FAULTY(0, int, EVP_PKEY_CTX_set_params, (EVP_PKEY_CTX *c, const OSSL_PARAM *p), (c, p))
FAULTY(0, int, EVP_PKEY_encrypt,
	(EVP_PKEY_CTX *c, unsigned char *o, size_t *ol, const unsigned char *i, size_t il),
	(c, o, ol, i, il))
FAULTY(0, int, RAND_bytes, (unsigned char *p, int n), (p, n))
FAULTY(0, int, RAND_priv_bytes, (unsigned char *p, int n), (p, n))
FAULTY(NULL, BIGNUM *, BN_secure_new, (void), ())
// clang-format on

static void *library_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fault_malloc(size);
}

static void *library_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fault_realloc(p, size);
}

static void library_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	fault_free(p);
}

bool fault_into_openssl(void)
{
	return CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) == 1;
}
