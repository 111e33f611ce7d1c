// SPDX-License-Identifier: MIT
// Rehearsals that nobody played, so that their report can be looked at in any state.
#ifndef CMK_MADE_REHEARSAL_H
#define CMK_MADE_REHEARSAL_H

#include "rehearsal.h"

// What text from outside may hold at its worst: markup, a terminal's escape, a broken character.
#define MADE_HOSTILE "<script>alert(1)</script>&\"'\x1b[31m\xff"

// Fills *out: "held" (the key is disabled, an outage, both as promised), "broken" (promises broken
// and not shown, hostile texts, a scenario that ended early, many marks), "hour" (the product's
// defaults at one slice a second), "by-hand" (nobody said when the key was disabled). False: no
// such rehearsal, or no memory. rehearsal_free() after it.
bool made_rehearsal(const char *name, struct rehearsal *out) must_use;
// The same as it is printed; the caller frees it. NULL: no such rehearsal, or no memory.
char *made_printed(const char *name, int (*form)(const struct rehearsal *r, FILE *f)) must_use;

#endif
