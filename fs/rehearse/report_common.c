// SPDX-License-Identifier: MIT
// Numbers, times and verdicts as every form of the report spells them.
#include "report.h"

#include "errmsg.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S UINT64_C(1000000)

void report_count(uint64_t n, char out[REPORT_NUMBER])
{
	char digits[REPORT_NUMBER];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t used = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = 0;
}

void report_clock(uint64_t us, char out[REPORT_NUMBER])
{
	uint64_t ms = us / 1000, s = ms / 1000, h = s / 3600;
	if (s < 60)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 ".%03" PRIu64, s, ms % 1000);
	else if (!h)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 ":%02" PRIu64 ".%03" PRIu64, s / 60,
			s % 60, ms % 1000);
	else
		(void)snprintf(out, REPORT_NUMBER,
			"%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, h, s / 60 % 60,
			s % 60, ms % 1000);
}

// One to three digits before the point, three in all: 4.02, 40.2, 402.
static void three_digits(uint64_t us, uint64_t unit, const char *name, char *out)
{
	uint64_t whole = us / unit;
	if (whole >= 100 || unit == 1)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 " %s", whole, name);
	else if (whole >= 10)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 ".%" PRIu64 " %s", whole,
			us % unit * 10 / unit, name);
	else
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 ".%02" PRIu64 " %s", whole,
			us % unit * 100 / unit, name);
}

static void span(int64_t us, bool fine, char out[REPORT_NUMBER])
{
	uint64_t u = us < 0 ? 0 : (uint64_t)us, s = u / US_PER_S;
	char part[8] = "";
	if (fine)
		(void)snprintf(part, sizeof(part), ".%02u", (unsigned)(u % US_PER_S / 10000));
	if (us < 0)
		(void)snprintf(out, REPORT_NUMBER, "-");
	else if (u < 1000)
		three_digits(u, 1, "us", out);
	else if (u < US_PER_S)
		three_digits(u, 1000, "ms", out);
	else if (s < 60)
		three_digits(u, US_PER_S, "s", out);
	else if (s < 3600)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 " min %02" PRIu64 "%s s", s / 60,
			s % 60, part);
	else
		(void)snprintf(out, REPORT_NUMBER,
			"%" PRIu64 " h %02" PRIu64 " min %02" PRIu64 "%s s", s / 3600, s / 60 % 60,
			s % 60, part);
}

void report_span(int64_t us, char out[REPORT_NUMBER])
{
	span(us, true, out);
}

void report_took(uint64_t us, char out[REPORT_NUMBER])
{
	span((int64_t)us, false, out);
}

// "2026-11-22 14:03:05"; "-" for what is no time.
static void date_and_time(int64_t unix_us, char between, char out[REPORT_NUMBER])
{
	time_t s = (time_t)(unix_us / (int64_t)US_PER_S);
	struct tm tm;
	if (unix_us < 0 || !gmtime_r(&s, &tm) || !strftime(out, REPORT_NUMBER, "%F %T", &tm))
		(void)snprintf(out, REPORT_NUMBER, "-");
	else
		out[strcspn(out, " ")] = between;
}

void report_wall(int64_t unix_us, char out[REPORT_NUMBER])
{
	char at[REPORT_NUMBER];
	date_and_time(unix_us, ' ', at);
	(void)snprintf(out, REPORT_NUMBER, "%.19s UTC", at);
}

void report_rfc3339(int64_t unix_us, char out[REPORT_NUMBER])
{
	char at[REPORT_NUMBER];
	date_and_time(unix_us, 'T', at);
	(void)snprintf(out, REPORT_NUMBER, "%.19s.%06dZ", at,
		unix_us < 0 ? 0 : (int)(unix_us % (int64_t)US_PER_S));
}

const char *report_verdict(enum outcome o)
{
	static const char *const words[] = {"HELD", "BROKEN", "NOT SHOWN"};
	return words[o];
}

void report_summary(const struct rehearsal *r, char *out, size_t room)
{
	size_t of[3] = {0}, promises = 0, judged = 0;
	for (size_t i = 0; i < r->count; i++) {
		const struct played *p = &r->played[i];
		promises += p->promise_count;
		of[p->outcome]++;
		for (size_t k = 0; k < p->promise_count; k++)
			judged += p->promises[k].outcome != OUTCOME_NOT_SHOWN;
	}
	const char *s = r->count == 1 ? "" : "s", *ps = promises == 1 ? "" : "s";
	if (!r->count)
		(void)snprintf(out, room, "No scenario was played.");
	else if (r->outcome == OUTCOME_HELD)
		(void)snprintf(out, room, "All %zu promise%s held, in %zu scenario%s.", promises,
			ps, r->count, s);
	else if (of[OUTCOME_BROKEN])
		(void)snprintf(out, room, "Promises were broken in %zu of %zu scenario%s.",
			of[OUTCOME_BROKEN], r->count, s);
	else if (!judged)
		(void)snprintf(out, room, "Nothing was shown: no promise could be judged.");
	else
		(void)snprintf(out, room,
			"No promise was broken, but not all could be shown in %zu of %zu "
			"scenario%s.",
			of[OUTCOME_NOT_SHOWN], r->count, s);
}

// "1 h 30 min"; the house's shortest form, with blanks.
static void duration(uint64_t ms, char out[2 * REPORT_NUMBER])
{
	char tight[REPORT_NUMBER];
	size_t used = 0;
	format_duration_ms(ms, tight, sizeof(tight));
	for (const char *c = tight; *c; c++) {
		if (c > tight && *c > '9' && c[-1] >= '0' && c[-1] <= '9')
			out[used++] = ' ';
		out[used++] = *c;
	}
	out[used] = 0;
}

void report_policy(const struct policy_played *p, char *out, size_t room)
{
	char denied[2 * REPORT_NUMBER], unreachable[2 * REPORT_NUMBER], interval[2 * REPORT_NUMBER];
	duration(p->grace_denied_ms, denied);
	duration(p->grace_unreachable_ms, unreachable);
	duration(p->interval_ms, interval);
	int n = snprintf(out, room,
		"I/O stops %s after a refusal, %s without an answer; the key is checked every %s",
		denied, unreachable, interval);
	if (p->time_scale > 1 && n > 0 && (size_t)n < room)
		(void)snprintf(out + n, room - (size_t)n,
			" (times divided by %" PRIu32 " for this rehearsal)", p->time_scale);
}

const char *report_mark_label(const struct mark *m)
{
	static const char *const labels[MARK_KINDS] = {
		[MARK_LOAD_BEGAN] = "load began",
		[MARK_ASKED] = "asked",
		[MARK_ACTION] = "act",
		[MARK_REFUSED] = "first failed check",
		[MARK_GRACE] = "grace began",
		[MARK_WARNING] = "warning",
		[MARK_BEFORE_STOP] = "before the stop",
		[MARK_LAST_GOOD] = "last good I/O",
		[MARK_FIRST_EIO] = "first EIO",
		[MARK_STOPPED] = "key wiped",
		[MARK_RESTORED] = "key back",
		[MARK_GRANTED] = "first granted check",
		[MARK_GRACE_END] = "grace ended",
		[MARK_RESUMED] = "resumed",
		[MARK_FIRST_GOOD] = "first good I/O",
		[MARK_ROTATED] = "rotated",
		[MARK_ROTATION_FAILED] = "rotation failed",
		[MARK_VERIFIED] = "verified",
		[MARK_NOTE] = "note",
	};
	bool other = m->text[0] && strncmp(m->text, "EIO", 3) != 0;
	return m->kind == MARK_FIRST_EIO && other ? "first failure" : labels[m->kind];
}

const struct mark *report_act_before(const struct played *p, const struct mark *m)
{
	const struct mark *act = NULL;
	bool open = false; // asked for, and not yet known to be done
	for (const struct mark *i = p->marks; i < p->marks + p->mark_count && i <= m; i++) {
		bool noticed = i->kind == MARK_REFUSED || i->kind == MARK_GRANTED ||
			       i->kind == MARK_ROTATED || i->kind == MARK_ROTATION_FAILED;
		if (i->kind == MARK_ASKED) {
			act = NULL;
			open = true;
		} else if (i->kind == MARK_ACTION || i->kind == MARK_RESTORED ||
			   (open && noticed)) {
			act = i;
			open = false;
		}
	}
	return act;
}

const char *report_act_note(const struct played *p)
{
	for (size_t i = 0; i < p->mark_count; i++) {
		const struct mark *act = report_act_before(p, &p->marks[i]);
		if (act && act->kind != MARK_ACTION && act->kind != MARK_RESTORED)
			return "Where nobody said when it was done, the times since the act count "
			       "from the first check that noticed it.";
	}
	return NULL;
}

void report_since_act(const struct played *p, const struct mark *m, char out[REPORT_NUMBER])
{
	const struct mark *act = report_act_before(p, m);
	out[0] = 0;
	if (act && act != m)
		report_clock((m->at_us / 1000 - act->at_us / 1000) * 1000, out);
}

bool report_bound(const char *text, const char *blank)
{
	static const char *const units[] = {
		"us", "ms", "s", "min", "h", "d", "%", "B", "KiB", "MiB", "GiB", "TiB"};
	if (*blank != ' ' || blank == text || blank[-1] < '0' || blank[-1] > '9')
		return false;
	size_t len = strcspn(blank + 1, " ,;:.()");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i]) == len && !strncmp(blank + 1, units[i], len))
			return true;
	return false;
}

const char *report_said(const char *text)
{
	return text[0] ? text : "-";
}

const char *report_clean(const char *text, char *out, size_t room)
{
	(void)snprintf(out, room, "%s", text ? text : "");
	text_sanitise(out);
	return out;
}
