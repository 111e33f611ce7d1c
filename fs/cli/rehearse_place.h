// SPDX-License-Identifier: MIT
// The private directory of a rehearsal; only rehearse*.c include it.
#ifndef CMK_REHEARSE_PLACE_H
#define CMK_REHEARSE_PLACE_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stdint.h>

struct rehearse_place {
	char dir[160];
	int lock; // held as long as its process lives
};
#define REHEARSE_PLACE_NONE           \
	{                             \
		.dir = "", .lock = -1 \
	}

// Whether a disk can be mounted here, and parent has room for `bytes`, before the first scenario
// fails for it. -errno with a sentence.
int rehearse_place_fits(const char *parent, uint64_t bytes, struct errmsg *err) must_use;
// Makes one below parent.
int rehearse_place_make(
	const char *parent, struct rehearse_place *out, struct errmsg *err) must_use;
// Removes it, unless keep. -errno with a sentence if something stays.
int rehearse_place_remove(struct rehearse_place *p, bool keep, struct errmsg *err);
// Says on standard error which directories were left below parent by rehearsals that were killed.
void rehearse_place_name_left(const char *parent);

#endif
