// SPDX-License-Identifier: MIT
// Durations in actions, as systemd writes them ("90s", "1h 30min", "31d"), milliseconds included.
#ifndef CMK_EMU_TIME_H
#define CMK_EMU_TIME_H

#include "kp_err.h"
#include "kp_json.h"

#include <stdint.h>

// A number without a unit is seconds; "0" is fine. -EINVAL, also for more than 1000 years.
int emu_duration_ms(const char *text, int64_t *ms) must_use;
// A member of an action: *ms stays as it is if there is none. -EINVAL with a sentence.
int emu_arg_duration(
	const struct kp_json *args, const char *member, int64_t *ms, struct kp_err *err) must_use;
// Milliseconds of CLOCK_MONOTONIC.
int64_t emu_monotonic_ms(void);

#endif
