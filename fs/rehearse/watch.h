// SPDX-License-Identifier: MIT
// What the mount tells while a rehearsal runs: the lines of its audit log as they come, and its
// status when asked.
#ifndef CMK_WATCH_H
#define CMK_WATCH_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;

// One line. Strings are borrowed for the call, "" where the line has none. Format:
// cmkdisk-audit(5).
struct happening {
	const char *event, *operation, *verdict, *cause, *reason, *state, *sentence, *to_version;
	uint64_t at_us; // boot time
	uint64_t took_us;
	uint64_t deadline_us; // boot time; 0 none
	int64_t percent, left_ms;
	int64_t lost; // events before this one that could not be written
};

// The log need not be there yet.
int watch_new(const char *path, struct watch **out, struct errmsg *err) must_use;
void watch_free(struct watch **w); // NULL allowed
// Calls told() for each whole line since the last time.
int watch_read(struct watch *w, void (*told)(void *ctx, const struct happening *h), void *ctx,
	struct errmsg *err) must_use;

// Of the only disk in a mount.
struct disk_seen {
	bool key_present;
	int64_t pid;  // of the daemon; 0 unknown
	int64_t lost; // events that it could not write to its audit log, or not yet
};
int watch_status(const char *mountpoint, struct disk_seen *out, struct errmsg *err) must_use;

#endif
