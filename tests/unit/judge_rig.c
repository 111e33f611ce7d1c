// SPDX-License-Identifier: MIT
// Courses of a rehearsal that never were.
#include "judge_rig.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void forget(struct played *p)
{
	free(p->promises);
}

struct facts kept(void)
{
	struct facts f = {.course = COURSE_STOPS,
		.grace_us = GRACE,
		.interval_us = S,
		.acted_us = ACTED,
		.question_us = 20 * MS,
		.refused_us = ACTED + 620 * MS,
		.proof_us = PROOF,
		.deadline_us = DEADLINE,
		.stopped_us = DEADLINE + 2 * MS,
		.stops = 1,
		.looked = true,
		.opened = true,
		.away_until_us = RESTORED,
		.back_until_us = RESTORED + 10 * S,
		.open_errno = EKEYREVOKED,
		.open_expected = EKEYREVOKED,
		.warnings = {{50, PROOF + GRACE / 2 + MS}, {90, PROOF + GRACE / 10 * 9 + MS},
			{99, PROOF + GRACE / 100 * 99 + MS}},
		.warning_count = 3,
		.restored_us = RESTORED,
		.granted_us = RESTORED + 300 * MS,
		.resumed_us = RESTORED + 310 * MS,
		.answer_us = 20 * MS,
		.away = {.failed = 300,
			.last_ok_begun = DEADLINE - 12 * MS,
			.last_ok_ended = DEADLINE - 10 * MS,
			.last_good = DEADLINE - 10 * MS,
			.first_failed = DEADLINE + 5 * MS},
		.back = {.failed = 310, .first_good = RESTORED + 320 * MS, .errors = "EIO 310"}};
	return f;
}

struct facts survived(void)
{
	struct facts f = {.course = COURSE_SURVIVES,
		.grace_us = 2 * GRACE,
		.interval_us = S,
		.acted_us = ACTED,
		.question_us = 20 * MS,
		.refused_us = ACTED + 620 * MS,
		.away_until_us = RESTORED,
		.back_until_us = RESTORED + 10 * S,
		.restored_us = RESTORED,
		.granted_us = RESTORED + 300 * MS,
		.answer_us = 20 * MS,
		.back = {.longest_gap_us = 60 * MS}};
	return f;
}

struct facts rotated(void)
{
	struct facts f = survived();
	f.course = COURSE_ROTATES;
	f.rotation_failed_us = ACTED + 800 * MS;
	f.rotated_us = RESTORED + 700 * MS;
	return f;
}

void judged(const struct facts *f, struct played *p)
{
	p->bytes_verified = p->bytes_verified ? p->bytes_verified : 4096;
	assert_int_equal(judge(f, p), 0);
}

const struct promise *promise_of(const struct played *p, const char *id)
{
	for (size_t i = 0; i < p->promise_count; i++)
		if (strcmp(p->promises[i].id, id) == 0)
			return &p->promises[i];
	fail_msg("%s was not judged", id);
	return NULL;
}

void expect_only(const struct facts *f, const char *id, enum outcome outcome)
{
	struct played p scoped(forget) = {.scenario = "made"};
	bool found = id == NULL;
	judged(f, &p);
	for (size_t i = 0; i < p.promise_count; i++) {
		const struct promise *one = &p.promises[i];
		bool named = id && strcmp(one->id, id) == 0;
		found |= named;
		if (one->outcome != (named ? outcome : OUTCOME_HELD))
			fail_msg("%s is %s (%s): promised %s, measured %s", one->id,
				outcome_name(one->outcome), one->why, one->promised, one->measured);
		assert_int_equal(one->why[0] != '\0', one->outcome != OUTCOME_HELD);
	}
	if (!found)
		fail_msg("%s was not judged", id);
	assert_int_equal(p.outcome, id ? outcome : OUTCOME_HELD);
}
