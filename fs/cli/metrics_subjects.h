// SPDX-License-Identifier: MIT
// What metrics are about: mounts, disks and key versions, each once.
#ifndef CMK_METRICS_SUBJECTS_H
#define CMK_METRICS_SUBJECTS_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>

struct json;

// A mount (disk is NULL) or a disk. Strings and objects are borrowed from the status JSON, but key.
struct subject {
	const struct json *mount, *disk;
	const char *mountpoint, *name; // "" if not known
	char *key;		       // key URL without its version; NULL of a mount; owned
	const char *version;
	bool first_of_version; // the first disk of the mount that depends on it
};

struct subjects {
	struct subject *at;
	size_t count;
};

// A mount that is in the list twice is taken once: two samples of one name would make the whole
// text void. 0, -ENOMEM.
int subjects_of(const struct json *mounts, struct subjects *out) must_use;
void subjects_free(struct subjects *s); // for scoped()

#endif
