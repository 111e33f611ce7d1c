// SPDX-License-Identifier: MIT
// Courses of a rehearsal that never were, for tests of the judge.
#ifndef CMK_JUDGE_RIG_H
#define CMK_JUDGE_RIG_H

#include "judge.h"

#define S 1000000ull
#define MS 1000ull
#define ACTED (100 * S)
#define PROOF (ACTED - 400 * MS)
#define GRACE (10 * S)
#define DEADLINE (PROOF + GRACE)
#define RESTORED (DEADLINE + 3 * S)

// A disabled key, and everything as promised: 10 s of grace, a check each second.
struct facts kept(void);
// An outage that is over in time.
struct facts survived(void);
// A rotation that fails at first, and then comes.
struct facts rotated(void);

void forget(struct played *p); // for scoped()
// Judges, as after a comparison of all bytes.
void judged(const struct facts *f, struct played *p);
const struct promise *promise_of(const struct played *p, const char *id);
// Every promise holds but this one (NULL: all do), which is broken or not shown.
void expect_only(const struct facts *f, const char *id, enum outcome outcome);
#define broken(f, id) expect_only(f, id, OUTCOME_BROKEN)

#endif
