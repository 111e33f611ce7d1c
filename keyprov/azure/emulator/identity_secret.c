// SPDX-License-Identifier: MIT
// Client secrets as salted hashes, compared in constant time; see identity_model.h.
#include "identity_model.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

void identity_hash(
	const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[IDENTITY_HASH])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	// Without memory it is zeros, which no stored hash is: a refusal.
	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) <= 0 ||
		EVP_DigestUpdate(md, a, a_len) <= 0 || EVP_DigestUpdate(md, b, b_len) <= 0 ||
		EVP_DigestFinal_ex(md, out, NULL) <= 0)
		memset(out, 0, IDENTITY_HASH);
	EVP_MD_CTX_free(md);
}

bool identity_hash_same(const uint8_t a[IDENTITY_HASH], const uint8_t b[IDENTITY_HASH])
{
	return CRYPTO_memcmp(a, b, IDENTITY_HASH) == 0;
}

int identity_secret_make(const char *text, struct client_secret *out)
{
	*out = (struct client_secret){0};
	while (getrandom(out->salt, sizeof(out->salt), 0) < 0)
		if (errno != EINTR)
			return -errno;
	static const uint8_t none[IDENTITY_HASH];
	size_t len = strlen(text);
	memcpy(out->hint, text, len < 3 ? len : 3);
	identity_hash(out->salt, sizeof(out->salt), text, len, out->hash);
	return identity_hash_same(out->hash, none) ? -ENOMEM : 0;
}

bool identity_secret_is(const struct client_secret *s, const char *text)
{
	uint8_t hash[IDENTITY_HASH];
	identity_hash(s->salt, sizeof(s->salt), text, strlen(text), hash);
	return identity_hash_same(s->hash, hash);
}
