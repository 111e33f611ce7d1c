// SPDX-License-Identifier: MIT
// See kp_outcome.h.
#include "kp_outcome.h"

#include <stdarg.h>
#include <stdio.h>

enum cmk_verdict kp_outcome_set(struct kp_outcome *o, enum cmk_verdict verdict,
	enum cmk_reason reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(o->err.text, sizeof(o->err.text), fmt, ap);
	va_end(ap);
	o->verdict = verdict;
	o->reason = verdict == CMK_DENIED ? reason : CMK_REASON_NONE;
	o->retry_after_ms = 0;
	return verdict;
}
