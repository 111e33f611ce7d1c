// SPDX-License-Identifier: MIT
// Refusals; see kv_refusal.h.
#include "kv_refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int kv_refuse(struct kv_refusal *no, int status, const char *code, const char *inner,
	const char *fmt, ...)
{
	va_list ap;
	no->status = status;
	no->code = code;
	no->inner = inner;
	va_start(ap, fmt);
	(void)vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return -EPERM;
}

int kv_bad(struct kv_refusal *no, const char *fmt, ...)
{
	va_list ap;
	no->status = 400;
	no->code = "BadParameter";
	no->inner = NULL;
	va_start(ap, fmt);
	(void)vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return -EPERM;
}
