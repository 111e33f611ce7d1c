// SPDX-License-Identifier: MIT
// When a disk in grace is warned of: which marks, at which nanosecond, how often, and how plans are
// written.
#include "clock.h"
#include "warnings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START (7 * NS_PER_S) // the last proof
#define HOUR (3600 * NS_PER_S)
#define MINUTE (60 * NS_PER_S)

static struct warning_plan plan_of(const char *text, uint64_t before_stop_ms)
{
	struct warning_plan p;
	warning_plan_default(&p);
	assert_int_equal(warning_plan_parse(text, &p, NULL), 0);
	p.before_stop_ms = before_stop_ms;
	return p;
}

// Asks over ns after the last proof, of a grace of grace ns. next: as ns after the last proof.
static struct warning ask(const struct warning_plan *p, struct warned *w, uint64_t grace,
	uint64_t over, uint64_t *next)
{
	uint64_t at = 0;
	struct warning due = warning_due(p, w, START, START + grace, START + over, &at);
	*next = at == UINT64_MAX ? at : at - START;
	return due;
}

static void expect_mark(const struct warning_plan *p, struct warned *w, uint64_t grace,
	uint64_t over, size_t which, unsigned percent)
{
	uint64_t next = 0;
	struct warning due = ask(p, w, grace, over, &next);
	assert_true(due.due);
	assert_false(due.before_stop);
	assert_int_equal(due.which, which);
	assert_int_equal(due.percent, percent);
}

static void expect_nothing(const struct warning_plan *p, struct warned *w, uint64_t grace,
	uint64_t over, uint64_t expected_next)
{
	uint64_t next = 0;
	assert_false(ask(p, w, grace, over, &next).due);
	assert_int_equal(next, expected_next);
}

static void an_hour_is_warned_of_at_its_marks_and_not_a_nanosecond_earlier(void **state)
{
	(void)state;
	struct warning_plan p;
	struct warned w = {0};
	uint64_t next = 0;
	warning_plan_default(&p);
	expect_nothing(&p, &w, HOUR, 0, HOUR / 2);
	expect_nothing(&p, &w, HOUR, HOUR / 2 - 1, HOUR / 2);
	expect_mark(&p, &w, HOUR, HOUR / 2, 0, 50);
	expect_nothing(&p, &w, HOUR, HOUR / 2, 54 * MINUTE);
	expect_mark(&p, &w, HOUR, 54 * MINUTE, 1, 90);
	// Five minutes before the stop, which are less than a tenth.
	expect_nothing(&p, &w, HOUR, 55 * MINUTE - 1, 55 * MINUTE);
	struct warning due = ask(&p, &w, HOUR, 55 * MINUTE, &next);
	assert_true(due.due && due.before_stop);
	assert_int_equal(due.percent, 91);
	assert_int_equal(next, HOUR / 100 * 99);
	expect_nothing(&p, &w, HOUR, HOUR / 100 * 99 - 1, HOUR / 100 * 99);
	expect_mark(&p, &w, HOUR, HOUR / 100 * 99, 2, 99);
	expect_nothing(&p, &w, HOUR, HOUR - 1, UINT64_MAX);
}

static void before_a_short_grace_is_over_the_margin_is_a_tenth(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("off", UINT64_MAX);
	struct warned w = {0};
	uint64_t next = 0;
	expect_nothing(&p, &w, 10 * NS_PER_S, 9 * NS_PER_S - 1, 9 * NS_PER_S);
	assert_true(ask(&p, &w, 10 * NS_PER_S, 9 * NS_PER_S, &next).before_stop);
	assert_int_equal(next, UINT64_MAX);
}

static void a_margin_of_ones_own_counts_and_zero_is_none(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("off", 40 * 60 * MS_PER_S);
	struct warned w = {0};
	uint64_t next = 0;
	expect_nothing(&p, &w, HOUR, 20 * MINUTE - 1, 20 * MINUTE);
	assert_true(ask(&p, &w, HOUR, 20 * MINUTE, &next).before_stop);
	p.before_stop_ms = 0;
	w = (struct warned){0};
	expect_nothing(&p, &w, HOUR, HOUR - 1, UINT64_MAX);
}

static void marks_passed_at_once_are_one_warning_the_latest(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("50%:90%:99%", 0);
	struct warned w = {0};
	// 24 hours of an outage; at 55 minutes it becomes a denial with an hour.
	expect_nothing(&p, &w, 24 * HOUR, 55 * MINUTE, 12 * HOUR);
	expect_mark(&p, &w, HOUR, 55 * MINUTE, 1, 91);
	expect_nothing(&p, &w, HOUR, 55 * MINUTE + 1, HOUR / 100 * 99);
	expect_mark(&p, &w, HOUR, HOUR - 1, 2, 99);
	expect_nothing(&p, &w, HOUR, HOUR - 1, UINT64_MAX);
}

static void before_stop_comes_first_and_hides_no_mark(void **state)
{
	(void)state;
	struct warning_plan p;
	struct warned w = {0};
	uint64_t next = 0;
	warning_plan_default(&p);
	assert_true(ask(&p, &w, HOUR, HOUR - 1, &next).before_stop);
	assert_int_equal(next, HOUR - 1); // at once
	expect_mark(&p, &w, HOUR, HOUR - 1, 2, 99);
	expect_nothing(&p, &w, HOUR, HOUR - 1, UINT64_MAX);
	// Both at the same moment: the default margin of 10 s is its 90 %.
	w = (struct warned){0};
	assert_true(ask(&p, &w, 10 * NS_PER_S, 9 * NS_PER_S, &next).before_stop);
	expect_mark(&p, &w, 10 * NS_PER_S, 9 * NS_PER_S, 1, 90);
}

static void the_order_in_which_marks_are_written_does_not_matter(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("99%:10min:50%", 0);
	struct warned w = {0};
	expect_nothing(&p, &w, HOUR, 0, HOUR / 2);
	expect_mark(&p, &w, HOUR, HOUR / 2, 2, 50);
	expect_nothing(&p, &w, HOUR, HOUR / 2, 50 * MINUTE);
	expect_mark(&p, &w, HOUR, 50 * MINUTE, 1, 83);
	expect_mark(&p, &w, HOUR, HOUR - MINUTE / 2, 0, 99);
	w = (struct warned){0};
	expect_mark(&p, &w, HOUR, HOUR - 1, 0, 99);
	expect_nothing(&p, &w, HOUR, HOUR - 1, UINT64_MAX);
}

static void a_deadline_that_moves_later_does_not_untell(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("50%:10min", 0);
	struct warned w = {0};
	expect_mark(&p, &w, 12 * MINUTE, 2 * MINUTE, 1, 16);
	// The first mark was not passed yet, and is told when it is; the other one never again.
	expect_nothing(&p, &w, HOUR, 2 * MINUTE, HOUR / 2);
	expect_mark(&p, &w, HOUR, HOUR / 2, 0, 50);
	expect_nothing(&p, &w, HOUR, 55 * MINUTE, UINT64_MAX);
}

static void a_grace_of_a_second_is_warned_of_too(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("10min:50%", UINT64_MAX);
	struct warned w = {0};
	uint64_t next = 0;
	// Less than ten minutes are left from the beginning on.
	expect_mark(&p, &w, NS_PER_S, 0, 0, 0);
	expect_nothing(&p, &w, NS_PER_S, 1, NS_PER_S / 2);
	expect_mark(&p, &w, NS_PER_S, NS_PER_S / 2, 1, 50);
	assert_true(ask(&p, &w, NS_PER_S, NS_PER_S / 10 * 9, &next).before_stop);
	expect_nothing(&p, &w, NS_PER_S, NS_PER_S - 1, UINT64_MAX);
}

static void the_end_of_a_grace_is_the_stops_to_tell(void **state)
{
	(void)state;
	struct warning_plan p;
	struct warned w = {0};
	warning_plan_default(&p);
	expect_nothing(&p, &w, HOUR, HOUR, UINT64_MAX);
	expect_nothing(&p, &w, HOUR, 2 * HOUR, UINT64_MAX);
	expect_nothing(&p, &w, 0, 0, UINT64_MAX);
	assert_int_equal(w.told, 0);
	assert_false(w.before_stop);
}

static void a_clock_from_before_the_proof_counts_as_its_moment(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("50%", 0);
	struct warned w = {0};
	uint64_t next = 0;
	struct warning due = warning_due(&p, &w, START, START + HOUR, START - 1, &next);
	assert_false(due.due);
	assert_int_equal(next, START + HOUR / 2);
	// A deadline from before the proof is over.
	assert_false(warning_due(&p, &w, START, START - 1, START, &next).due);
	assert_int_equal(next, UINT64_MAX);
}

static void ten_years_do_not_overflow(void **state)
{
	(void)state;
	uint64_t grace = 3653ull * 24 * HOUR;
	struct warning_plan p = plan_of("1%:99%", 0);
	struct warned w = {0};
	expect_nothing(&p, &w, grace, 0, grace / 100);
	expect_mark(&p, &w, grace, grace / 100, 0, 1);
	expect_mark(&p, &w, grace, grace / 100 * 99, 1, 99);
}

static void a_mark_that_is_no_whole_nanosecond_is_told_after_it(void **state)
{
	(void)state;
	struct warning_plan p = plan_of("50%", 0);
	struct warned w = {0};
	expect_nothing(&p, &w, 101, 50, 51);
	expect_mark(&p, &w, 101, 51, 0, 50);
}

static void plans_are_read(void **state)
{
	(void)state;
	struct warning_plan p;
	warning_plan_default(&p);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.at[0].percent, 50);
	assert_int_equal(p.at[1].percent, 90);
	assert_int_equal(p.at[2].percent, 99);
	assert_true(p.before_stop_ms == UINT64_MAX);
	p.before_stop_ms = 5;
	assert_int_equal(warning_plan_parse("1%:90s:1h 30min", &p, NULL), 0);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.at[0].percent, 1);
	assert_int_equal(p.at[1].percent, 0);
	assert_int_equal(p.at[1].left_ms, 90000);
	assert_int_equal(p.at[2].left_ms, 5400000);
	assert_int_equal(p.before_stop_ms, 5);
	assert_int_equal(warning_plan_parse("off", &p, NULL), 0);
	assert_int_equal(p.count, 0);
	assert_int_equal(p.before_stop_ms, 5);
	assert_int_equal(warning_plan_parse("1%:2%:3%:4%:5%:6%:7%:8%", &p, NULL), 0);
	assert_int_equal(p.count, WARNINGS_MAX);
}

static void other_plans_are_refused_with_a_sentence(void **state)
{
	(void)state;
	static const char *const bad[] = {"", ":", "50%:", ":50%", "0%", "100%", "-1%", "+5%",
		"5 %", "%", "5x%", "50.5%", "99999999999999999999%", "0s", "soon", "off:50%",
		"1%:2%:3%:4%:5%:6%:7%:8%:9%",
		"11111111111111111111111111111111111111111111111111111111111111111111min"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct warning_plan p;
		struct errmsg err = {""};
		warning_plan_default(&p);
		int r = warning_plan_parse(bad[i], &p, &err);
		print_message("%s: %s\n", bad[i], err.text);
		assert_int_equal(r, -EINVAL);
		assert_int_equal(strncmp(err.text, "grace-warnings: ", 16), 0);
		assert_int_equal(p.count, 3);
		assert_int_equal(p.at[0].percent, 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_is_warned_of_at_its_marks_and_not_a_nanosecond_earlier),
		cmocka_unit_test(before_a_short_grace_is_over_the_margin_is_a_tenth),
		cmocka_unit_test(a_margin_of_ones_own_counts_and_zero_is_none),
		cmocka_unit_test(marks_passed_at_once_are_one_warning_the_latest),
		cmocka_unit_test(before_stop_comes_first_and_hides_no_mark),
		cmocka_unit_test(the_order_in_which_marks_are_written_does_not_matter),
		cmocka_unit_test(a_deadline_that_moves_later_does_not_untell),
		cmocka_unit_test(a_grace_of_a_second_is_warned_of_too),
		cmocka_unit_test(the_end_of_a_grace_is_the_stops_to_tell),
		cmocka_unit_test(a_clock_from_before_the_proof_counts_as_its_moment),
		cmocka_unit_test(ten_years_do_not_overflow),
		cmocka_unit_test(a_mark_that_is_no_whole_nanosecond_is_told_after_it),
		cmocka_unit_test(plans_are_read),
		cmocka_unit_test(other_plans_are_refused_with_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
