// SPDX-License-Identifier: MIT
// What one key of a bundle can do: made, wrap, unwrap. With key_make.c and key.c the only place
// of this provider that includes OpenSSL. No key outlives a call.
#ifndef CMK_FILE_KEY_H
#define CMK_FILE_KEY_H

#include "bundle.h"

// Gives OpenSSL locked memory for the numbers of private keys, once per process. False if it had
// to do without the lock: worth a warning, since a key might then reach the swap space.
bool key_secure_memory(void);

// wrapped -> out, which has room for *len bytes; *len becomes the true length. alg: RSA-OAEP-256
// or RSA-OAEP for RSA keys, A256KW for oct keys.
//   -EBADMSG   these bytes or this alg are not this key's work
//   -EUCLEAN   the key in the bundle is broken: its numbers do not fit together
//   -ENOMEM    no (locked) memory; also any other failure inside OpenSSL
int key_unwrap(const struct bundle *b, const struct bundle_version *v, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *out, size_t *len,
	struct kp_err *err) must_use;

// Fills out, with RSA-OAEP-256 or A256KW. -EINVAL if plain is empty or too long for the key (or
// no multiple of 8 from 16 bytes on, for A256KW); else as key_unwrap().
int key_wrap(const struct bundle *b, const struct bundle_version *v, const uint8_t *plain,
	size_t plain_len, struct cmk_wrapped *out, struct kp_err *err) must_use;

// A new key in v, of 2048, 3072 or 4096 bits (RSA) or 256 (oct), with a random version name. The
// attributes are the caller's to set. -EINVAL for other sizes, -ENOMEM.
int key_make(const struct bundle *b, uint32_t bits, struct bundle_version *v,
	struct kp_err *err) must_use;

#endif
