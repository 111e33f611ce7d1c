// SPDX-License-Identifier: MIT
// One fault: what it is for, what it answers. Private to faults*.c.
#ifndef CMK_EMU_FAULT_H
#define CMK_EMU_FAULT_H

#include "faults.h"

enum fault_kind {
	FAULT_STATUS,
	FAULT_LATENCY,
	FAULT_HANG,
	FAULT_RESET,
	FAULT_TRUNCATE,
	FAULT_HTML,
	FAULT_EMPTY,
	FAULT_OVERSIZE,
	FAULT_DRIP,
	FAULT_WRONG_TYPE,
	FAULT_CAE,
};

struct fault {
	struct fault *next;
	char *name;
	char *operation, *vault, *key, *version, *endpoint; // NULL: any
	enum fault_kind kind;
	int status;
	char *code, *inner, *message; // NULL: as the status has it; inner NULL: none
	int64_t retry_after;	      // seconds; below 0: no such header
	uint32_t delay_ms;
	int64_t count, left;  // strikes asked for, and still to come; below 0: no end
	int64_t after;	      // requests that pass before the first strike
	int64_t lasts, until; // how long in ms, and CLOCK_MONOTONIC's ms of the end; 0: no end
	double probability;
	int64_t seen, struck;
};

// From the arguments of fault.add; the serial number makes a name where there is none. -EINVAL
// with a sentence, -ENOMEM.
int fault_parse(const struct kp_json *args, uint64_t serial, struct fault **out,
	struct kp_err *err) must_use;
void fault_free(struct fault **f);
// fault_show.c: as fault.add was told it, and what came of it.
int fault_json(const struct fault *f, struct kp_json **out) must_use;
const char *fault_kind_name(enum fault_kind kind);
// As faults_apply(); authority may be NULL.
int fault_reply(const struct fault *f, const struct fault_subject *s, const char *authority,
	struct emu_reply *reply) must_use;

#endif
