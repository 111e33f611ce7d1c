// SPDX-License-Identifier: MIT
// A key store's verdict as errno and sentence: the one place that maps it for commands.
#ifndef CMK_VERDICT_H
#define CMK_VERDICT_H

#include "attr.h"
#include "errmsg.h"

struct agent_answer;
struct binding;
struct cmk_key_info;

// 0 for granted; -EKEYREVOKED denied, -EHOSTUNREACH unreachable, -EDOM misconfigured, -EBADMSG bad
// blob, with the store's sentence.
int answer_errno(const struct agent_answer *a, struct errmsg *err) must_use;
// 0 inside the version's dates, else -EKEYEXPIRED with the sentence.
int dates_errno(
	const struct binding *b, const struct cmk_key_info *info, struct errmsg *err) must_use;
const char *verdict_name(int verdict); // enum cmk_verdict: "granted", ...
const char *reason_name(int reason);   // enum cmk_reason: "disabled", ...

#endif
