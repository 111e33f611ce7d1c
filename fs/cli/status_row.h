// SPDX-License-Identifier: MIT
// What `status --watch` remembers of each disk from one look to the next.
#ifndef CMK_STATUS_ROW_H
#define CMK_STATUS_ROW_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

// The most urgent first.
enum row_rank { ROW_NO_DAEMON, ROW_STOPPED, ROW_GRACE, ROW_GONE, ROW_ACTIVE, ROW_RANKS };

// A disk; or a mount, when nobody tells of its disks: no daemon answers, or it is gone.
struct status_row {
	enum row_rank rank;
	char *mount;	  // owned; "" if not known
	char name[256];	  // "" of a mount
	char state[48];	  // in words: "GRACE denied"
	char reason[24];  // the key store's
	char version[16]; // of the key: its beginning
	char sentence[768];
	size_t why_at;		 // where in it the key's name is over
	int64_t left_s, grace_s; // ROW_GRACE: until it stops, of how long
	int64_t warned_percent;	 // of the grace, last told to hooks; 0 none
	int64_t gone_s;		 // ROW_GONE: since when, boot time
};

struct status_rows {
	struct status_row *at;
	size_t count;
};

// Rows of these mounts (status objects) in their order. What was there in `before` (may be NULL)
// and is not now gets a row that says so, for a minute. now_s: boot time. 0, -ENOMEM: out is then
// empty.
int status_rows_of(const struct json *mounts, const struct status_rows *before, int64_t now_s,
	struct status_rows *out) must_use;
void status_rows_free(struct status_rows *rows); // for scoped()

// The most urgent first; of two in grace the one that stops first. Else the order stays, as it does
// without memory.
void status_rows_sort(struct status_rows *rows);
// The same disk or mount; NULL if it is not among them.
const struct status_row *status_rows_find(
	const struct status_rows *rows, const struct status_row *like);
// Whether something happened to it: more than that time went by or that the store said the same
// once more.
bool status_row_differs(const struct status_row *a, const struct status_row *b);

#endif
