// SPDX-License-Identifier: MIT
// The forms that promises have.
#include "judge_promise.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>

static void span(char out[96], const char *before, uint64_t us)
{
	char text[REPORT_NUMBER];
	report_span((int64_t)us, text);
	(void)snprintf(out, 96, "%s%s", before, text);
}

int promise_not_shown(struct promise *p, const char *why)
{
	p->outcome = OUTCOME_NOT_SHOWN;
	(void)snprintf(p->why, sizeof(p->why), "%s", why);
	return 0;
}

static int broken(struct promise *p, const char *why)
{
	p->outcome = OUTCOME_BROKEN;
	(void)snprintf(p->why, sizeof(p->why), "%s", why);
	return 0;
}

// The limit that is held is the one that is named, with all that is allowed for.
static void name_limits(struct promise *one, const struct span_promised *s)
{
	char least[REPORT_NUMBER], most[REPORT_NUMBER];
	one->promised_us = (int64_t)(s->most_us == NO_MOST ? s->least_us : s->most_us);
	if (s->most_us == NO_MOST) {
		span(one->promised, "not before ", s->least_us);
	} else if (s->least_us == 0) {
		span(one->promised, "at most ", s->most_us);
	} else {
		report_span((int64_t)s->least_us, least);
		report_span((int64_t)s->most_us, most);
		(void)snprintf(one->promised, sizeof(one->promised), "%s to %s", least, most);
	}
}

static int never_seen(struct promise *one, const struct span_promised *s, bool watched)
{
	if (!watched)
		return promise_not_shown(one, "it ended before this could be seen");
	if (!s->may_miss)
		return broken(one, s->unseen);
	(void)snprintf(one->measured, sizeof(one->measured), "never");
	one->outcome = OUTCOME_HELD;
	return 0;
}

static void measure(struct promise *one, const struct span_promised *s)
{
	if (s->then < s->from) {
		(void)snprintf(one->measured, sizeof(one->measured), "before that");
		return;
	}
	one->measured_us = (int64_t)(s->then - s->from);
	span(one->measured, "", s->then - s->from);
}

int promise_within(struct played *p, const struct span_promised *s)
{
	char why[96];
	struct promise *one = played_promise(p, s->id, s->what);
	if (!one)
		return -ENOMEM;
	name_limits(one, s);
	if (s->from == 0)
		return promise_not_shown(one, "what it counts from was not seen");
	bool watched = s->until >= s->from + (uint64_t)one->promised_us;
	if (s->then == 0)
		return never_seen(one, s, watched);
	measure(one, s);
	if (s->last && !watched)
		return promise_not_shown(one, "it ended before the time was over");
	uint64_t after = s->then > s->from ? s->then - s->from : 0;
	one->outcome = OUTCOME_HELD;
	if (after < s->least_us)
		span(why, "sooner by ", s->least_us - after);
	else if (after > s->most_us)
		span(why, "later by ", after - s->most_us);
	else
		return 0;
	return broken(one, why);
}

int promise_none(
	struct played *p, const char *id, const char *what, uint64_t count, const char *thing)
{
	struct promise *one = played_promise(p, id, what);
	if (!one)
		return -ENOMEM;
	(void)snprintf(one->promised, sizeof(one->promised), "none");
	if (count == 0)
		(void)snprintf(one->measured, sizeof(one->measured), "none");
	else
		(void)snprintf(
			one->measured, sizeof(one->measured), "%llu", (unsigned long long)count);
	one->outcome = count == 0 ? OUTCOME_HELD : OUTCOME_BROKEN;
	if (count)
		(void)snprintf(one->why, sizeof(one->why), "%llu %s%s", (unsigned long long)count,
			thing, count == 1 ? "" : "s");
	return 0;
}
