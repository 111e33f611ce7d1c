// SPDX-License-Identifier: MIT
// On a terminal one line that is refreshed in place; else a line when a scenario begins and ends.
#include "rehearse_progress.h"

#include "clock.h"
#include "print.h"

#include <stdio.h>
#include <unistd.h>

#define REFRESH_US 200000
#define US_PER_S 1000000

void rehearse_progress_new(struct rehearse_progress *p, size_t count)
{
	*p = (struct rehearse_progress){.terminal = isatty(STDERR_FILENO), .count = count};
}

void rehearse_progress_clear(struct rehearse_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

void rehearse_progress_begin(struct rehearse_progress *p, const struct scenario *s)
{
	p->at++;
	p->told_us = 0;
	rehearse_progress_clear(p);
	fprintf(stderr, "%zu/%zu %s: %s\n", p->at, p->count, s->name, s->title);
}

void rehearse_progress_tell(void *ctx, const struct progress *now)
{
	struct rehearse_progress *p = ctx;
	uint64_t us = clock_boot_ns(clock_real()) / 1000;
	char left[32], stops[32];
	if (!p->terminal || us - p->told_us < REFRESH_US)
		return;
	p->told_us = us;
	p->shown = true;
	format_seconds((int64_t)(now->left_us / US_PER_S), left, sizeof(left));
	format_seconds((int64_t)(now->stops_in_us / US_PER_S), stops, sizeof(stops));
	// One countdown: the disk's, where there is one.
	if (now->stops_in_us)
		fprintf(stderr, "\r\033[K%s; the disk stops in %s", now->doing, stops);
	else
		fprintf(stderr, "\r\033[K%s, at most %s more; I/O %s", now->doing, left,
			now->failing ? "fails" : "goes on");
	(void)fflush(stderr);
}

void rehearse_progress_end(struct rehearse_progress *p, const struct played *r)
{
	size_t held = 0;
	rehearse_progress_clear(p);
	for (size_t i = 0; i < r->promise_count; i++)
		held += r->promises[i].outcome == OUTCOME_HELD;
	fprintf(stderr, "%zu/%zu %s: %s, %zu of %zu promises held%s%s\n", p->at, p->count,
		r->scenario, outcome_name(r->outcome), held, r->promise_count,
		r->failure[0] ? "; " : "", r->failure);
}

void rehearse_progress_left(void *ctx, const char *sentence)
{
	rehearse_progress_clear(ctx);
	fprintf(stderr, "cmkdisk: warning: left over: %s\n", sentence);
}
