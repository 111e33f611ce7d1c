// SPDX-License-Identifier: MIT
// What the mount's audit log tells becomes marks of the timeline, and facts to be judged. Lines
// come a little later than what they tell of: their own times say to which part of the story they
// belong.
#include "play_internal.h"
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SLOW_TIMES 4 // slower than before
#define SLOW_LEAST_US (50 * US_PER_MS)

void game_mark(struct game *g, enum mark_kind k, uint64_t at_us, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	uint64_t at = at_us > g->base_us ? at_us - g->base_us : 0;
	int rc = played_mark(g->out, k, at, "%s", text);
	g->rc = g->rc ? g->rc : rc;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

enum chapter { BEFORE, AWAY, BACK };

static enum chapter chapter_of(const struct game *g, uint64_t at_us)
{
	if (g->undo_begun_us && at_us >= g->undo_begun_us)
		return BACK;
	return g->act_begun_us && at_us >= g->act_begun_us ? AWAY : BEFORE;
}

static void noticed(struct game *g, const struct happening *h, enum mark_kind k, const char *text)
{
	g->facts.refused_us = h->at_us;
	g->facts.question_us = h->took_us;
	game_mark(g, k, h->at_us, "%s", text);
}

// Why the key is not to be had: a refusal by its reason, all else by what it is called.
static void note_cause(struct game *g, const char *what, const char *reason)
{
	(void)snprintf(
		g->facts.cause, sizeof(g->facts.cause), "%s", is(what, "denied") ? reason : what);
}

static void granted(struct game *g, const struct happening *h, enum chapter c)
{
	struct facts *f = &g->facts;
	uint64_t asked = h->at_us > h->took_us ? h->at_us - h->took_us : 0;
	if (asked > g->last_granted_us)
		g->last_granted_us = asked;
	if (c == BEFORE && h->took_us > g->slowest_us)
		g->slowest_us = h->took_us;
	uint64_t usual = g->slowest_us > SLOW_LEAST_US ? g->slowest_us : SLOW_LEAST_US;
	if (c == AWAY && g->scenario->act == ACT_SLOW && f->refused_us == 0 &&
		h->took_us >= SLOW_TIMES * usual)
		noticed(g, h, MARK_NOTE, "the first slow answer");
	if (c == BACK && f->granted_us == 0) {
		f->granted_us = h->at_us;
		f->answer_us = h->took_us;
		game_mark(g, MARK_GRANTED, h->at_us, "%s", "");
	}
}

static void key_operation(struct game *g, const struct happening *h, enum chapter c)
{
	if (!is(h->operation, "KeyUnwrap"))
		return;
	if (is(h->verdict, "granted")) {
		granted(g, h, c);
	} else if (c == AWAY && g->facts.refused_us == 0) {
		g->facts.proof_us = g->last_granted_us;
		note_cause(g, h->verdict, h->reason);
		noticed(g, h, MARK_REFUSED, h->sentence);
	}
}

// A date is seen in the key's attributes, while the key store still grants.
static void grace_begun(struct game *g, const struct happening *h, enum chapter c)
{
	if (c == AWAY && g->facts.refused_us == 0) {
		g->facts.proof_us = g->last_granted_us;
		noticed(g, h, MARK_REFUSED, h->sentence);
	}
	if (c == AWAY)
		note_cause(g, h->cause, h->reason);
	// An outage that turns out to be a refusal: no second grace.
	game_mark(g, g->in_grace ? MARK_NOTE : MARK_GRACE, h->at_us, "%s: %s", h->state,
		is(h->state, "grace-denied") ? "the key counts as refused"
					     : "the key store says nothing about the key");
	g->in_grace = true;
	if (h->deadline_us)
		g->facts.deadline_us = g->deadline_us = h->deadline_us;
}

// Without a grace the deadline was over when the refusal came.
static uint64_t deadline_without_grace(const struct facts *f)
{
	uint64_t counted = f->proof_us + f->grace_us;
	return counted > f->refused_us ? counted : f->refused_us;
}

static void stopped(struct game *g, const struct happening *h, enum chapter c)
{
	struct facts *f = &g->facts;
	g->in_grace = false;
	g->deadline_us = 0;
	bool goes_on = f->course == COURSE_SURVIVES || f->course == COURSE_ROTATES;
	if (goes_on || c != BACK)
		f->stops++;
	if (f->stopped_us)
		return;
	if (f->deadline_us == 0 && f->refused_us)
		f->deadline_us = deadline_without_grace(f);
	f->stopped_us = h->at_us;
	note_cause(g, h->cause, h->reason);
	game_mark(g, MARK_STOPPED, h->at_us, "the disk stopped");
}

static void warned(struct game *g, const struct happening *h, enum chapter c)
{
	struct facts *f = &g->facts;
	game_mark(g, MARK_WARNING, h->at_us, "%d %% of the grace is over", (int)h->percent);
	if (c != AWAY || f->warning_count == FACT_WARNINGS)
		return;
	f->warnings[f->warning_count].percent = (unsigned)h->percent;
	f->warnings[f->warning_count++].at_us = h->at_us;
}

static void over(struct game *g, const struct happening *h, enum mark_kind k, const char *what)
{
	g->in_grace = false;
	g->deadline_us = 0;
	game_mark(g, k, h->at_us, "%s", what);
}

static void grace_ended(struct game *g, const struct happening *h, enum chapter c)
{
	over(g, h, MARK_GRACE_END, "the key is granted again");
	if (c != AWAY || g->facts.stopped_us)
		return;
	g->grace_ended = true;
	g->facts.away_until_us = h->at_us;
}

static void resumed(struct game *g, const struct happening *h, enum chapter c)
{
	over(g, h, MARK_RESUMED, "by itself");
	if (c == BACK)
		g->facts.resumed_us = h->at_us;
}

static void rotation(struct game *g, const struct happening *h)
{
	if (is(h->event, "rotated")) {
		g->facts.rotated_us = h->at_us;
		game_mark(g, MARK_ROTATED, h->at_us, "to version %s", h->to_version);
	} else if (g->facts.rotation_failed_us == 0) {
		g->facts.rotation_failed_us = h->at_us;
		game_mark(g, MARK_ROTATION_FAILED, h->at_us, "%s", h->sentence);
	}
}

static void stop_ahead(struct game *g, const struct happening *h)
{
	char left[REPORT_NUMBER];
	report_span(h->left_ms * (int64_t)US_PER_MS, left);
	game_mark(g, MARK_BEFORE_STOP, h->at_us, "%s are left", left);
}

void game_lost(struct game *g, int64_t events)
{
	if (events == 0 || g->out->failure[0])
		return;
	game_mark(g, MARK_NOTE, game_now(), "%lld events are missing in the mount's audit log",
		(long long)events);
	(void)snprintf(g->out->failure, sizeof(g->out->failure),
		"the mount could not write %lld events to its audit log, so what happened then is "
		"not known; is the disk of --dir full?",
		(long long)events);
}

void game_told(void *game, const struct happening *h)
{
	struct game *g = game;
	enum chapter c = chapter_of(g, h->at_us);
	if (is(h->event, "key-operation"))
		key_operation(g, h, c);
	else if (is(h->event, "grace-begin"))
		grace_begun(g, h, c);
	else if (is(h->event, "grace-warning"))
		warned(g, h, c);
	else if (is(h->event, "before-stop"))
		stop_ahead(g, h);
	else if (is(h->event, "stopped"))
		stopped(g, h, c);
	else if (is(h->event, "grace-end"))
		grace_ended(g, h, c);
	else if (is(h->event, "resumed"))
		resumed(g, h, c);
	else if (is(h->event, "rotated") || is(h->event, "rotation-failed"))
		rotation(g, h);
	else if (is(h->event, "audit-gap"))
		game_lost(g, h->lost);
}
