// SPDX-License-Identifier: MIT
// Sentences for people; see kp_err.h.
#include "kp_err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int kp_fail(struct kp_err *err, int errnum, const char *fmt, ...)
{
	if (err) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -errnum;
}

void kp_err_prefix(struct kp_err *err, const char *prefix)
{
	if (!err)
		return;
	size_t plen = strnlen(prefix, sizeof(err->text) / 2);
	size_t tlen = strlen(err->text);
	size_t room = sizeof(err->text) - plen - 3;
	if (tlen > room)
		tlen = room;
	memmove(err->text + plen + 2, err->text, tlen);
	memcpy(err->text, prefix, plen);
	memcpy(err->text + plen, ": ", 2);
	err->text[plen + 2 + tlen] = '\0';
}
