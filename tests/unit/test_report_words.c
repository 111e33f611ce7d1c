// SPDX-License-Identifier: MIT
// The words of a rehearsal's report: numbers and their units, verdicts that promise no more than
// was judged, and a timeline that tells its story in order and from the right moment.
#include "attr.h"
#include "made_rehearsal.h"
#include "report.h"
#include "scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

// The caller frees it.
static char *printed(const char *name, int (*form)(const struct rehearsal *, FILE *))
{
	char *text = made_printed(name, form);
	assert_non_null(text);
	return text;
}

static void numbers_read_as_people_write_them(void **state)
{
	(void)state;
	char out[REPORT_NUMBER];
	static const struct {
		int64_t us;
		const char *span, *clock;
	} times[] = {{-1, "-", NULL}, {0, "0 us", "0.000"}, {850, "850 us", "0.000"},
		{12345, "12.3 ms", "0.012"}, {4021999, "4.02 s", "4.021"},
		{59999999, "59.9 s", "59.999"}, {64020000, "1 min 04.02 s", "1:04.020"},
		{3604001000, "1 h 00 min 04.00 s", "1:00:04.001"},
		{3599989999, "59 min 59.98 s", "59:59.989"}};
	for (size_t i = 0; i < COUNT(times); i++) {
		report_span(times[i].us, out);
		assert_string_equal(out, times[i].span);
		if (!times[i].clock)
			continue;
		report_clock((uint64_t)times[i].us, out);
		assert_string_equal(out, times[i].clock);
	}
	report_took(64020000, out); // to the second, above a minute
	assert_string_equal(out, "1 min 04 s");
	report_took(4021999, out);
	assert_string_equal(out, "4.02 s");
	report_count(0, out);
	assert_string_equal(out, "0");
	report_count(999, out);
	assert_string_equal(out, "999");
	report_count(UINT64_MAX, out);
	assert_string_equal(out, "18,446,744,073,709,551,615");
	report_wall(INT64_C(1795356185123456), out);
	assert_string_equal(out, "2026-11-22 14:03:05 UTC");
	report_rfc3339(INT64_C(1795356185000006), out);
	assert_string_equal(out, "2026-11-22T14:03:05.000006Z");
}

static void a_scaled_policy_says_so(void **state)
{
	(void)state;
	char out[256];
	struct policy_played p = {3600000, 86400000, 60000, 1};
	report_policy(&p, out, sizeof(out));
	assert_string_equal(out,
		"I/O stops 1 h after a refusal, 1 d without an answer; the key is checked every 1 "
		"min");
	p = (struct policy_played){5500, 86400000, 60000, 60};
	report_policy(&p, out, sizeof(out));
	assert_non_null(strstr(out, "5 s 500 ms after a refusal"));
	assert_non_null(strstr(out, "divided by 60"));
}

static void a_verdict_is_never_better_than_its_promises(void **state)
{
	(void)state;
	char out[160];
	struct rehearsal r = {.count = 0};
	report_summary(&r, out, sizeof(out));
	assert_string_equal(out, "No scenario was played.");
	assert_true(made_rehearsal("broken", &r));
	report_summary(&r, out, sizeof(out));
	assert_string_equal(out, "Promises were broken in 1 of 3 scenarios.");
	r.outcome = r.played[0].outcome = OUTCOME_NOT_SHOWN;
	report_summary(&r, out, sizeof(out));
	assert_non_null(strstr(out, "not all could be shown in 3 of 3"));
	rehearsal_free(&r);
	assert_true(made_rehearsal("held", &r));
	report_summary(&r, out, sizeof(out));
	assert_string_equal(out, "All 9 promises held, in 2 scenarios.");
	rehearsal_free(&r);
}

static void nothing_judged_is_not_called_unbroken(void **state)
{
	(void)state;
	char out[160];
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	assert_true(made_rehearsal("held", &r));
	r.outcome = OUTCOME_NOT_SHOWN;
	for (size_t i = 0; i < r.count; i++) {
		r.played[i].outcome = OUTCOME_NOT_SHOWN;
		for (size_t k = 0; k < r.played[i].promise_count; k++)
			r.played[i].promises[k].outcome = OUTCOME_NOT_SHOWN;
	}
	report_summary(&r, out, sizeof(out));
	assert_string_equal(out, "Nothing was shown: no promise could be judged.");
	r.played[0].promises[0].outcome = OUTCOME_HELD;
	report_summary(&r, out, sizeof(out));
	assert_non_null(strstr(out, "No promise was broken, but not all"));
}

// Two clocks a few microseconds apart must not print an error before what led to it.
static void marks_of_one_printed_time_are_in_the_order_of_the_story(void **state)
{
	(void)state;
	static const struct {
		enum mark_kind kind;
		uint64_t at;
	} given[] = {{MARK_STOPPED, 5000100}, {MARK_GRANTED, 9000900}, {MARK_FIRST_EIO, 5000200},
		{MARK_LAST_GOOD, 5000900}, {MARK_GRACE, 1000999}, {MARK_REFUSED, 1001000},
		{MARK_FIRST_GOOD, 9000100}, {MARK_RESUMED, 9000950}, {MARK_ACTION, 9000960}};
	static const enum mark_kind told[] = {MARK_GRACE, MARK_REFUSED, MARK_LAST_GOOD,
		MARK_FIRST_EIO, MARK_STOPPED, MARK_GRANTED, MARK_RESUMED, MARK_FIRST_GOOD,
		MARK_ACTION}; // one millisecond apart, and of another chapter: by the clock
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct played *p;
	assert_int_equal(rehearsal_add(&r, &p), 0);
	for (size_t i = 0; i < COUNT(given); i++)
		assert_int_equal(played_mark(p, given[i].kind, given[i].at, "%s", ""), 0);
	for (size_t i = 0; i < COUNT(told); i++)
		assert_int_equal(p->marks[i].kind, told[i]);
}

// A person who does not say when it was done: nothing is counted from the asking.
static void since_the_act_counts_from_what_is_known(void **state)
{
	(void)state;
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	char after[REPORT_NUMBER];
	static const char *const since[] = {
		"", "", "0.000", "9.988", "9.989", "9.990", "", "", "1.000"};
	assert_true(made_rehearsal("by-hand", &r));
	assert_int_equal(r.played[0].mark_count, COUNT(since));
	for (size_t i = 0; i < COUNT(since); i++) {
		report_since_act(&r.played[0], &r.played[0].marks[i], after);
		assert_string_equal(after, since[i]);
	}
	autofree char *text = printed("by-hand", report_text),
		      *page = printed("by-hand", report_html);
	assert_non_null(strstr(text, "asked: disable the key's version"));
	assert_non_null(strstr(text, "Where nobody said when it was done"));
	assert_non_null(strstr(page, "Where nobody said when it was done"));
	assert_non_null(strstr(text, "first failure: ENOTCONN"));
	autofree char *told = printed("held", report_text);
	assert_null(strstr(told, "Where nobody said"));
	assert_non_null(strstr(told, "first EIO: "));
}

// Neither a line of text nor one of a browser ends between a number and its unit.
static void a_number_stays_with_its_unit(void **state)
{
	(void)state;
	const char *of = "1 s, 99 % of 4 KiB; 3 steps, every 15 s";
	for (const char *c = of; *c; c++)
		assert_int_equal(report_bound(of, c),
			c == of + 1 || c == of + 7 || c == of + 14 || c == of + 37);
	static const char *const all[] = {"held", "broken", "hour", "by-hand"};
	for (size_t i = 0; i < COUNT(all); i++) {
		autofree char *text = printed(all[i], report_text);
		for (char *end = strchr(text, '\n'); end; end = strchr(end + 1, '\n')) {
			const char *next = end + 1 + strspn(end + 1, " ");
			bool unit = next[0] == 's' && strspn(next + 1, "\n ,;.") > 0;
			if (end > text && end[-1] >= '0' && end[-1] <= '9' && unit)
				fail_msg("a line ends in a duration: %.60s", end - 40);
		}
		assert_null(strstr(text, "\xc2\xa0")); // such blanks are for browsers
	}
	autofree char *page = printed("held", report_html);
	assert_non_null(strstr(page, "the key is checked every 1&#160;s"));
	assert_non_null(strstr(page, "64&#160;MiB read back"));
}

static void what_is_not_known_has_no_row(void **state)
{
	(void)state;
	autofree char *text = printed("broken", report_text),
		      *page = printed("broken", report_html);
	assert_non_null(strstr(strstr(text, "3. The key is purged"), "provider"));
	assert_null(strstr(strstr(text, "3. The key is purged"), "\n  key "));
	assert_null(strstr(page, "<code></code>"));
	assert_non_null(strstr(text, "within 11.1 s        -   "));
	assert_null(strstr(page, "<td class=\"span\"></td>"));
	assert_non_null(strstr(page, "<td class=\"span\">-</td>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_read_as_people_write_them),
		cmocka_unit_test(a_scaled_policy_says_so),
		cmocka_unit_test(a_verdict_is_never_better_than_its_promises),
		cmocka_unit_test(nothing_judged_is_not_called_unbroken),
		cmocka_unit_test(marks_of_one_printed_time_are_in_the_order_of_the_story),
		cmocka_unit_test(since_the_act_counts_from_what_is_known),
		cmocka_unit_test(a_number_stays_with_its_unit),
		cmocka_unit_test(what_is_not_known_has_no_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
