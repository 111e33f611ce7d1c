// SPDX-License-Identifier: MIT
// Formats the sentence and makes it fit for a terminal and a log: whatever came from a file name,
// a header or a key store may not steer either.
#include "errmsg.h"

#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// U+0080..U+009F are the eight-bit twins of the escape sequences; U+202A..U+202E and
// U+2066..U+2069 turn the direction of the text and can make one name look like another.
static bool steers_terminal(const uint8_t *p, size_t n)
{
	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (n == 3 && p[0] == 0xe2)
		return (p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
		       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
	return false;
}

void text_sanitise(char *s)
{
	const uint8_t *in = (const uint8_t *)s;
	size_t left = strlen(s);
	char *out = s;

	while (left) {
		size_t n = utf8_sequence(in, left);
		size_t used = n ? n : 1;

		if (n && !steers_terminal(in, n)) {
			memmove(out, in, n);
			out += n;
		} else {
			*out++ = '?';
		}
		in += used;
		left -= used;
	}
	*out = '\0';
}

// A cut through the middle of a character would leave '?' at the end.
static void drop_partial_character(char *s)
{
	size_t len = strlen(s);
	size_t back = 1;

	while (back < 4 && back < len && ((uint8_t)s[len - back] & 0xc0) == 0x80)
		back++;
	if (len && !utf8_sequence((const uint8_t *)s + len - back, back) &&
		(uint8_t)s[len - back] >= 0xc2)
		s[len - back] = '\0';
}

// fmt's arguments may point into err itself, so the text is made elsewhere first.
int errmsg_vset(struct errmsg *err, int errnum, const char *fmt, va_list ap)
{
	struct errmsg made;

	if (!err)
		return -errnum;
	int n = vsnprintf(made.text, sizeof made.text, fmt, ap);
	if (n < 0)
		made.text[0] = '\0';
	else if ((size_t)n >= sizeof made.text)
		drop_partial_character(made.text);
	text_sanitise(made.text);
	*err = made;
	return -errnum;
}

int errmsg_set(struct errmsg *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int rc = errmsg_vset(err, errnum, fmt, ap);
	va_end(ap);
	return rc;
}

void errmsg_prefix(struct errmsg *err, const char *fmt, ...)
{
	struct errmsg prefix;
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	(void)errmsg_vset(&prefix, 0, fmt, ap);
	va_end(ap);
	size_t n = strlen(prefix.text);
	if (strncmp(err->text, prefix.text, n) == 0 && err->text[n] == ':')
		return;
	if (err->text[0])
		(void)errmsg_set(err, 0, "%s: %s", prefix.text, err->text);
	else
		*err = prefix;
}
