// SPDX-License-Identifier: MIT
// Bytes as text and integers as bytes.
#ifndef CMK_BYTES_H
#define CMK_BYTES_H

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)

// RFC 4648 section 5, no padding. out has room for BASE64URL_LEN(len) + 1 chars.
void base64url_encode(const void *data, size_t len, char *out);
// Strict: no padding, no white space, no stray bits in the last character. *len is the room on
// entry, the length on return. -EBADMSG, or -ENOSPC if the room is too small.
int base64url_decode(const char *text, void *out, size_t *len) must_use;

// Lower case; out has room for 2 * len + 1 chars.
void hex_encode(const void *data, size_t len, char *out);

// Length (1..4) of the UTF-8 character (RFC 3629) at p, of which len bytes can be seen; 0 when
// there is none.
size_t utf8_sequence(const uint8_t *p, size_t len) must_use;

static inline void store_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void store_le32(uint8_t *p, uint32_t v)
{
	store_le16(p, (uint16_t)v);
	store_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void store_le64(uint8_t *p, uint64_t v)
{
	store_le32(p, (uint32_t)v);
	store_le32(p + 4, (uint32_t)(v >> 32));
}
static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}
static inline uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)load_le16(p) | ((uint32_t)load_le16(p + 2) << 16);
}
static inline uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p) | ((uint64_t)load_le32(p + 4) << 32);
}

#endif
