// SPDX-License-Identifier: MIT
// HMAC and HKDF over OpenSSL's SHA-256. OpenSSL wipes its own copies of the key when a call ends.
#include "mac.h"

#include "secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define INFO_MAX 255

// These calls fail when memory is short, or when this OpenSSL was built or configured without
// SHA-256. OpenSSL does not note every shortage in its row of errors, but malloc() does in errno,
// which the caller has cleared.
static int openssl_failed(void)
{
	int r = errno == ENOMEM ? -ENOMEM : -EOPNOTSUPP;

	ERR_clear_error();
	return r;
}

static int hmac_raw(const void *key, size_t key_len, const void *data, size_t len, uint8_t *out)
{
	unsigned out_len = MAC_LEN;

	errno = 0;
	if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &out_len))
		return openssl_failed();
	return 0;
}

int hmac_sha256(const struct secret *key, const void *data, size_t len, uint8_t out[MAC_LEN])
{
	return hmac_raw(key->data, key->len, data, len, out);
}

int hkdf_sha256(const struct secret *ikm, const void *salt, size_t salt_len, const char *info,
	struct secret **out)
{
	static const uint8_t no_salt[MAC_LEN];
	struct secret *prk scoped(secret_free) = NULL;
	struct secret *okm scoped(secret_free) = NULL;
	uint8_t block[INFO_MAX + 1];
	size_t info_len = strlen(info);

	if (info_len > INFO_MAX || salt_len > INT32_MAX)
		return -EINVAL;
	int rc = secret_new(MAC_LEN, &prk);
	if (rc == 0)
		rc = secret_new(MAC_LEN, &okm);
	// Extract. An absent salt is a block of zeros by definition.
	if (rc == 0)
		rc = hmac_raw(salt_len ? salt : no_salt, salt_len ? salt_len : sizeof no_salt,
			ikm->data, ikm->len, prk->data);
	// Expand: 32 bytes are the first block, T(1) = HMAC(PRK, info | 0x01).
	memcpy(block, info, info_len);
	block[info_len] = 1;
	if (rc == 0)
		rc = hmac_sha256(prk, block, info_len + 1, okm->data);
	if (rc == 0)
		*out = TAKE(okm);
	return rc;
}

int sha256(const void *data, size_t len, uint8_t out[32])
{
	errno = 0;
	if (!EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL))
		return openssl_failed();
	return 0;
}

int mac_differs(const uint8_t a[MAC_LEN], const uint8_t b[MAC_LEN])
{
	return CRYPTO_memcmp(a, b, MAC_LEN) != 0;
}
