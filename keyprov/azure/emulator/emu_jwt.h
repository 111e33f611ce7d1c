// SPDX-License-Identifier: MIT
// JSON Web Tokens (RFC 7519) in compact form, and the keys they are signed with.
#ifndef CMK_EMU_JWT_H
#define CMK_EMU_JWT_H

#include "kp_json.h"
#include "kp_scope.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#define JWT_MAX 32768 // chars of a token
#define JWT_SIGNATURE_MAX 1024

// A token taken apart. Nothing in it is proven before jwt_verify().
struct jwt {
	char *text; // the token; the first `signed_len` chars are what is signed
	size_t signed_len;
	char *header_text, *claims_text; // what the trees point into
	struct kp_json *header, *claims; // objects
	uint8_t signature[JWT_SIGNATURE_MAX];
	size_t signature_len;
};
// -EBADMSG, -ENOMEM. On failure there is nothing to release.
int jwt_parse(const char *text, struct jwt *out) must_use;
void jwt_end(struct jwt *t); // also of a zeroed one; for scoped()
// By the header's alg, RS256 or PS256, with an RSA key. -EBADMSG, -ENOMEM.
int jwt_verify(const struct jwt *t, EVP_PKEY *key) must_use;
// RS256. The caller frees *out. -ENOMEM.
int jwt_sign(EVP_PKEY *key, const struct kp_json *header, const struct kp_json *claims,
	char **out) must_use;

void jwt_key_free(EVP_PKEY **key); // for scoped()
// The public key in a text: PEM (a public key or a certificate), a JWK, or a JWK set, of which
// the one with this kid is taken, or the only one. RSA only. -EINVAL, -ENOENT (no such kid).
int jwt_key_parse(const char *text, const char *kid, EVP_PKEY **out) must_use;
// The public half as a JWK for a key set, with kid. -ENOMEM.
int jwt_key_print(EVP_PKEY *key, const char *kid, struct kp_json **out) must_use;
// base64url of the SHA-256 of the public key (SubjectPublicKeyInfo): a name for it. -ENOMEM.
int jwt_key_name(EVP_PKEY *key, char out[44]) must_use;

#endif
