// SPDX-License-Identifier: MIT
// What a request came to, in the contract's own words: a verdict with its reason, the sentence for
// people, and what the store said about asking again.
#ifndef CMK_KP_OUTCOME_H
#define CMK_KP_OUTCOME_H

#include "kp_err.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdint.h>

struct kp_outcome {
	enum cmk_verdict verdict;
	enum cmk_reason reason;	 // CMK_REASON_NONE unless denied
	uint32_t retry_after_ms; // 0 none
	char request_id[64];	 // the store's own id of the request, or ""
	struct kp_err err;	 // the sentence; "" when granted
};

// Fills it in, replacing what was there but for request_id, and returns verdict.
enum cmk_verdict kp_outcome_set(struct kp_outcome *o, enum cmk_verdict verdict,
	enum cmk_reason reason, const char *fmt, ...) printf_like(4, 5);

#endif
