// SPDX-License-Identifier: MIT
// Why a vault will not: what the caller is told, as HTTP status, error.code, innererror.code and
// message. Filled in where the cause is known; the one who asked makes a reply or a sentence of it.
#ifndef CMK_EMU_KV_REFUSAL_H
#define CMK_EMU_KV_REFUSAL_H

#include "kp_err.h"
#include "kp_scope.h"

struct kv_refusal {
	int status; // 0: none
	const char *code, *inner;
	char text[1400];
};

// Returns -EPERM, which means: look into the refusal. inner may be NULL.
int kv_refuse(struct kv_refusal *no, int status, const char *code, const char *inner,
	const char *fmt, ...) printf_like(5, 6);
// 400 BadParameter.
int kv_bad(struct kv_refusal *no, const char *fmt, ...) printf_like(2, 3);

#endif
