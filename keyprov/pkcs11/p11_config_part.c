// SPDX-License-Identifier: MIT
// The small readings that p11_config_read() is made of; see p11_config_read.h.
#include "p11_config_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum cmk_verdict p11_config_refuse(struct kp_outcome *o, const char *fmt, ...)
{
	struct kp_err err;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE, "%s", err.text);
}

enum cmk_verdict p11_config_no_memory(struct kp_outcome *o)
{
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no memory to read what is said about the key");
}

bool p11_part_next(const char **at, char separator, struct p11_part *out)
{
	const char *start = *at, *end = strchr(start, separator);
	size_t len = end ? (size_t)(end - start) : strlen(start);
	const char *equals = memchr(start, '=', len);
	*at = end ? end + 1 : NULL;
	if (!equals || equals == start)
		return false;
	out->name = start;
	out->name_len = (size_t)(equals - start);
	out->value = equals + 1;
	out->value_len = len - out->name_len - 1;
	return true;
}

bool p11_part_is(const struct p11_part *part, const char *name)
{
	return strlen(name) == part->name_len && memcmp(name, part->name, part->name_len) == 0;
}

static int unhex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool p11_decode(const char *text, size_t len, char *out, size_t *out_len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c <= ' ' || c == 0x7f || c == '#')
			return false;
		if (c == '%') {
			bool whole = len - i > 2;
			int hi = whole ? unhex(text[i + 1]) : -1;
			int lo = whole ? unhex(text[i + 2]) : -1;
			if (hi < 0 || lo < 0)
				return false;
			c = (unsigned char)(hi << 4 | lo);
			i += 2;
		}
		out[n++] = (char)c;
	}
	out[n] = '\0';
	*out_len = n;
	return true;
}
