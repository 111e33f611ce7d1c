// SPDX-License-Identifier: MIT
// A strict reader of JSON's grammar, which makes nothing. cJSON is lenient (control characters,
// "01", text after a number) and has read past the end of malformed input in several releases, so
// it only ever sees what passed here.
#include "json.h"

#include "bytes.h"

#include <errno.h>
#include <string.h>

#define DEPTH_MAX 64
// cJSON copies a number into 64 bytes and cuts it silently.
#define NUMBER_MAX 60

struct cursor {
	const char *p, *end;
};

static int peek(const struct cursor *c)
{
	return c->p < c->end ? (unsigned char)*c->p : -1;
}

static bool take(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool word(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool digits(struct cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

static bool number(struct cursor *c)
{
	const char *start = c->p;

	(void)take(c, '-');
	if (!take(c, '0') && !digits(c))
		return false;
	if (take(c, '.') && !digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			(void)take(c, '-');
		if (!digits(c))
			return false;
	}
	return c->p - start <= NUMBER_MAX;
}

static bool hex4(struct cursor *c, unsigned *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++) {
		int ch = peek(c);
		if (ch >= '0' && ch <= '9')
			*value = *value * 16 + (unsigned)(ch - '0');
		else if ((ch | 32) >= 'a' && (ch | 32) <= 'f')
			*value = *value * 16 + (unsigned)((ch | 32) - 'a' + 10);
		else
			return false;
		c->p++;
	}
	return true;
}

// After the backslash. U+0000 would end a C string early: what is shown and what is meant would
// differ.
static bool escape(struct cursor *c)
{
	unsigned high, low;
	int ch = peek(c);

	if (ch < 0)
		return false;
	c->p++;
	if (ch != 'u')
		return ch && strchr("\"\\/bfnrt", ch);
	if (!hex4(c, &high) || high == 0)
		return false;
	if (high < 0xd800 || high > 0xdfff)
		return true;
	return high < 0xdc00 && word(c, "\\u") && hex4(c, &low) && low >= 0xdc00 && low <= 0xdfff;
}

static bool string(struct cursor *c)
{
	if (!take(c, '"'))
		return false;
	while (!take(c, '"')) {
		size_t n = utf8_sequence((const uint8_t *)c->p, (size_t)(c->end - c->p));
		if (!n || (unsigned char)*c->p < 0x20)
			return false;
		bool escaped = *c->p == '\\';
		c->p += n;
		if (escaped && !escape(c))
			return false;
	}
	return true;
}

static bool value(struct cursor *c, int depth);

static bool list(struct cursor *c, int depth, char close, bool named)
{
	if (depth == DEPTH_MAX)
		return false;
	skip_space(c);
	if (take(c, close))
		return true;
	do {
		skip_space(c);
		if (named && !string(c))
			return false;
		skip_space(c);
		if (named && !take(c, ':'))
			return false;
		if (!value(c, depth + 1))
			return false;
		skip_space(c);
	} while (take(c, ','));
	return take(c, close);
}

static bool value(struct cursor *c, int depth)
{
	skip_space(c);
	switch (peek(c)) {
	case '{':
		c->p++;
		return list(c, depth, '}', true);
	case '[':
		c->p++;
		return list(c, depth, ']', false);
	case '"':
		return string(c);
	case 't':
		return word(c, "true");
	case 'f':
		return word(c, "false");
	case 'n':
		return word(c, "null");
	default:
		return number(c);
	}
}

int json_check(const char *text, size_t len)
{
	struct cursor c = {text, text + len};

	if (!value(&c, 0))
		return -EBADMSG;
	skip_space(&c);
	return c.p == c.end ? 0 : -EBADMSG;
}
