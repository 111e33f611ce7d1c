// SPDX-License-Identifier: MIT
// What is promised of a disk that is to stop: until when I/O goes on, when it ends, and how.
#include "judge_promise.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// When the grace began to count, as the mount has it; 0 if it never did.
static uint64_t counted_from(const struct facts *f)
{
	return f->deadline_us > f->grace_us ? f->deadline_us - f->grace_us : 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

// A grace that was over when the refusal came: then the disk stops at once.
static bool over_at_once(const struct facts *f)
{
	return f->proof_us && f->refused_us >= f->proof_us + f->grace_us;
}

static void name_span(char out[96], const char *before, int64_t us)
{
	char text[REPORT_NUMBER];
	report_span(us, text);
	(void)snprintf(out, 96, "%s%s", before, text);
}

static int io_in_grace(const struct facts *f, struct played *p)
{
	int rc = promise_within(
		p, &(struct span_promised){.id = "no-early-failure",
			   .what = "No request fails before the deadline, which is the grace after "
				   "the last proof (two clocks are read: 20 ms).",
			   .least_us = less(f->grace_us, JUDGE_CLOCK_US),
			   .most_us = NO_MOST,
			   .from = counted_from(f),
			   .then = f->away.first_failed,
			   .until = f->away_until_us,
			   .may_miss = true});
	if (!rc)
		rc = promise_within(
			p, &(struct span_promised){.id = "io-in-grace",
				   .what = "I/O goes on to the end of the grace (the last good "
					   "request less than 0.5 s before it).",
				   .least_us = less(f->grace_us, JUDGE_IDLE_US),
				   .most_us = NO_MOST,
				   .from = counted_from(f),
				   .then = f->away.last_ok_ended,
				   .until = f->away_until_us,
				   .last = true,
				   .unseen = "no request succeeded"});
	uint64_t gap = f->away.gap_to_failure_us;
	return rc ? rc : judge_no_pause(f, p, gap > f->gap_before_us ? gap : f->gap_before_us);
}

static int io_ends(const struct facts *f, struct played *p)
{
	struct span_promised ends = {.id = "io-ends-in-time",
		.what = "No request succeeds that is put later than the grace and one check "
			"interval (with its jitter) after the key was taken away (the time that "
			"took included).",
		.most_us = f->grace_us + judge_next_check(f) + f->act_took_us,
		.from = f->acted_us,
		.then = f->away.last_ok_begun,
		.until = f->away_until_us,
		.last = true,
		.unseen = "no request succeeded"};
	if (f->acted_us == 0) {
		ends.what = "No request succeeds that is put later than the grace after the first "
			    "failed check (nobody knows when the key was taken away).";
		ends.most_us = f->grace_us;
		ends.from = f->refused_us;
	}
	int rc = promise_within(p, &ends);
	return rc ? rc
		  : promise_within(p,
			    &(struct span_promised){.id = "nothing-after-deadline",
				    .what = "0.1 s after the deadline no request succeeds, until "
					    "the key is back.",
				    .most_us = f->grace_us + JUDGE_STOP_US,
				    .from = counted_from(f),
				    .then = f->away.last_ok_ended,
				    .until = f->away_until_us,
				    .last = true,
				    .unseen = "no request succeeded"});
}

// How soon after the last granted question the deadline may come. A key that is granted beyond its
// dates proves nothing: then the question before that one may be the last proof.
static uint64_t soonest_deadline(const struct facts *f)
{
	if (over_at_once(f))
		return 0;
	uint64_t soonest = less(f->grace_us, JUDGE_ASKED_US);
	bool dated = !strcmp(f->cause, "expired") || !strcmp(f->cause, "not-yet-valid");
	return dated ? less(soonest, judge_next_check(f) + f->question_us) : soonest;
}

static int deadline(const struct facts *f, struct played *p)
{
	int rc = promise_within(
		p, &(struct span_promised){.id = "stops-on-time",
			   .what = "The disk stops at the deadline (20 ms sooner to 0.1 s later).",
			   .least_us = less(f->grace_us, JUDGE_CLOCK_US),
			   .most_us = f->grace_us + JUDGE_STOP_US,
			   .from = counted_from(f),
			   .then = f->stopped_us,
			   .until = f->away_until_us,
			   .unseen = "it did not stop"});
	return rc ? rc
		  : promise_within(
			    p, &(struct span_promised){.id = "clock-starts-at-proof",
				       .what = "The deadline is the grace after the last proof of "
					       "the key (0.1 s sooner to 20 ms later; a check "
					       "interval sooner where a key is granted beyond its "
					       "dates, which is no proof; and if it is over when a "
					       "check is refused, the disk stops at once).",
				       .least_us = soonest_deadline(f),
				       .most_us = (over_at_once(f) ? f->refused_us - f->proof_us
								   : f->grace_us) +
						  JUDGE_CLOCK_US,
				       .from = f->proof_us,
				       .then = f->deadline_us,
				       .until = f->away_until_us,
				       .unseen = "the mount named no deadline"});
}

static int key_wiped(const struct facts *f, struct played *p)
{
	struct promise *wiped = played_promise(p, "key-wiped",
		"The data key is wiped when the disk has stopped (as the mount's status says).");
	if (!wiped)
		return -ENOMEM;
	(void)snprintf(wiped->promised, sizeof(wiped->promised), "no key in memory");
	if (!f->looked || f->stopped_us == 0)
		return promise_not_shown(wiped, "it did not stop, or its status was not to be had");
	(void)snprintf(wiped->measured, sizeof(wiped->measured), "the mount says: %s",
		f->key_present ? "the key is there" : "no key");
	wiped->outcome = f->key_present ? OUTCOME_BROKEN : OUTCOME_HELD;
	if (f->key_present)
		(void)snprintf(wiped->why, sizeof(wiped->why), "status says that the key is there");
	return 0;
}

static int only_eio(const struct facts *f, struct played *p)
{
	struct promise *only =
		played_promise(p, "only-eio", "Requests fail with EIO, nothing else.");
	if (!only)
		return -ENOMEM;
	(void)snprintf(only->promised, sizeof(only->promised), "EIO");
	if (!f->back.errors[0])
		return promise_not_shown(only, "no request failed");
	(void)snprintf(only->measured, sizeof(only->measured), "%.95s", f->back.errors);
	bool eio = !strncmp(f->back.errors, "EIO ", 4) && !strchr(f->back.errors, ',');
	only->outcome = eio ? OUTCOME_HELD : OUTCOME_BROKEN;
	if (!eio)
		(void)snprintf(only->why, sizeof(only->why), "expected EIO and nothing else");
	return 0;
}

static int open_says_why(const struct facts *f, struct played *p)
{
	struct promise *why = played_promise(
		p, "open-says-why", "A new open() answers with the reason of the stop.");
	if (!why)
		return -ENOMEM;
	(void)snprintf(
		why->promised, sizeof(why->promised), "%s", strerrorname_np(f->open_expected));
	if (!f->opened)
		return promise_not_shown(why, "it did not stop, or nobody opened it then");
	const char *name = f->open_errno ? strerrorname_np(f->open_errno) : "success";
	(void)snprintf(why->measured, sizeof(why->measured), "%s", name ? name : "unknown");
	why->outcome = f->open_errno == f->open_expected ? OUTCOME_HELD : OUTCOME_BROKEN;
	if (why->outcome != OUTCOME_HELD)
		(void)snprintf(
			why->why, sizeof(why->why), "open() answered with %s", why->measured);
	return 0;
}

// How much later than its mark the warning came that covers it; INT64_MAX: none did, though it
// could have been late before the disk stopped. After the deadline none comes: the stop tells
// itself.
static int64_t lateness(const struct facts *f, unsigned percent)
{
	uint64_t due = counted_from(f) + f->grace_us / 100 * percent;
	if (due < f->refused_us)
		due = f->refused_us;
	for (size_t i = 0; i < f->warning_count; i++)
		if (f->warnings[i].percent >= percent)
			return f->warnings[i].at_us > due ? (int64_t)(f->warnings[i].at_us - due)
							  : 0;
	return due + JUDGE_NOTICE_US > f->deadline_us ? 0 : INT64_MAX;
}

static int warned(const struct facts *f, struct played *p)
{
	static const unsigned marks[] = {50, 90, 99};
	if (over_at_once(f))
		return 0; // there was no time to warn
	struct promise *w = played_promise(p, "warnings-in-time",
		"Warnings come when 50, 90 and 99 % of the grace is over (at most 0.5 s later; "
		"where the disk stops before that, its stop may come instead).");
	if (!w)
		return -ENOMEM;
	int64_t worst = 0;
	if (f->stopped_us == 0)
		return promise_not_shown(w, "it did not stop");
	w->promised_us = JUDGE_NOTICE_US;
	name_span(w->promised, "at most ", JUDGE_NOTICE_US);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		int64_t late = lateness(f, marks[i]);
		if (late == INT64_MAX) {
			w->outcome = OUTCOME_BROKEN;
			(void)snprintf(w->why, sizeof(w->why),
				"there was no warning at %u %% of the grace", marks[i]);
			return 0;
		}
		worst = late > worst ? late : worst;
	}
	w->measured_us = worst;
	name_span(w->measured, "", worst);
	w->outcome = worst <= JUDGE_NOTICE_US ? OUTCOME_HELD : OUTCOME_BROKEN;
	if (w->outcome != OUTCOME_HELD)
		(void)snprintf(w->why, sizeof(w->why), "a warning came too late");
	return 0;
}

int judge_stop(const struct facts *f, struct played *p)
{
	int rc = io_in_grace(f, p);
	if (!rc)
		rc = io_ends(f, p);
	if (!rc)
		rc = deadline(f, p);
	if (!rc)
		rc = key_wiped(f, p);
	if (!rc)
		rc = f->filesystem ? 0 : only_eio(f, p); // a filesystem may say EROFS
	if (!rc)
		rc = open_says_why(f, p);
	return rc ? rc : warned(f, p);
}
