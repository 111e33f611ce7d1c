// SPDX-License-Identifier: MIT
// Marks on the time between the last proof and the deadline, and the times of day they stand for.
#include "warnings.h"

#include "clock.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE 100u

void warning_plan_default(struct warning_plan *p)
{
	*p = (struct warning_plan){
		.at = {{.percent = 50}, {.percent = 90}, {.percent = 99}},
		.count = 3,
		.before_stop_ms = UINT64_MAX,
	};
}

static int parse_percent(const char *text, size_t len, uint8_t *percent, struct errmsg *err)
{
	char *end = NULL;
	unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	if (n < 1 || n >= WHOLE || end != text + len - 1)
		return errmsg_set(err, EINVAL,
			"grace-warnings: '%.*s' is no part of a grace; write a whole number from 1 "
			"to 99, such as 90%%",
			(int)len, text);
	*percent = (uint8_t)n;
	return 0;
}

static int parse_left(const char *text, size_t len, uint64_t *ms, struct errmsg *err)
{
	char word[64];
	if (len >= sizeof(word))
		return errmsg_set(err, EINVAL,
			"grace-warnings: '%.*s...' is too long for a duration; write one such as "
			"10min",
			(int)sizeof(word), text);
	memcpy(word, text, len);
	word[len] = '\0';
	int r = parse_duration_ms("grace-warnings", word, ms, err);
	if (r == 0 && *ms == 0)
		return errmsg_set(err, EINVAL,
			"grace-warnings: a warning at the stop itself comes too late; write how "
			"long before it, such as 10min, or 'off'");
	return r;
}

int warning_plan_parse(const char *text, struct warning_plan *p, struct errmsg *err)
{
	struct warning_plan plan = {.before_stop_ms = p->before_stop_ms};
	bool off = strcmp(text, "off") == 0;
	for (const char *next = off ? NULL : text; next;) {
		size_t len = strcspn(next, ":");
		if (plan.count == WARNINGS_MAX)
			return errmsg_set(err, EINVAL,
				"grace-warnings: '%s' names more than %d warnings; leave some out",
				text, WARNINGS_MAX);
		bool percent = len > 0 && next[len - 1] == '%';
		int r = percent ? parse_percent(next, len, &plan.at[plan.count].percent, err)
				: parse_left(next, len, &plan.at[plan.count].left_ms, err);
		if (r)
			return r;
		plan.count++;
		next = next[len] ? next + len + 1 : NULL;
	}
	*p = plan;
	return 0;
}

// Percent of a time, rounded up. Without the product of the two, which may be too large.
static uint64_t part_of(uint64_t whole_ns, unsigned percent)
{
	return whole_ns / WHOLE * percent + (whole_ns % WHOLE * percent + WHOLE - 1) / WHOLE;
}

// After so much of the grace, that this is left of it; at its beginning, if it is shorter.
static uint64_t all_but(uint64_t grace_ns, uint64_t left_ms)
{
	return left_ms > grace_ns / NS_PER_MS ? 0 : grace_ns - left_ms * NS_PER_MS;
}

// Both count from the last proof.
static uint64_t mark(const struct warning_plan *p, size_t i, uint64_t grace_ns)
{
	return p->at[i].percent ? part_of(grace_ns, p->at[i].percent)
				: all_but(grace_ns, p->at[i].left_ms);
}

static uint64_t before_stop_mark(const struct warning_plan *p, uint64_t grace_ns)
{
	uint64_t tenth = part_of(grace_ns, 90);
	if (p->before_stop_ms != UINT64_MAX)
		return all_but(grace_ns, p->before_stop_ms);
	uint64_t usual = all_but(grace_ns, BEFORE_STOP_DEFAULT_MS);
	return usual > tenth ? usual : tenth;
}

// Tells every mark that is passed; *which is the last of them, p->count if there is none.
static void tell_passed(const struct warning_plan *p, struct warned *w, uint64_t grace_ns,
	uint64_t over_ns, size_t *which)
{
	uint64_t latest = 0;
	*which = p->count;
	for (size_t i = 0; i < p->count; i++) {
		uint64_t at = mark(p, i, grace_ns);
		if ((w->told & 1u << i) || at > over_ns)
			continue;
		w->told |= 1u << i;
		if (*which == p->count || at >= latest) {
			*which = i;
			latest = at;
		}
	}
}

// The first mark that is not told: of the passed ones there may be some after a before-stop.
static uint64_t next_mark(const struct warning_plan *p, const struct warned *w, uint64_t grace_ns)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < p->count; i++) {
		uint64_t at = mark(p, i, grace_ns);
		if (!(w->told & 1u << i) && at < next)
			next = at;
	}
	uint64_t stop = before_stop_mark(p, grace_ns);
	if (!w->before_stop && p->before_stop_ms && stop < next)
		next = stop;
	return next;
}

struct warning warning_due(const struct warning_plan *p, struct warned *w, uint64_t last_grant_ns,
	uint64_t deadline_ns, uint64_t now_ns, uint64_t *next_ns)
{
	struct warning out = {.due = false};
	uint64_t grace = deadline_ns > last_grant_ns ? deadline_ns - last_grant_ns : 0;
	uint64_t over = now_ns > last_grant_ns ? now_ns - last_grant_ns : 0;
	*next_ns = UINT64_MAX;
	if (over >= grace)
		return out;
	for (out.percent = WHOLE - 1; part_of(grace, out.percent) > over; out.percent--)
		;
	if (!w->before_stop && p->before_stop_ms && before_stop_mark(p, grace) <= over) {
		out.due = out.before_stop = w->before_stop = true;
	} else {
		tell_passed(p, w, grace, over, &out.which);
		out.due = out.which < p->count;
	}
	uint64_t next = next_mark(p, w, grace);
	if (next != UINT64_MAX)
		*next_ns = next > over ? last_grant_ns + next : now_ns;
	return out;
}
