// SPDX-License-Identifier: MIT
// Programs that a rehearsal runs to their end, as an operator would.
#ifndef CMK_COMMAND_H
#define CMK_COMMAND_H

#include "attr.h"
#include "errmsg.h"

#include <stdint.h>

// Longer than any of them takes, also on a slow machine.
#define COMMAND_TIMEOUT_MS 60000

// Runs argv[0] (an absolute path) with environment ("NAME=value" lines, NULL-terminated, or NULL)
// beside the short list of child.c. *out, if wanted: its standard output, NUL-terminated, the
// caller's. 0, -ETIMEDOUT if it was killed after timeout_ms, -EIO with what it said last on
// standard error if it failed, or -errno.
int command_run(char *const *argv, char *const *environment, uint32_t timeout_ms, char **out,
	struct errmsg *err) must_use;

#endif
