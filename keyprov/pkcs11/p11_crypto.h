// SPDX-License-Identifier: MIT
// Wrapping and unwrapping. Algorithms, by the names that a binding stores:
//   RSA-OAEP-256          RSA-OAEP with SHA-256, also in MGF1 (RFC 7518 section 4.3)
//   RSA-OAEP              RSA-OAEP with SHA-1, also in MGF1
//   A256KW                AES key wrap (RFC 3394), CKM_AES_KEY_WRAP
//   CKM_AES_KEY_WRAP_KWP  AES key wrap with padding (RFC 5649), the mechanism of that name
//   CKM_AES_KEY_WRAP_PAD  what the mechanism of that name does; RFC 5649 with the tokens known
// Unwrapping always happens in the token. Wrapping with an RSA key uses the modulus that the
// private key object itself tells and happens here; it counts only when the token has unwrapped it.
#ifndef CMK_P11_CRYPTO_H
#define CMK_P11_CRYPTO_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_key.h"

bool p11_is_algorithm(const char *alg);
// Whether a key of that type does it.
bool p11_algorithm_fits(const char *alg, const struct p11_key *key);

// plain: locked memory of CMK_PLAIN_MAX bytes; *len_out its true length. CMK_BAD_BLOB: the token
// says that these bytes are not its work, or that they are longer than a disk's secret. Many tokens
// have only CKR_GENERAL_ERROR or the like for that: it counts if the token unwraps something made
// for this key just then, and says the same to these bytes again.
// CMK_DENIED (not permitted): neither CKA_DECRYPT nor CKA_UNWRAP. C_Decrypt where CKA_DECRYPT
// permits it, else C_UnwrapKey into a session object that is read and destroyed. What the token
// does not tell of the two is tried, and its own answer counts.
enum cmk_verdict p11_unwrap(const struct p11_context *c, struct p11_session *s,
	const struct p11_key *key, const char *alg, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *plain, size_t *len_out, struct kp_outcome *o) must_use;

// Tries the algorithms that fit the key, best first (only config->alg if it is set), until one
// makes the round trip. out->version is the key's.
enum cmk_verdict p11_wrap(const struct p11_context *c, struct p11_session *s,
	const struct p11_key *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out,
	struct kp_outcome *o) must_use;

#endif
