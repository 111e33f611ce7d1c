// SPDX-License-Identifier: MIT
// What a request came to, in the contract's own words: a verdict with its reason, the sentence for
// people, and what the service said about asking again.
#ifndef CMK_AZURE_OUTCOME_H
#define CMK_AZURE_OUTCOME_H

#include "kp_err.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdint.h>

struct azure_outcome {
	enum cmk_verdict verdict;
	enum cmk_reason reason;	 // CMK_REASON_NONE unless denied
	uint32_t retry_after_ms; // 0 none
	char request_id[64];	 // the service's x-ms-request-id, or ""
	struct kp_err err;	 // the sentence; "" when granted
};

// Fills it in, replacing what was there but for request_id, and returns verdict.
enum cmk_verdict azure_outcome_set(struct azure_outcome *o, enum cmk_verdict verdict,
	enum cmk_reason reason, const char *fmt, ...) printf_like(4, 5);

#endif
