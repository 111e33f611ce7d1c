// SPDX-License-Identifier: MIT
// A key store's answer as errno and sentence: the one place that maps it for commands.
#ifndef CMK_ANSWER_H
#define CMK_ANSWER_H

#include "attr.h"
#include "errmsg.h"

struct agent_answer;

// 0 for granted; -EKEYREVOKED denied, -EHOSTUNREACH unreachable, -EDOM misconfigured, -EBADMSG bad
// blob, with the store's sentence.
int answer_errno(const struct agent_answer *a, struct errmsg *err) must_use;

#endif
