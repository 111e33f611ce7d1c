// SPDX-License-Identifier: MIT
// Telling a person how a rehearsal gets on, on standard error; only rehearse*.c include it.
#ifndef CMK_REHEARSE_PROGRESS_H
#define CMK_REHEARSE_PROGRESS_H

#include "play.h"

#include <stdbool.h>
#include <stddef.h>

struct rehearse_progress {
	bool terminal;
	bool shown;	  // a line stands there that the next one takes the place of
	size_t at, count; // scenario 1 of 3
	uint64_t told_us; // when it was last refreshed
};

void rehearse_progress_new(struct rehearse_progress *p, size_t count);
void rehearse_progress_begin(struct rehearse_progress *p, const struct scenario *s);
void rehearse_progress_end(struct rehearse_progress *p, const struct played *r);
// For struct player; ctx is a struct rehearse_progress.
void rehearse_progress_tell(void *ctx, const struct progress *now);
void rehearse_progress_left(void *ctx, const char *sentence);
// Takes a line that stands there away, so that something else can be printed.
void rehearse_progress_clear(struct rehearse_progress *p);

#endif
