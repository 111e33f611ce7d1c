// SPDX-License-Identifier: MIT
// What commands make of a key store's answer.
#ifndef CMK_VERDICT_H
#define CMK_VERDICT_H

#include "answer.h"
#include "attr.h"
#include "errmsg.h"

struct binding;
struct cmk_key_info;

// 0 inside the version's dates, else -EKEYEXPIRED with the sentence.
int dates_errno(
	const struct binding *b, const struct cmk_key_info *info, struct errmsg *err) must_use;
const char *verdict_name(int verdict); // enum cmk_verdict: "granted", ...
const char *reason_name(int reason);   // enum cmk_reason: "disabled", ...

#endif
