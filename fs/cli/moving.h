// SPDX-License-Identifier: MIT
// What `rotate` and `rekey` have in common: a disk goes over to another binding, here if nobody has
// it in use, else by its daemon.
#ifndef CMK_MOVING_H
#define CMK_MOVING_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct cli_operands;
struct keyset;
struct mount_records;

struct moving {
	const struct keyset *present; // of a backing file: the key that opens it now; NULL any
	const struct keyset *target;  // NULL: the newest version of the key that opens it now
	bool only;		      // every other binding goes
	bool allow_purgeable;
	const struct mount_records *audit; // of a backing file: where it is recorded
};

// Operands: MOUNTPOINT [DISK] or BACKING. Prints a line per disk; every disk is tried, and the
// first failure is told.
int moving_run(const struct cli *cli, const struct moving *m, const struct cli_operands *operands,
	struct errmsg *err) must_use;

// moving_offline.c: of a backing file that nobody has in use; -EBUSY if somebody has.
int moving_offline(const struct cli *cli, const struct moving *m, const char *backing,
	struct errmsg *err) must_use;
// The line about one disk. from and to: versions.
void moving_tell(
	const char *disk, const char *key_url, const char *from, const char *to, size_t removed);
// And what else opens it after a move to another key.
void moving_tell_other(const char *disk, const char *key_url, const char *version);

#endif
