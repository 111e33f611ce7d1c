// SPDX-License-Identifier: MIT
// The forms that promises have; only judge*.c include it.
#ifndef CMK_JUDGE_PROMISE_H
#define CMK_JUDGE_PROMISE_H

#include "attr.h"
#include "judge.h"
#include "rehearsal.h"

#include <stdbool.h>
#include <stdint.h>

// `then` comes least_us to most_us after `from`. Moments are boot time, us; 0: not seen.
struct span_promised {
	const char *id, *what;
	uint64_t least_us, most_us; // UINT64_MAX: there is no most
	uint64_t from, then;
	uint64_t until;	    // so long was watched: what did not come by then is not known
	bool last;	    // `then` is the last of its kind, so far
	bool may_miss;	    // that it never comes is as good
	const char *unseen; // why it is broken if `then` was not seen
};
#define NO_MOST UINT64_MAX

// Each adds one promise; -ENOMEM.
int promise_within(struct played *p, const struct span_promised *s) must_use;
// There is none of something: "request failed".
int promise_none(struct played *p, const char *id, const char *what, uint64_t count,
	const char *thing) must_use;
int promise_not_shown(struct promise *p, const char *why); // 0

// An interval after the last question, give or take a tenth, comes the next one.
uint64_t judge_next_check(const struct facts *f);
// How long no request was answered, at most.
int judge_no_pause(const struct facts *f, struct played *p, uint64_t gap_us) must_use;
// What is promised of the stop itself: judge_stop.c.
int judge_stop(const struct facts *f, struct played *p) must_use;

#endif
