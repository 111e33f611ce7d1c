// SPDX-License-Identifier: MIT
// The judge of a rehearsal in which the disk is to stop: a course on which every promise is kept,
// and for each promise a course on which that one is broken, and no other.
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

static void what_is_kept_holds(void **state)
{
	(void)state;
	struct facts f = kept();
	expect_only(&f, NULL, OUTCOME_HELD);
	f.course = COURSE_FLAPS;
	expect_only(&f, NULL, OUTCOME_HELD);
	f = survived();
	expect_only(&f, NULL, OUTCOME_HELD);
	f = rotated();
	expect_only(&f, NULL, OUTCOME_HELD);
}

static void a_late_notice_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.refused_us = ACTED + 1620 * MS; // the interval, a tenth, 20 ms, and 0.5 s
	expect_only(&f, NULL, OUTCOME_HELD);
	f.refused_us += MS;
	broken(&f, "noticed");
	f = survived();
	f.refused_us = 0; // an outage that nobody noticed proves nothing
	broken(&f, "noticed");
	f = survived();
	f.granted_us = 0; // and one that does not end is no survival
	broken(&f, "granted-again");
}

static void a_failure_in_the_grace_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.away.first_failed = DEADLINE - 30 * MS;
	broken(&f, "no-early-failure");
	f = kept();
	f.course = COURSE_FLAPS;
	f.failed_before = 1;
	broken(&f, "no-failure-before");
}

static void io_that_dries_up_in_the_grace_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.away.last_ok_ended = DEADLINE - 600 * MS;
	f.away.last_ok_begun = f.away.last_ok_ended - MS;
	broken(&f, "io-in-grace");
}

static void io_after_the_deadline_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.away.last_ok_ended = DEADLINE + 99 * MS; // put before, ended just after
	expect_only(&f, NULL, OUTCOME_HELD);
	f.away.last_ok_ended = DEADLINE + 101 * MS;
	broken(&f, "nothing-after-deadline");
}

// I/O that stands still and goes on is no I/O that goes on.
static void a_pause_in_the_grace_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct facts f = kept();
		f.course = i ? COURSE_FLAPS : COURSE_STOPS;
		f.away.gap_to_failure_us = 2 * S;
		expect_only(&f, NULL, OUTCOME_HELD);
		f.away.gap_to_failure_us = 2 * S + 1;
		broken(&f, "no-pause");
		f.away.gap_to_failure_us = 0;
		f.gap_before_us = 2 * S + 1; // while it flapped
		broken(&f, "no-pause");
	}
}

// What is named as promised is what is asked for, with all that is allowed for.
static void what_is_promised_is_the_limit_that_counts(void **state)
{
	(void)state;
	static const struct {
		const char *id, *promised;
		int64_t us;
	} named[] = {{"io-in-grace", "not before 9.50 s", 9500000},
		{"no-early-failure", "not before 9.98 s", 9980000},
		{"stops-on-time", "9.98 s to 10.1 s", 10100000},
		{"nothing-after-deadline", "at most 10.1 s", 10100000}};
	struct facts f = kept();
	struct played p scoped(forget) = {.scenario = "made"};
	judged(&f, &p);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const struct promise *one = promise_of(&p, named[i].id);
		assert_string_equal(one->promised, named[i].promised);
		assert_int_equal(one->promised_us, named[i].us);
	}
}

// The beginning of an act is what is counted from, here and in the timeline; it may take its time.
static void the_time_that_an_act_takes_is_allowed_for(void **state)
{
	(void)state;
	struct facts f = kept();
	f.acted_us -= 1050 * MS;
	broken(&f, "noticed");
	f.act_took_us = 1050 * MS;
	expect_only(&f, NULL, OUTCOME_HELD);
	f.back.first_good += 2 * S;
	broken(&f, "comes-back");
	f.undo_took_us = 2 * S;
	expect_only(&f, NULL, OUTCOME_HELD);
	struct played p scoped(forget) = {.scenario = "made"};
	f.refused_us = f.acted_us - MS; // as a person has it who was late to say so
	judged(&f, &p);
	assert_string_equal(promise_of(&p, "noticed")->measured, "before that");
	assert_int_equal(promise_of(&p, "noticed")->measured_us, -1);
}

// A mount whose own clock is wrong keeps to its own deadline, and breaks the policy's.
static void io_after_the_policys_time_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.away.last_ok_begun = ACTED + GRACE + S + S / 10 + MS;
	broken(&f, "io-ends-in-time");
}

static void a_deadline_that_counts_from_later_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.proof_us = PROOF - 30 * MS;
	broken(&f, "clock-starts-at-proof");
}

// It keeps to its own deadline in all: only the proof tells that this one came too soon.
static void a_disk_that_stops_sooner_than_its_grace_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	const uint64_t early = GRACE / 2;
	f.deadline_us -= early;
	f.stopped_us -= early;
	f.away.last_ok_begun -= early;
	f.away.last_ok_ended -= early;
	f.away.last_good -= early;
	f.away.first_failed -= early;
	for (size_t i = 0; i < f.warning_count; i++)
		f.warnings[i].at_us = f.refused_us;
	broken(&f, "clock-starts-at-proof");
	(void)snprintf(f.cause, sizeof(f.cause), "expired");
	broken(&f, "clock-starts-at-proof");
	f = kept();
	f.proof_us = PROOF + 100 * MS;
	expect_only(&f, NULL, OUTCOME_HELD);
	f.proof_us += MS;
	broken(&f, "clock-starts-at-proof");
}

// The last question was granted, and proved nothing: the one before did.
static void a_grant_beyond_the_keys_dates_is_no_proof(void **state)
{
	(void)state;
	static const char *const dated[] = {"expired", "not-yet-valid"};
	for (size_t i = 0; i < sizeof(dated) / sizeof(dated[0]); i++) {
		struct facts f = kept();
		f.proof_us = PROOF + S + S / 10 + 120 * MS;
		broken(&f, "clock-starts-at-proof");
		(void)snprintf(f.cause, sizeof(f.cause), "%s", dated[i]);
		expect_only(&f, NULL, OUTCOME_HELD);
		f.proof_us += MS;
		broken(&f, "clock-starts-at-proof");
	}
}

static void without_a_grace_it_stops_at_once(void **state)
{
	(void)state;
	struct facts f = kept();
	f.grace_us = 0;
	f.warning_count = 0;
	f.deadline_us = f.refused_us;
	f.stopped_us = f.refused_us + MS;
	f.away.last_ok_begun = f.away.last_ok_ended = f.refused_us - MS;
	f.away.first_failed = f.refused_us + MS;
	expect_only(&f, NULL, OUTCOME_HELD);
	f.deadline_us += 30 * MS;
	f.stopped_us += 30 * MS;
	f.away.first_failed += 30 * MS;
	f.away.last_ok_ended += 30 * MS;
	broken(&f, "clock-starts-at-proof");
}

static void a_late_or_early_or_missing_stop_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.stopped_us = DEADLINE + 101 * MS;
	broken(&f, "stops-on-time");
	f.stopped_us = DEADLINE - 21 * MS;
	broken(&f, "stops-on-time");
	struct played p scoped(forget) = {.scenario = "made"};
	f.stopped_us = 0;
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_BROKEN);
}

static void a_key_that_stays_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.key_present = true;
	broken(&f, "key-wiped");
	f = kept();
	f.looked = false;
	expect_only(&f, "key-wiped", OUTCOME_NOT_SHOWN);
	struct played p scoped(forget) = {.scenario = "made"};
	f.looked = true;
	judged(&f, &p); // it is not our finding
	assert_string_equal(promise_of(&p, "key-wiped")->measured, "the mount says: no key");
}

static void other_errors_are_told(void **state)
{
	(void)state;
	static const char *const said[] = {"ENOSPC 3", "EIO 300, ENOSPC 1", "ENOSPC 1, EIO 300"};
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct facts f = kept();
		(void)snprintf(f.back.errors, sizeof(f.back.errors), "%s", said[i]);
		broken(&f, "only-eio");
	}
	struct facts f = kept();
	f.back.errors[0] = '\0';
	expect_only(&f, "only-eio", OUTCOME_NOT_SHOWN);
	f.filesystem = true; // which answers in its own words
	(void)snprintf(f.back.errors, sizeof(f.back.errors), "EIO 3, EROFS 9");
	expect_only(&f, NULL, OUTCOME_HELD);
}

static void an_open_that_says_something_else_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.open_errno = EIO;
	broken(&f, "open-says-why");
	f.open_errno = 0;
	broken(&f, "open-says-why");
	f.opened = false; // nobody has tried
	expect_only(&f, "open-says-why", OUTCOME_NOT_SHOWN);
}

static void late_and_missing_warnings_are_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.warnings[1].at_us += 600 * MS;
	broken(&f, "warnings-in-time");
	f = kept();
	f.warning_count = 2; // 99 % is 0.1 s before the stop, which tells itself
	expect_only(&f, NULL, OUTCOME_HELD);
	f.warning_count = 1; // 90 % is missing
	broken(&f, "warnings-in-time");
	f = kept();
	f.grace_us *= 10;
	f.proof_us -= 9 * GRACE;
	f.acted_us -= 9 * GRACE;
	f.refused_us -= 9 * GRACE;
	for (size_t i = 0; i < f.warning_count; i++)
		f.warnings[i].at_us = f.proof_us + f.grace_us / 100 * f.warnings[i].percent;
	expect_only(&f, NULL, OUTCOME_HELD);
	f.warning_count = 2; // now there was 1 s for it
	broken(&f, "warnings-in-time");
	f = kept();
	// The more urgent one stands for those that it overtakes.
	f.refused_us = PROOF + GRACE / 10 * 6;
	f.acted_us = f.refused_us - S;
	f.warnings[0].at_us = f.refused_us + MS;
	f.warnings[0].percent = 60;
	f.away_until_us = f.acted_us + 2 * GRACE;
	expect_only(&f, NULL, OUTCOME_HELD);
}

static void a_slow_return_is_told(void **state)
{
	(void)state;
	struct facts f = kept();
	f.back.first_good = RESTORED + 2120 * MS; // the interval, a tenth, 20 ms, and 1 s
	expect_only(&f, NULL, OUTCOME_HELD);
	f.back.first_good += MS;
	broken(&f, "comes-back");
	f.back.first_good = 0;
	broken(&f, "comes-back");
	f.filesystem = true; // it has to be mounted again: the disk's own return counts
	expect_only(&f, NULL, OUTCOME_HELD);
	f.resumed_us = RESTORED + 3 * S;
	broken(&f, "comes-back");
}

static void wrong_bytes_are_told(void **state)
{
	(void)state;
	struct facts f = kept();
	struct played p scoped(forget) = {.scenario = "made", .bytes_wrong = 4096};
	judged(&f, &p);
	assert_int_equal(p.outcome, OUTCOME_BROKEN);
	f.back.wrong = 1; // seen by a reader, and overwritten since
	broken(&f, "every-byte");
	f = survived();
	f.back.wrong = 1;
	broken(&f, "every-byte");
	// Also if the comparison at the end could not be made.
	struct played read scoped(forget) = {.scenario = "made"};
	assert_int_equal(judge(&f, &read), 0);
	assert_int_equal(read.outcome, OUTCOME_BROKEN);
	assert_string_equal(promise_of(&read, "every-byte")->measured, "wrong blocks read: 1");
	f = survived();
	struct played all scoped(forget) = {
		.scenario = "made", .bytes_verified = 4096, .bytes_wrong = 4096};
	assert_int_equal(judge(&f, &all), 0);
	assert_int_equal(all.outcome, OUTCOME_BROKEN);
	assert_string_equal(promise_of(&all, "every-byte")->measured, "4096 of 4096 bytes wrong");
	struct played unread scoped(forget) = {.scenario = "made"};
	assert_int_equal(judge(&f, &unread), 0);
	assert_int_equal(unread.outcome, OUTCOME_NOT_SHOWN);
}

// When a person did it at a moment that nobody knows, it counts from what was seen.
static void an_unknown_moment_is_not_guessed(void **state)
{
	(void)state;
	struct facts f = kept();
	f.acted_us = f.restored_us = 0;
	expect_only(&f, NULL, OUTCOME_HELD);
	struct played p scoped(forget) = {.scenario = "made"};
	judged(&f, &p);
	for (size_t i = 0; i < p.promise_count; i++)
		assert_string_not_equal(p.promises[i].id, "noticed");
	f.resumed_us += S;
	broken(&f, "comes-back");
	f.resumed_us -= S;
	f.away.last_ok_begun = f.refused_us + GRACE + MS;
	broken(&f, "io-ends-in-time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_holds),
		cmocka_unit_test(a_late_notice_is_told),
		cmocka_unit_test(a_failure_in_the_grace_is_told),
		cmocka_unit_test(io_that_dries_up_in_the_grace_is_told),
		cmocka_unit_test(io_after_the_deadline_is_told),
		cmocka_unit_test(a_pause_in_the_grace_is_told),
		cmocka_unit_test(what_is_promised_is_the_limit_that_counts),
		cmocka_unit_test(the_time_that_an_act_takes_is_allowed_for),
		cmocka_unit_test(io_after_the_policys_time_is_told),
		cmocka_unit_test(a_deadline_that_counts_from_later_is_told),
		cmocka_unit_test(a_disk_that_stops_sooner_than_its_grace_is_told),
		cmocka_unit_test(a_grant_beyond_the_keys_dates_is_no_proof),
		cmocka_unit_test(without_a_grace_it_stops_at_once),
		cmocka_unit_test(a_late_or_early_or_missing_stop_is_told),
		cmocka_unit_test(a_key_that_stays_is_told),
		cmocka_unit_test(other_errors_are_told),
		cmocka_unit_test(an_open_that_says_something_else_is_told),
		cmocka_unit_test(late_and_missing_warnings_are_told),
		cmocka_unit_test(a_slow_return_is_told),
		cmocka_unit_test(wrong_bytes_are_told),
		cmocka_unit_test(an_unknown_moment_is_not_guessed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
