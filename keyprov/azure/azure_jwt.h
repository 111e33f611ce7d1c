// SPDX-License-Identifier: MIT
// The signed statement by which an application proves that it holds the key of its certificate
// (RFC 7523 section 2.2), as Entra wants it: PS256, with the certificate's SHA-256 thumbprint.
#ifndef CMK_AZURE_JWT_H
#define CMK_AZURE_JWT_H

#include "cred_text.h"

#include <openssl/x509.h>
#include <stdint.h>

#define JWT_LIFETIME 600 // seconds that an assertion is good for

struct jwt_signer {
	EVP_PKEY *key; // RSA
	X509 *leaf;
	const STACK_OF(X509) * chain; // after the leaf, for x5c; NULL: no x5c
};

// Appends HEADER.PAYLOAD.SIGNATURE. audience is the token URL; client_id becomes iss and sub; now
// is Unix seconds. -ENOMEM or -EMSGSIZE with a sentence.
int jwt_assertion(const struct jwt_signer *s, const char *audience, const char *client_id,
	int64_t now, struct cred_text *out, struct kp_err *err) must_use;

#endif
