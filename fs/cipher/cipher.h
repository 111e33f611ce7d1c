// SPDX-License-Identifier: MIT
// AES-256-XTS over whole sectors (IEEE 1619, as dm-crypt's aes-xts-plain64). The tweak of a sector
// is its byte offset in the disk divided by 512, also with 4096-byte sectors, as LUKS2 has it.
#ifndef CMK_CIPHER_H
#define CMK_CIPHER_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;
struct cipher;

#define CIPHER_KEY_LEN 64

// Once per process, before OpenSSL is used for anything: key schedules go into locked, undumpable
// memory. 0; -EBUSY if OpenSSL has allocated already.
int cipher_init_process(void) must_use;
// Whether cipher_init_process() was called and all key memory so far could be locked.
bool cipher_memory_locked(void) must_use;

// Expands the keys. dek: 64 bytes, stays the caller's, may be wiped afterwards. -EINVAL if the two
// halves are equal (a null or broken key), -EPERM without cipher_init_process(), -ENOSYS if this
// OpenSSL has no AES-256-XTS, -ENOMEM. Immutable afterwards: any number of threads may use it.
int cipher_new(const struct secret *dek, uint32_t sector_size, struct cipher **out) must_use;
// Wipes every expanded key. No user may be inside. NULL allowed.
void cipher_free(struct cipher **c);

// off and len are multiples of the sector size (asserted). in == out is allowed. -EIO if OpenSSL
// fails.
int cipher_encrypt(struct cipher *c, uint64_t off, const void *in, void *out, size_t len) must_use;
int cipher_decrypt(struct cipher *c, uint64_t off, const void *in, void *out, size_t len) must_use;

#endif
