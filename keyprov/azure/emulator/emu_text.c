// SPDX-License-Identifier: MIT
// Small texts; see emu_text.h.
#include "emu_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_MAX 64

// Requests of up to 256 bytes are never cut short (getrandom(2)).
static int random_bytes(uint8_t *out, size_t len)
{
	while (getrandom(out, len, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int emu_guid(char out[EMU_GUID])
{
	uint8_t b[16];
	int ret = random_bytes(b, sizeof(b));
	if (ret)
		return ret;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	(void)snprintf(out, EMU_GUID,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return 0;
}

bool emu_is_guid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

int emu_random_hex(char *out, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t b[RANDOM_MAX];
	if (bytes > sizeof(b))
		return -EINVAL;
	int ret = random_bytes(b, bytes);
	for (size_t i = 0; ret == 0 && i < bytes; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[ret ? 0 : 2 * bytes] = '\0';
	explicit_bzero(b, sizeof(b));
	return ret;
}
