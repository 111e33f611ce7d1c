// SPDX-License-Identifier: MIT
// One key in the token put to use with one algorithm. Private to the provider; p11_crypto.c judges.
#ifndef CMK_P11_USE_H
#define CMK_P11_USE_H

#include "p11_crypto.h"

#define P11_ROOM 1024 // bytes of a buffer for what a token unwraps: RSA moduli up to 8192 bits

struct p11_algorithm {
	const char *name;
	CK_KEY_TYPE type;
	CK_MECHANISM_TYPE mechanism;
	CK_MECHANISM_TYPE hash; // of OAEP
	CK_RSA_PKCS_MGF_TYPE mgf;
	const char *digest; // the same as OpenSSL names it
};

// Best first.
#define P11_ALGORITHMS 5
extern const struct p11_algorithm p11_algorithms[P11_ALGORITHMS];
const struct p11_algorithm *p11_algorithm_find(const char *name); // NULL if there is none

struct p11_use {
	const struct p11_context *c;
	struct p11_session *s;
	const struct p11_key *key;
	const struct p11_algorithm *alg;
	CK_RV rv; // of the call that failed last, for p11_crypto.c to judge by; CKR_OK: none did
};

// The algorithm's mechanism; oaep is what it may point to and must live as long.
CK_MECHANISM p11_mechanism(const struct p11_algorithm *alg, CK_RSA_PKCS_OAEP_PARAMS *oaep);
// CKF_ENCRYPT, _DECRYPT, _WRAP, _UNWRAP: what the token says that it does with the mechanism; all
// of them if it tells nothing; 0 if it does not have it.
CK_FLAGS p11_mechanism_uses(const struct p11_session *s, CK_MECHANISM_TYPE mechanism);

// p11_session_failed() that notes rv and names the key.
enum cmk_verdict p11_use_failed(
	struct p11_use *u, CK_RV rv, const char *call, struct kp_outcome *o) must_use;

// Unwraps in the token into out, secret memory of P11_ROOM bytes. *len is 1 to P11_ROOM when
// granted.
enum cmk_verdict p11_use_unwrap(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *out, size_t *len, struct kp_outcome *o) must_use;
// Wraps: with the public half here (RSA) or in the token (AES). *len is the room on entry.
enum cmk_verdict p11_use_wrap(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o) must_use;

// The AES half of it (p11_aes.c).
enum cmk_verdict p11_aes_wrap(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o) must_use;

#endif
