// SPDX-License-Identifier: MIT
// A backing file in the making: removed again unless it is kept.
#ifndef CMK_NEWFILE_H
#define CMK_NEWFILE_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stdint.h>

struct newfile {
	int fd;		  // -1 none
	const char *path; // borrowed
	bool created;	  // by us: to be unlinked when discarded
};

// Refuses what must not be overwritten, before anything is asked or made: an existing file
// (-EEXIST), a block device without force.
int newfile_check(const char *path, bool force, struct errmsg *err) must_use;
// Makes the file (0600, O_EXCL) of that many bytes, sparse but for the first `reserve` of them; or
// opens the block device, which must be large enough and not in use.
int newfile_make(const char *path, uint64_t bytes, uint64_t reserve, bool force,
	struct newfile *out, struct errmsg *err) must_use;
// Puts the file and its name on stable storage; discarding does nothing afterwards.
int newfile_keep(struct newfile *f, struct errmsg *err) must_use;
void newfile_discard(struct newfile *f); // for scoped()

#endif
