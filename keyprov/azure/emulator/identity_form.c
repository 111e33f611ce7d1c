// SPDX-License-Identifier: MIT
// Forms; see identity_form.h.
#include "identity_form.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EBADMSG;
}

static int decode(char *text)
{
	char *out = text;
	for (const char *p = text; *p; p++) {
		if (*p == '+') {
			*out++ = ' ';
			continue;
		}
		if (*p != '%') {
			*out++ = *p;
			continue;
		}
		int high = nibble(p[1]);
		int low = high < 0 ? high : nibble(p[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EBADMSG;
		*out++ = (char)(high << 4 | low);
		p += 2;
	}
	*out = '\0';
	return 0;
}

static int add(struct form *f, char *pair)
{
	char *value = strchr(pair, '=');
	if (value)
		*value++ = '\0';
	if (f->count == FORM_MEMBERS || decode(pair) || (value && decode(value)))
		return -EBADMSG;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->member[i].name, pair) == 0)
			return -EBADMSG;
	f->member[f->count].name = pair;
	f->member[f->count++].value = value ? value : "";
	return 0;
}

int form_parse(char *body, size_t len, struct form *out)
{
	*out = (struct form){0};
	if (!body || strlen(body) != len)
		return len ? -EBADMSG : 0;
	int ret = 0;
	for (char *p = body; p && ret == 0;) {
		char *pair = strsep(&p, "&");
		ret = *pair ? add(out, pair) : 0;
	}
	return ret;
}

const char *form_get(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->member[i].name, name) == 0)
			return *f->member[i].value ? f->member[i].value : NULL;
	return NULL;
}
