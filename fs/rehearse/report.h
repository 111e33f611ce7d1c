// SPDX-License-Identifier: MIT
// What the forms of a rehearsal's report have in common: numbers and times as people read them.
#ifndef CMK_REPORT_H
#define CMK_REPORT_H

#include "attr.h"
#include "rehearsal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_NUMBER 32 // room for each of these numbers

// "12,345".
void report_count(uint64_t n, char out[REPORT_NUMBER]);
// A moment or a length: "4.021" seconds below a minute, else "1:04.021" or "1:00:04.021".
void report_clock(uint64_t us, char out[REPORT_NUMBER]);
// The same with its unit, for what is promised and measured: "850 us", "12.3 ms", "4.02 s",
// "1 min 04.02 s", "59 min 59.98 s", since hundredths are what an hour's stop is judged by. "-"
// below 0.
void report_span(int64_t us, char out[REPORT_NUMBER]);
// The same for what merely took long: "1 min 04 s", "1 h 00 min 04 s".
void report_took(uint64_t us, char out[REPORT_NUMBER]);
// "2026-11-22 14:03:05 UTC".
void report_wall(int64_t unix_us, char out[REPORT_NUMBER]);
// "2026-11-22T14:03:05.123456Z".
void report_rfc3339(int64_t unix_us, char out[REPORT_NUMBER]);
// "HELD", "BROKEN", "NOT SHOWN".
const char *report_verdict(enum outcome o);
// The whole in a sentence: "All promises held in 3 scenarios."
void report_summary(const struct rehearsal *r, char *out, size_t room);
// "I/O stops 10 s after a refusal, 20 s without an answer; the key is checked every 1 s".
void report_policy(const struct policy_played *p, char *out, size_t room);
// What a mark is called in a picture: "first EIO"; or "first failure", if its text names
// another errno.
const char *report_mark_label(const struct mark *m);
// From when a mark's "since the act" counts: the last act (done or undone) at or before it; where a
// person was asked and did not say when it was done, the first check that noticed it. NULL: neither
// has come yet.
const struct mark *report_act_before(const struct played *p, const struct mark *m);
// What to say of "since the act" where it counts from a check; NULL if it always counts from an
// act.
const char *report_act_note(const struct played *p);
// "12.345" from the mark's act to it, as the printed times have it; "" for the act itself, and
// without one.
void report_since_act(const struct played *p, const struct mark *m, char out[REPORT_NUMBER]);
// Whether a blank within text stands between a number and its unit, where no line may end.
bool report_bound(const char *text, const char *blank);
// What was promised or measured, or "-": an empty cell looks like a mistake.
const char *report_said(const char *text);
// A copy without control characters or broken UTF-8, for a terminal; cut to the room.
const char *report_clean(const char *text, char *out, size_t room);

#endif
