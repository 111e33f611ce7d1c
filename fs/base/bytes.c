// SPDX-License-Identifier: MIT
// base64url, hexadecimal and UTF-8, written out so that what they refuse can be seen here.
#include "bytes.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const void *data, size_t len, char *out)
{
	const uint8_t *p = data;
	uint32_t acc = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		acc = (acc << 8) | p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = alphabet[(acc >> (bits - 6)) & 63];
	}
	if (bits)
		*out++ = alphabet[(acc << (6 - bits)) & 63];
	*out = '\0';
}

static int digit64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

int base64url_decode(const char *text, void *out, size_t *len)
{
	uint8_t *p = out;
	size_t chars = strlen(text), room = *len, n = 0;
	uint32_t acc = 0;
	unsigned bits = 0;

	if (chars % 4 == 1)
		return -EBADMSG;
	for (size_t i = 0; i < chars; i++) {
		int d = digit64(text[i]);
		if (d < 0)
			return -EBADMSG;
		acc = (acc << 6) | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			if (n == room)
				return -ENOSPC;
			bits -= 8;
			p[n++] = (uint8_t)(acc >> bits);
		}
	}
	// Two texts for the same bytes would let one value be written in two ways.
	if (acc & ((1u << bits) - 1))
		return -EBADMSG;
	*len = n;
	return 0;
}

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

size_t utf8_sequence(const uint8_t *p, size_t len)
{
	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}
