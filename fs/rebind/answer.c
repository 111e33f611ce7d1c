// SPDX-License-Identifier: MIT
// Verdicts as errno.
#include "answer.h"
#include "agent.h"

#include <errno.h>

static int verdict_errnum(enum cmk_verdict v)
{
	switch (v) {
	case CMK_GRANTED:
		return 0;
	case CMK_DENIED:
		return EKEYREVOKED;
	case CMK_MISCONFIGURED:
		return EDOM;
	case CMK_BAD_BLOB:
		return EBADMSG;
	default:
		return EHOSTUNREACH;
	}
}

int answer_errno(const struct agent_answer *a, struct errmsg *err)
{
	int errnum = verdict_errnum(a->verdict);
	if (!errnum)
		return 0;
	return errmsg_set(
		err, errnum, "%s", *a->sentence ? a->sentence : "The key store gave no reason");
}
