// SPDX-License-Identifier: MIT
// HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), the only hashing that the header's seal
// needs. With fs/cipher the only place in fs/ that includes OpenSSL.
#ifndef CMK_MAC_H
#define CMK_MAC_H

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

#define MAC_LEN 32

struct secret;

// info is a NUL-terminated label, salt may be NULL with length 0. *out is a new 32-byte secret.
int hkdf_sha256(const struct secret *ikm, const void *salt, size_t salt_len, const char *info,
	struct secret **out) must_use;
int hmac_sha256(
	const struct secret *key, const void *data, size_t len, uint8_t out[MAC_LEN]) must_use;
int sha256(const void *data, size_t len, uint8_t out[32]) must_use;
// 0 if equal, in constant time.
int mac_differs(const uint8_t a[MAC_LEN], const uint8_t b[MAC_LEN]) must_use;

#endif
