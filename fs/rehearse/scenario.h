// SPDX-License-Identifier: MIT
// What can be rehearsed. The course says how it is played and which promises are judged; nothing
// else depends on a scenario's name.
#ifndef CMK_SCENARIO_H
#define CMK_SCENARIO_H

#include "attr.h"
#include "errmsg.h"
#include "stage.h"

#include <stdbool.h>
#include <stddef.h>

enum course {
	COURSE_STOPS, // the key goes, the disk stops in time, the key comes back, so does the disk
	COURSE_FLAPS, // the same, after it went and came back within the grace several times
	COURSE_SURVIVES, // nothing may happen to I/O
	COURSE_ROTATES,	 // a rotation that does not succeed at first; nothing may happen to I/O
};

// Which of the policy's times counts.
enum limit { LIMIT_DENIED, LIMIT_UNREACHABLE };

// How long what survives is kept up.
enum hold {
	HOLD_NONE,
	HOLD_CHECKS, // a few checks
	HOLD_DENIED, // longer than I/O would go on without the key
	HOLD_OUTAGE, // longer than grace-denied, where that is well within grace-unreachable
};

struct scenario {
	const char *name, *title;
	const char *expected; // what the policy promises
	enum course course;
	enum limit limit;
	enum hold hold;
	enum act before; // done, and seen by the mount, before it begins
	enum act act, undo;
	int open_errno;	    // what an open() answers after the stop
	const char *causes; // why the key is not to be had then: as in struct facts
};

const struct scenario *scenario_at(size_t i); // NULL beyond the end
const struct scenario *scenario_named(const char *name);
bool scenario_fits(const struct scenario *s, const struct stage_ops *stage);

struct scenario_list {
	const struct scenario **at; // owned
	size_t count;
};
// "disabled,expired", or "all" that the stage can: one that is not known, or that the stage cannot
// play, is -EINVAL with a sentence.
int scenario_choose(const char *names, const struct stage_ops *stage, struct scenario_list *out,
	struct errmsg *err) must_use;
void scenario_list_free(struct scenario_list *l); // for scoped()

#endif
