// SPDX-License-Identifier: MIT
// When somebody is to be warned of a disk that is about to stop. Pure: time comes in as arguments.
#ifndef CMK_WARNINGS_H
#define CMK_WARNINGS_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WARNINGS_MAX 8
#define BEFORE_STOP_DEFAULT_MS 300000 // at most a tenth of the grace

struct warning_plan {
	struct {
		uint8_t percent;  // of the grace that is over; 0: left_ms counts
		uint64_t left_ms; // before the deadline
	} at[WARNINGS_MAX];
	size_t count;
	uint64_t before_stop_ms; // UINT64_MAX: the default; 0: never
};

// 50, 90 and 99 %, and the default margin.
void warning_plan_default(struct warning_plan *p);
// "50%:90%:10min": percentages of the grace, or times before the deadline, in any order; "off"
// none. -EINVAL with a sentence, *p as before. The margin before the stop stays as it is in *p.
int warning_plan_parse(const char *text, struct warning_plan *p, struct errmsg *err) must_use;

// What a disk in grace has been warned of.
struct warned {
	uint32_t told; // bits of plan->at
	bool before_stop;
};

struct warning {
	bool due, before_stop;
	unsigned percent; // of the grace that is over now, 0 to 99
	size_t which;	  // of plan->at, if !before_stop
};

// The warning that is due at now, and counts as given from here on. Of several marks that were
// passed at once (an outage that becomes a denial) the latest is told, for all of them. Before-stop
// is one of its own: it comes first, and no mark stands for it. The grace runs from the last proof
// to the deadline; a time before the deadline that is longer than the grace is due at its
// beginning. From the deadline on nothing is due: the stop tells itself. A deadline that moves
// later again does not untell. *next_ns: when to ask again (now_ns: another is due), UINT64_MAX if
// nothing is left.
struct warning warning_due(const struct warning_plan *p, struct warned *w, uint64_t last_grant_ns,
	uint64_t deadline_ns, uint64_t now_ns, uint64_t *next_ns);

#endif
