// SPDX-License-Identifier: MIT
// Lifts long strings out of a JSON text; see kp_json.h for why.
#include "kp_json_lift.h"

#include "kp_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void kp_lifted_free(struct kp_lifted *l)
{
	if (l->text)
		explicit_bzero(l->text, l->len);
	free(l->text);
	free(l->strs);
	*l = (struct kp_lifted){0};
}

// The index of the closing quote of the string that begins at text[start], or 0 if it is not a
// proper string. U+0001 would forge a reference and U+0000 would cut the string short.
static size_t string_end(const char *text, size_t len, size_t start, bool *escaped)
{
	*escaped = false;
	for (size_t i = start + 1; i < len; i++) {
		if (text[i] == '"')
			return i;
		if ((unsigned char)text[i] < 0x20)
			return 0;
		if (text[i] != '\\')
			continue;
		*escaped = true;
		i++;
		if (len - i > 5 && memcmp(&text[i], "u000", 4) == 0 &&
			(text[i + 4] == '0' || text[i + 4] == '1'))
			return 0;
	}
	return 0;
}

static int keep(struct kp_lifted *l, char *s)
{
	// Grows in powers of two: exact when count is one.
	if ((l->count & (l->count - 1)) == 0) {
		size_t room = l->count ? l->count * 2 : 1;
		char **strs = realloc(l->strs, room * sizeof(*strs));
		if (!strs)
			return -ENOMEM;
		l->strs = strs;
	}
	l->strs[l->count++] = s;
	return 0;
}

static int lift_string(char *text, size_t len, size_t *i, struct kp_lifted *l)
{
	bool escaped;
	size_t end = string_end(text, len, *i, &escaped);
	if (end == 0)
		return -EBADMSG;
	size_t chars = end - *i - 1;
	if (escaped || chars < KP_JSON_LIFT) {
		memcpy(l->text + l->len, text + *i, chars + 2);
		l->len += chars + 2;
	} else {
		// Always shorter than what it replaces: KP_JSON_LIFT and two quotes.
		int n = snprintf(l->text + l->len, chars + 2, "\"\\u0001%zu\"", l->count);
		l->len += (size_t)n;
		text[end] = '\0';
		int ret = keep(l, text + *i + 1);
		if (ret)
			return ret;
	}
	*i = end;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int kp_json_lift(char *text, size_t len, struct kp_lifted *out)
{
	scoped(kp_lifted_free) struct kp_lifted l = {.text = malloc(len + 1)};
	int depth = 0;
	if (!l.text)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '"') {
			int ret = lift_string(text, len, &i, &l);
			if (ret)
				return ret;
			continue;
		}
		if ((unsigned char)c < 0x20 && !is_space(c))
			return -EBADMSG;
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (depth > KP_JSON_DEPTH || depth < 0)
			return -EBADMSG;
		l.text[l.len++] = c;
	}
	l.text[l.len] = '\0';
	*out = l;
	l = (struct kp_lifted){0};
	return 0;
}
