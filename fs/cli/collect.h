// SPDX-License-Identifier: MIT
// The status objects of one mount or of all mounts of the user, as their daemons tell them.
#ifndef CMK_COLLECT_H
#define CMK_COLLECT_H

#include "attr.h"
#include "errmsg.h"

struct json;

// Pushes one object per mount onto list, members as in cmkdisk-status(1). mountpoint NULL: all
// mounts of the user. Each daemon has timeout_ms for its answer. *silent: the -errno of the first
// mount that does not answer, which is in the list, too, with its sentence in err; else 0. A
// mountpoint that is asked for by name and does not answer: its -errno, with a sentence.
int collect_status(const char *mountpoint, unsigned timeout_ms, struct json *list, int *silent,
	struct errmsg *err) must_use;
// The same, but what is asked for by name is put into the list as silent, too, so that 0 and
// *silent tell of it.
int collect_all_told(const char *mountpoint, unsigned timeout_ms, struct json *list, int *silent,
	struct errmsg *err) must_use;

#endif
