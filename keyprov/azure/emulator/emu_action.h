// SPDX-License-Identifier: MIT
// Actions: one vocabulary for the admin call, the timeline and the command line. An action is a
// JSON object whose member "do" says what ("key.disable", "fault.add", ...); the first word names
// the part that carries it out. cmkdisk-vault(1) lists them all.
#ifndef CMK_EMU_ACTION_H
#define CMK_EMU_ACTION_H

#include "kp_err.h"
#include "kp_json.h"

// verb is what follows the dot. *result (may stay NULL) is an object for the caller, who frees it.
// -EINVAL unknown verb or argument, -ENOENT no such thing, with a sentence. Any thread.
typedef int (*emu_action)(void *part, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err);

#endif
