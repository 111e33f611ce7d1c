// SPDX-License-Identifier: MIT
// Timelines: actions that happen by themselves, each at its moment after the emulator is ready.
#ifndef CMK_EMU_TIMELINE_H
#define CMK_EMU_TIMELINE_H

#include "emu_action.h"

#include <stdint.h>

struct timeline;

struct timeline_host {
	// Whether a step can be carried out as it is written. -EINVAL with a sentence.
	int (*check)(void *ctx, const struct kp_json *args, struct kp_err *err);
	// Carries one out, and tells how it went. args is the step with all its members.
	void (*run)(void *ctx, int64_t at_ms, const char *action, const struct kp_json *args);
	void *ctx;
};
// The file holds a JSON array of steps, or one step a line: {"at":"2s","do":"key.disable",...}.
// The whole of it is looked through first. -EINVAL, -EBADMSG, or the system's word, with a
// sentence that names the step.
int timeline_open(const char *path, const struct timeline_host *host, struct timeline **out,
	struct kp_err *err) must_use;
void timeline_free(struct timeline **t); // also ends its thread

// Carries out what is due now_ms after the start. The time of the next step, or -ENOENT: none is
// left.
int64_t timeline_due(struct timeline *t, int64_t now_ms);
// From now on, in a thread of its own. 0 or -errno.
int timeline_start(struct timeline *t) must_use;

#endif
