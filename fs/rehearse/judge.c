// SPDX-License-Identifier: MIT
// The promises of each course.
#include "judge.h"

#include "judge_promise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Somebody did something, or it was seen.
static bool was_lost(const struct facts *f)
{
	return f->acted_us || f->refused_us || f->followed;
}

uint64_t judge_next_check(const struct facts *f)
{
	return f->interval_us + f->interval_us / 10;
}

static int noticed(const struct facts *f, struct played *p)
{
	if (f->acted_us == 0)
		return 0; // nobody knows since when there was something to notice
	return promise_within(p,
		&(struct span_promised){.id = "noticed",
			.what = "The mount notices within one check interval (its tenth of jitter, "
				"the question's and the act's own time and 0.5 s for a busy "
				"machine included).",
			.most_us = judge_next_check(f) + f->question_us + f->act_took_us +
				   JUDGE_NOTICE_US,
			.from = f->acted_us,
			.then = f->refused_us,
			.until = f->away_until_us,
			.unseen = "nothing was noticed"});
}

int judge_no_pause(const struct facts *f, struct played *p, uint64_t gap_us)
{
	return promise_within(
		p, &(struct span_promised){.id = "no-pause",
			   .what = "No request waits for what happens to the key (2 s for a busy "
				   "machine).",
			   .most_us = JUDGE_PAUSE_US,
			   .from = was_lost(f),
			   .then = 1 + gap_us,
			   .until = NO_MOST});
}

static int comes_back(const struct facts *f, struct played *p)
{
	struct span_promised back = {.id = "comes-back",
		.what = "When the key is back, I/O goes on by itself within one check interval "
			"(its tenth of jitter, the question's and the act's own time and 1 s for "
			"reading the header included).",
		.most_us = judge_next_check(f) + f->answer_us + f->undo_took_us + JUDGE_RETURN_US,
		.from = f->stopped_us ? f->restored_us : 0,
		.then = f->back.first_good,
		.until = f->back_until_us,
		.unseen = "no request succeeded again"};
	if (f->filesystem || (f->restored_us == 0 && f->granted_us)) {
		back.then = f->resumed_us;
		back.unseen = "the disk did not go on";
	}
	if (f->restored_us == 0 && f->granted_us) {
		back.what = "When a check is granted again, the disk goes on by itself (nobody "
			    "knows when the key came back; 1 s for reading the header included).";
		back.most_us = JUDGE_RETURN_US;
		back.from = f->stopped_us ? f->granted_us : 0;
	} else if (f->filesystem) {
		back.what = "When the key is back, the disk goes on by itself within one check "
			    "interval (its tenth of jitter, the question's and the act's own time "
			    "and 1 s for reading the header included).";
	}
	return promise_within(p, &back);
}

static int verified(const struct facts *f, struct played *p)
{
	struct promise *v = played_promise(
		p, "every-byte", "Every byte that was acknowledged is there, and no other.");
	if (!v)
		return -ENOMEM;
	(void)snprintf(v->promised, sizeof(v->promised), "0 bytes wrong");
	if (p->bytes_verified)
		(void)snprintf(v->measured, sizeof(v->measured), "%llu of %llu bytes wrong",
			(unsigned long long)p->bytes_wrong, (unsigned long long)p->bytes_verified);
	else if (f->back.wrong)
		(void)snprintf(v->measured, sizeof(v->measured), "wrong blocks read: %llu",
			(unsigned long long)f->back.wrong);
	if (p->bytes_wrong == 0 && f->back.wrong == 0 && p->bytes_verified == 0)
		return promise_not_shown(v, "the bytes could not be compared");
	v->outcome = p->bytes_wrong || f->back.wrong ? OUTCOME_BROKEN : OUTCOME_HELD;
	if (v->outcome == OUTCOME_BROKEN)
		(void)snprintf(v->why, sizeof(v->why), "%s",
			f->back.first_wrong[0] ? f->back.first_wrong
					       : "blocks hold what was never written there");
	return 0;
}

static int stops(const struct facts *f, struct played *p)
{
	int rc = 0;
	if (f->course == COURSE_FLAPS)
		rc = promise_none(p, "no-failure-before",
			"While the key comes back within the grace, no request fails.",
			f->failed_before, "request failed");
	if (!rc)
		rc = noticed(f, p);
	if (!rc)
		rc = judge_stop(f, p);
	return rc ? rc : comes_back(f, p);
}

// What holds wherever I/O is to go on.
static int unharmed(const struct facts *f, struct played *p)
{
	int rc = promise_none(
		p, "no-failure", "No request fails.", f->back.failed, "request failed");
	if (!rc)
		rc = promise_none(p, "no-stop", "The disk does not stop.", f->stops, "stop");
	return rc ? rc : judge_no_pause(f, p, f->back.longest_gap_us);
}

static int survives(const struct facts *f, struct played *p)
{
	int rc = 0;
	if (f->followed) {
		rc = promise_none(
			p, "no-refusal", "No check is refused.", f->refused_us != 0, "refusal");
	} else {
		rc = noticed(f, p);
		if (!rc && (f->restored_us || f->granted_us == 0))
			rc = promise_within(p,
				&(struct span_promised){.id = "granted-again",
					.what = "When it is over, a check is granted within one "
						"interval (its tenth of jitter, the question's and "
						"the act's own time and 1 s included).",
					.most_us = judge_next_check(f) + f->answer_us +
						   f->undo_took_us + JUDGE_RETURN_US,
					.from = f->restored_us,
					.then = f->granted_us,
					.until = f->back_until_us,
					.unseen = "no check was granted again"});
	}
	return rc ? rc : unharmed(f, p);
}

static int rotates(const struct facts *f, struct played *p)
{
	int rc = promise_within(
		p, &(struct span_promised){.id = "failure-told",
			   .what = "The failed rotation is reported within one check interval (its "
				   "tenth of jitter, the act's own time and 1 s for the attempt "
				   "included).",
			   .most_us = judge_next_check(f) + f->act_took_us + JUDGE_RETURN_US,
			   .from = f->acted_us,
			   .then = f->rotation_failed_us,
			   .until = f->away_until_us,
			   .unseen = "no failed rotation was reported"});
	if (!rc)
		rc = promise_within(p,
			&(struct span_promised){.id = "goes-over",
				.what = "When it may, the disk goes over within one check interval "
					"(its tenth of jitter, the act's own time and 1 s for the "
					"move included).",
				.most_us = judge_next_check(f) + f->undo_took_us + JUDGE_RETURN_US,
				.from = f->restored_us,
				.then = f->rotated_us,
				.until = f->back_until_us,
				.unseen = "the disk did not go over to the new version"});
	return rc ? rc : unharmed(f, p);
}

static int course(const struct facts *f, struct played *p)
{
	if (!was_lost(f))
		return 0; // so nothing was shown
	if (f->course == COURSE_SURVIVES)
		return survives(f, p);
	return f->course == COURSE_ROTATES ? rotates(f, p) : stops(f, p);
}

static const char *cause_text(const char *cause, size_t len)
{
	static const struct {
		const char *cause, *text;
	} texts[] = {{"disabled", "it is disabled"}, {"deleted", "it is not there any more"},
		{"forbidden", "the identity has no right to it"},
		{"not-permitted", "it may not be used for this"},
		{"identity", "the identity itself is refused"}, {"expired", "it has expired"},
		{"not-yet-valid", "it is not valid yet"},
		{"unreachable", "the key store cannot be reached"}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strlen(texts[i].cause) == len && !strncmp(texts[i].cause, cause, len))
			return texts[i].text;
	return "of something else";
}

static bool as_rehearsed(const struct facts *f)
{
	size_t len = strlen(f->cause);
	for (const char *c = f->causes; c && len; c += strspn(c, " ")) {
		size_t n = strcspn(c, " ");
		if (n == 0)
			return false;
		if (n == len && !strncmp(c, f->cause, n))
			return true;
		c += n;
	}
	return true; // or nothing is known
}

// What another loss shows is not what was to be shown.
static void disown(const struct facts *f, struct played *p)
{
	for (size_t i = 0; i < p->promise_count; i++)
		(void)promise_not_shown(&p->promises[i], "the key was lost in another way");
	if (!p->failure[0])
		(void)snprintf(p->failure, sizeof(p->failure),
			"the key was not to be had because %s; rehearsed was that %s",
			cause_text(f->cause, strlen(f->cause)),
			cause_text(f->causes, strcspn(f->causes, " ")));
}

int judge(const struct facts *f, struct played *p)
{
	int rc = course(f, p);
	if (!rc && !as_rehearsed(f))
		disown(f, p);
	if (!rc)
		rc = verified(f, p);
	p->outcome = p->failure[0] || !was_lost(f) ? OUTCOME_NOT_SHOWN : OUTCOME_HELD;
	for (size_t i = 0; i < p->promise_count; i++) {
		if (p->promises[i].outcome == OUTCOME_BROKEN)
			p->outcome = OUTCOME_BROKEN;
		else if (p->promises[i].outcome == OUTCOME_NOT_SHOWN && p->outcome == OUTCOME_HELD)
			p->outcome = OUTCOME_NOT_SHOWN;
	}
	return rc;
}
