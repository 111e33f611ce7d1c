// SPDX-License-Identifier: MIT
// The judge of a rehearsal in which nothing may happen to I/O, and of one that was not played.
#include "judge_rig.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdio.h>

static void what_is_harmed_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct facts f = i ? rotated() : survived();
		f.back.failed = 1;
		broken(&f, "no-failure");
		f = i ? rotated() : survived();
		f.stops = 1;
		broken(&f, "no-stop");
		f = i ? rotated() : survived();
		f.back.longest_gap_us = 2 * S + 1;
		broken(&f, "no-pause");
	}
}

static void a_refusal_after_a_rotation_is_told(void **state)
{
	(void)state;
	struct facts f = survived();
	f.followed = true;
	broken(&f, "no-refusal");
	f.refused_us = 0;
	expect_only(&f, NULL, OUTCOME_HELD);
}

static void a_rotation_that_is_not_told_or_not_made_is_told(void **state)
{
	(void)state;
	struct facts f = rotated();
	f.rotation_failed_us = 0;
	broken(&f, "failure-told");
	f = rotated();
	f.rotated_us = RESTORED + 2200 * MS;
	broken(&f, "goes-over");
}

static void nothing_seen_is_no_promise_kept(void **state)
{
	(void)state;
	for (int course = COURSE_STOPS; course <= COURSE_ROTATES; course++) {
		struct facts f = {
			.course = (enum course)course, .grace_us = GRACE, .interval_us = S};
		struct played p scoped(forget) = {.scenario = "made"};
		assert_int_equal(judge(&f, &p), 0);
		assert_int_not_equal(p.outcome, OUTCOME_HELD);
	}
}

// A disk that is never stopped breaks what is promised of the stop, whoever gives the key back.
static void a_disk_that_never_stops_is_told(void **state)
{
	(void)state;
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		struct facts f = kept();
		f.stopped_us = f.stops = f.looked = f.opened = 0;
		f.away.first_failed = 0;
		f.back.errors[0] = '\0';
		f.back.first_good = f.resumed_us = 0;
		f.away.last_ok_begun = f.away.last_ok_ended = RESTORED - MS;
		if (by_hand)
			f.acted_us = f.restored_us = 0;
		struct played p scoped(forget) = {.scenario = "made", .failure = "nothing came"};
		judged(&f, &p);
		assert_int_equal(p.outcome, OUTCOME_BROKEN);
		assert_int_equal(promise_of(&p, "stops-on-time")->outcome, OUTCOME_BROKEN);
		assert_string_equal(promise_of(&p, "stops-on-time")->why, "it did not stop");
		assert_int_equal(promise_of(&p, "io-ends-in-time")->outcome, OUTCOME_BROKEN);
		assert_int_equal(promise_of(&p, "nothing-after-deadline")->outcome, OUTCOME_BROKEN);
		assert_int_equal(promise_of(&p, "no-early-failure")->outcome, OUTCOME_HELD);
		assert_string_equal(promise_of(&p, "no-early-failure")->measured, "never");
		assert_int_equal(promise_of(&p, "comes-back")->outcome, OUTCOME_NOT_SHOWN);
	}
}

// The key was given back, or the rehearsal ended, before the deadline: nothing is known of the end.
static void what_was_not_reached_is_not_shown(void **state)
{
	(void)state;
	static const char *const unknown[] = {"no-early-failure", "io-in-grace", "io-ends-in-time",
		"nothing-after-deadline", "stops-on-time", "key-wiped", "only-eio", "open-says-why",
		"warnings-in-time", "comes-back"};
	struct facts f = kept();
	f.stopped_us = f.stops = f.looked = f.opened = 0;
	f.away.first_failed = 0;
	f.back.errors[0] = '\0';
	f.back.first_good = f.resumed_us = f.restored_us = f.granted_us = 0;
	f.warning_count = 1;
	f.away_until_us = PROOF + GRACE / 2;
	f.away.last_ok_begun = f.away.last_ok_ended = f.away_until_us + 5 * MS;
	struct played p scoped(forget) = {.scenario = "made", .failure = "the grace ended"};
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_NOT_SHOWN);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(promise_of(&p, unknown[i])->outcome, OUTCOME_NOT_SHOWN);
	assert_int_equal(promise_of(&p, "noticed")->outcome, OUTCOME_HELD);
	assert_int_equal(promise_of(&p, "clock-starts-at-proof")->outcome, OUTCOME_HELD);
	f.away.first_failed = f.away_until_us - MS; // but this is
	struct played early scoped(forget) = {.scenario = "made", .failure = "the grace ended"};
	judged(&f, &early);
	assert_int_equal(promise_of(&early, "no-early-failure")->outcome, OUTCOME_BROKEN);
}

// What was measured before the key store died is a measurement.
static void a_stop_without_a_return_is_judged(void **state)
{
	(void)state;
	struct facts f = kept();
	f.restored_us = f.granted_us = f.resumed_us = f.back.first_good = 0;
	expect_only(&f, "comes-back", OUTCOME_NOT_SHOWN);
	f.stopped_us = DEADLINE + 4 * S;
	f.away_until_us = f.back_until_us = DEADLINE + 6 * S;
	f.away.last_ok_ended = DEADLINE + 3 * S;
	struct played p scoped(forget) = {.scenario = "made", .failure = "the vault is gone"};
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_BROKEN);
	assert_int_equal(promise_of(&p, "stops-on-time")->outcome, OUTCOME_BROKEN);
	assert_int_equal(promise_of(&p, "nothing-after-deadline")->outcome, OUTCOME_BROKEN);
}

// Whoever was asked to take a permission away, and disables the key, has shown something else.
static void another_loss_is_not_the_one_that_was_rehearsed(void **state)
{
	(void)state;
	struct facts f = kept();
	f.causes = "identity forbidden";
	(void)snprintf(f.cause, sizeof(f.cause), "forbidden");
	expect_only(&f, NULL, OUTCOME_HELD);
	(void)snprintf(f.cause, sizeof(f.cause), "identity");
	expect_only(&f, NULL, OUTCOME_HELD);
	(void)snprintf(f.cause, sizeof(f.cause), "disabled");
	struct played p scoped(forget) = {.scenario = "made"};
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_NOT_SHOWN);
	assert_string_equal(p.failure,
		"the key was not to be had because it is disabled; rehearsed was that the "
		"identity itself is refused");
	assert_int_equal(promise_of(&p, "stops-on-time")->outcome, OUTCOME_NOT_SHOWN);
	assert_int_equal(promise_of(&p, "every-byte")->outcome, OUTCOME_HELD);
	f.causes = NULL; // we did it ourselves
	expect_only(&f, NULL, OUTCOME_HELD);
}

// Nobody did anything: a disk that goes on is no promise held.
static void without_a_loss_only_the_bytes_are_judged(void **state)
{
	(void)state;
	struct facts f = survived();
	f.acted_us = f.refused_us = f.restored_us = f.granted_us = 0;
	struct played p scoped(forget) = {.scenario = "made"};
	judged(&f, &p);
	assert_int_equal(p.promise_count, 1);
	assert_int_equal(p.outcome, OUTCOME_NOT_SHOWN);
	f.followed = true; // where nothing is to be noticed
	expect_only(&f, NULL, OUTCOME_HELD);
}

static void what_could_not_be_played_to_its_end_is_not_held(void **state)
{
	(void)state;
	struct facts f = kept();
	struct played p scoped(forget) = {.scenario = "made", .failure = "the vault ended"};
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_NOT_SHOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_harmed_is_told),
		cmocka_unit_test(a_refusal_after_a_rotation_is_told),
		cmocka_unit_test(a_rotation_that_is_not_told_or_not_made_is_told),
		cmocka_unit_test(nothing_seen_is_no_promise_kept),
		cmocka_unit_test(a_disk_that_never_stops_is_told),
		cmocka_unit_test(what_was_not_reached_is_not_shown),
		cmocka_unit_test(a_stop_without_a_return_is_judged),
		cmocka_unit_test(another_loss_is_not_the_one_that_was_rehearsed),
		cmocka_unit_test(without_a_loss_only_the_bytes_are_judged),
		cmocka_unit_test(what_could_not_be_played_to_its_end_is_not_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
