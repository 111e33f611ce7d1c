// SPDX-License-Identifier: MIT
// base64url; see kp_base64.h.
#include "kp_base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

// All ones if lo <= c <= hi, else 0; without a branch.
static unsigned between(unsigned c, unsigned lo, unsigned hi)
{
	return ((lo - 1u - c) & (c - hi - 1u)) >> 31 ? ~0u : 0u;
}

static char symbol(unsigned v)
{
	unsigned c = (between(v, 0, 25) & (v + 'A')) | (between(v, 26, 51) & (v - 26 + 'a')) |
		     (between(v, 52, 61) & (v - 52 + '0')) | (between(v, 62, 62) & '-') |
		     (between(v, 63, 63) & '_');
	return (char)c;
}

// The value of a symbol, or 64 and more if it is none.
static unsigned value(unsigned char ch)
{
	unsigned c = ch;
	unsigned upper = between(c, 'A', 'Z'), lower = between(c, 'a', 'z');
	unsigned digit = between(c, '0', '9'), dash = between(c, '-', '-'),
		 low = between(c, '_', '_');
	unsigned v = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
		     (dash & 62) | (low & 63);
	return v | (~(upper | lower | digit | dash | low) & 64u);
}

void kp_base64_encode(const void *data, size_t len, char *out)
{
	const uint8_t *p = data;
	unsigned acc = 0, bits = 0;
	for (size_t i = 0; i < len; i++) {
		acc = (acc << 8 | p[i]) & 0xffffu;
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = symbol(acc >> (bits - 6) & 63u);
	}
	if (bits)
		*out++ = symbol(acc << (6 - bits) & 63u);
	*out = '\0';
}

int kp_base64_decode(const char *text, void *out, size_t *len)
{
	uint8_t *p = out;
	size_t chars = strlen(text), n = 0;
	unsigned acc = 0, bits = 0, bad = 0;
	if (chars % 4 == 1)
		return -EBADMSG;
	if (chars / 4 * 3 + (chars % 4) * 3 / 4 > *len)
		return -ENOSPC;
	for (size_t i = 0; i < chars; i++) {
		unsigned v = value((unsigned char)text[i]);
		bad |= v & 64u;
		acc = (acc << 6 | (v & 63u)) & 0xffffu;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			p[n++] = (uint8_t)(acc >> bits);
		}
	}
	*len = n;
	bad |= acc & ((1u << bits) - 1u);
	return bad ? -EBADMSG : 0;
}
