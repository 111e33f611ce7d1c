// SPDX-License-Identifier: MIT
// A backing file in the making: it has its name only when it is done, also if we are killed.
#ifndef CMK_NEWFILE_H
#define CMK_NEWFILE_H

#include "attr.h"
#include "errmsg.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct newfile {
	int fd;			  // -1 none, or a block device
	const char *path;	  // its final name; borrowed
	char at[PATH_MAX];	  // where it is to be written meanwhile
	char temporary[PATH_MAX]; // a name that it has meanwhile, or ""
};

struct newfile_want {
	const char *path;
	uint64_t bytes, header; // the latter of the former
	bool preallocate, force;
};

// Refuses what must not be overwritten, before anything is asked or made: an existing file
// (-EEXIST), a block device without force.
int newfile_check(const char *path, bool force, struct errmsg *err) must_use;
// Makes the file (0600), sparse beyond the header unless it is to be preallocated; or takes the
// block device, which must be large enough and not in use, and clears the header's place on it.
int newfile_make(const struct newfile_want *want, struct newfile *out, struct errmsg *err) must_use;
// Puts the file on stable storage and gives it its name. -EEXIST if that is taken by now.
int newfile_keep(struct newfile *f, struct errmsg *err) must_use;
void newfile_discard(struct newfile *f); // for scoped(); what was kept stays

#endif
