// SPDX-License-Identifier: MIT
// What a load runs on: the disk's file itself, or a file of an ext4 filesystem on a loop device
// over it, as a customer's would be.
#ifndef CMK_GROUND_H
#define CMK_GROUND_H

#include "attr.h"
#include "errmsg.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum ground_kind { GROUND_FILE, GROUND_EXT4 };

struct ground {
	enum ground_kind kind;
	char path[PATH_MAX]; // of the load's file
	uint64_t size;	     // that the load may use of it
	char mountpoint[PATH_MAX];
	char device[32]; // "/dev/loop3"; "" none
	int loop; // holds the device, which goes away with it once nothing is mounted; -1 none
	bool mounted;
	char mkfs[64], fsck[64]; // programs
};

// "file", "ext4"; false: neither.
bool ground_kind_named(const char *name, enum ground_kind *out) must_use;
const char *ground_text(enum ground_kind k); // "disk file", "ext4": as in struct rehearsal

// Makes it over the disk's file (bytes long), a mountpoint below dir. ext4 is for root: -EPERM with
// a sentence. After a failure ground_down() is due all the same.
int ground_up(struct ground *g, enum ground_kind k, const char *file, uint64_t bytes,
	const char *dir, struct errmsg *err) must_use;

// After a stop and a resumption, with the load's file let go (load_release): unmounts ext4, looks
// (e2fsck -n), repairs (e2fsck -f -y) and mounts it again. *found: what e2fsck had to say, one
// sentence for the timeline. Nothing to do for a file: *found is "".
struct ground_found {
	char text[200];
	bool repaired; // e2fsck -n found more than what replaying a journal mends
};
int ground_mend(struct ground *g, struct ground_found *found, struct errmsg *err) must_use;

// Unmounts and detaches, by force if need be; also after a ground_up() that failed. Once more is
// harmless. -errno with a sentence that names what is left.
int ground_down(struct ground *g, struct errmsg *err) must_use;

#endif
