// SPDX-License-Identifier: MIT
// When to ask about a key next. Pure: time comes in as arguments.
#ifndef CMK_SCHEDULE_H
#define CMK_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
	uint64_t interval_ns;
	uint64_t random;      // state of the jitter
	uint64_t due_ns;      // boot time of the next question
	uint64_t news_ns;     // when news last led to a question; 0 never
	unsigned bad_answers; // in a row
};

// The first question is due one jittered interval from now.
void schedule_init(struct schedule *s, uint64_t interval_ms, uint64_t seed, uint64_t now_ns);

// After an answer: a good one brings the next question after the interval (+-10 %); others after
// a back-off of min(1 s, interval / 8), doubling up to the interval, and not before retry_after_ms
// (as far as the interval goes).
void schedule_answered(struct schedule *s, bool good, uint32_t retry_after_ms, uint64_t now_ns);

// The key may have changed: ask at once, but for this reason at most five times a second.
void schedule_news(struct schedule *s, uint64_t now_ns);

#endif
