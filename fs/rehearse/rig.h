// SPDX-License-Identifier: MIT
// The disk of a rehearsal: made, mounted and taken away by the program itself, as an operator
// would.
#ifndef CMK_RIG_H
#define CMK_RIG_H

#include "attr.h"
#include "errmsg.h"
#include "stage.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct rig {
	const struct stage *stage;
	char backing[PATH_MAX], mountpoint[PATH_MAX], audit[PATH_MAX];
	char file[PATH_MAX]; // the disk
	char **environment;  // of the commands; owned, its lines are the stage's but for runtime
	char *runtime;
	bool mounted;
};

// Makes and mounts a disk of `bytes` below dir (private) with the stage's key set and policy.
int rig_up(struct rig *r, const struct stage *s, const char *dir, uint64_t bytes,
	struct errmsg *err) must_use;
// Unmounts, by force if need be, when nothing uses the disk any more. Once more is harmless.
int rig_down(struct rig *r, struct errmsg *err);

// Removes what a rehearsal made: dir with everything below it. Stops at another filesystem.
int rig_remove(const char *dir, struct errmsg *err) must_use;

#endif
