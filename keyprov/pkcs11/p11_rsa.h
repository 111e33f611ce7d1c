// SPDX-License-Identifier: MIT
// The public half of an RSA key in a token. Private to the provider.
#ifndef CMK_P11_RSA_H
#define CMK_P11_RSA_H

#include "p11_key.h"

#define P11_RSA_MAX 1024 // bytes of a modulus

// The public key objects of the same CKA_ID and the same modulus. None if the private key object
// does not tell its modulus; of very many with that CKA_ID only the first are looked at.
#define P11_RSA_HALVES 512
enum cmk_verdict p11_rsa_public_halves(struct p11_session *s, const struct p11_key *key,
	CK_OBJECT_HANDLE out[P11_RSA_HALVES], size_t *count, struct kp_outcome *o) must_use;

// Bits of the modulus; 0 if the token does not tell it.
enum cmk_verdict p11_rsa_bits(struct p11_session *s, const struct p11_key *key, uint32_t *bits,
	struct kp_outcome *o) must_use;

// RSA-OAEP under the modulus that the private key object tells or, where the token hides it there,
// the only public key object of the same CKA_ID: nothing is proved until the token has unwrapped
// it. digest as OpenSSL names it, also for MGF1. *len is the room on entry.
enum cmk_verdict p11_rsa_encrypt(struct p11_session *s, const struct p11_key *key,
	const char *digest, const uint8_t *plain, size_t plain_len, uint8_t *out, size_t *len,
	struct kp_outcome *o) must_use;

#endif
