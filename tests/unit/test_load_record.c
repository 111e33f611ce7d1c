// SPDX-License-Identifier: MIT
// The times that a rehearsal asks a load for, from made-up requests: threads report in any order.
#include "load_record.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START 1000u

static int setup(void **state)
{
	struct load_record *r = malloc(sizeof(*r));
	if (!r || load_record_begin(r, 2, 100) < 0)
		return -1;
	load_record_start(r, START);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct load_record *r = *state;
	load_record_end(r);
	free(r);
	return 0;
}

static void put(struct load_record *r, unsigned thread, uint64_t begun, uint64_t ended, int rc)
{
	struct load_request q = {.thread = thread, .begun = begun, .ended = ended, .rc = rc};
	load_record_put(r, &q);
}

static struct load_view view(struct load_record *r, uint64_t now)
{
	struct load_view v;
	load_record_view(r, now, &v);
	return v;
}

static void the_last_good_one_was_put_before_the_first_failure_ended(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1010, 1020, 0);
	put(r, 1, 1030, 1050, -EIO);
	put(r, 0, 1040, 1060, 0); // put during it
	put(r, 0, 1055, 1070, 0); // after it
	struct load_view v = view(r, 1100);
	assert_int_equal(v.first_failed, 1050);
	assert_int_equal(v.last_good, 1060);
	assert_int_equal(v.last_good_begun, 1040);
	assert_int_equal(v.last_ok_begun, 1055);
	assert_int_equal(v.last_ok_ended, 1070);
}

static void the_first_good_one_was_put_after_the_last_failure_ended(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1010, 1020, -EIO);
	put(r, 1, 1015, 1030, 0); // put during it
	assert_int_equal(view(r, 1100).first_good, 0);
	put(r, 1, 1042, 1048, 0);
	put(r, 0, 1041, 1045, 0); // reported late
	struct load_view v = view(r, 1100);
	assert_int_equal(v.first_good, 1045);
	assert_int_equal(v.first_good_begun, 1041);
	put(r, 0, 1050, 1060, -EIO);
	assert_int_equal(view(r, 1100).first_good, 0);
	put(r, 0, 1070, 1080, 0);
	assert_int_equal(view(r, 1100).first_good, 1080);
	assert_int_equal(view(r, 1100).first_failed, 1020);
}

static void the_first_failure_is_the_one_that_ended_first(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1010, 1040, -EIO);
	put(r, 1, 1020, 1030, -EIO);
	assert_int_equal(view(r, 1100).first_failed, 1030);
}

static void gaps_are_between_successes_of_one_thread_and_up_to_now(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1005, 1010, 0);
	put(r, 1, 1010, 1015, 0);
	put(r, 0, 1050, 1060, 0);
	assert_int_equal(view(r, 1060).longest_gap_us, 50);
	assert_int_equal(view(r, 1115).longest_gap_us, 100); // thread 1 waits still
	load_record_mark(r, 1120);
	put(r, 0, 1118, 1121, 0);
	put(r, 1, 1118, 1122, 0); // it waits through the mark, and the gap is as long as it was
	assert_int_equal(view(r, 1125).longest_gap_us, 107);
	assert_int_equal(view(r, 1125).gap_to_failure_us, 107);
	load_record_mark(r, 1125);
	assert_int_equal(view(r, 1127).longest_gap_us, 6);
	load_record_stop(r, 1130);
	assert_int_equal(view(r, 9999).longest_gap_us, 9);
}

static void a_gap_ends_at_the_first_failure_of_its_thread(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1005, 1010, 0);
	put(r, 1, 1020, 1040, 0);
	assert_int_equal(view(r, 1050).gap_to_failure_us, 40);
	put(r, 0, 1015, 1070, -ENOTCONN);
	put(r, 0, 1080, 2010, 0); // a stop is no pause
	put(r, 1, 1045, 1060, -EIO);
	struct load_view v = view(r, 3000);
	assert_int_equal(v.gap_to_failure_us, 60);
	assert_int_equal(v.longest_gap_us, 1960);
	assert_int_equal(v.first_errno, EIO);
	load_record_mark(r, 3000);
	assert_int_equal(view(r, 3005).gap_to_failure_us, 5);
	assert_int_equal(view(r, 3005).first_errno, 0);
}

static void errors_are_told_by_their_names(void **state)
{
	struct load_record *r = *state;
	put(r, 0, 1005, 1010, -EIO);
	put(r, 0, 1015, 1020, -ENOSPC);
	put(r, 0, 1025, 1030, -EIO);
	assert_string_equal(view(r, 1100).errors, "EIO 2, ENOSPC 1");
	for (int e = 1; e <= 40; e++)
		put(r, 0, 1035, 1040, -e);
	assert_non_null(strstr(view(r, 1100).errors, "EIO 3, ENOSPC 2, EPERM 1, "));
	assert_non_null(strstr(view(r, 1100).errors, ", others 32"));
	assert_int_equal(view(r, 1100).failed, 43);
}

static void each_request_is_in_the_slice_in_which_it_ended(void **state)
{
	struct load_record *r = *state;
	struct load_request w = {.thread = 1, .write = true, .begun = 1050, .ended = 1199};
	put(r, 0, 1005, 1099, 0);
	put(r, 0, 1005, 1100, 0);
	load_record_put(r, &w);
	put(r, 0, 1005, 91000, -EIO);
	struct io_slice *s autofree = NULL;
	size_t count;
	uint64_t first;
	assert_int_equal(load_record_slices(r, &s, &count, &first), 0);
	assert_int_equal(first, START);
	assert_int_equal(count, 901);
	assert_int_equal(s[0].reads, 1);
	assert_int_equal(s[1].reads, 1);
	assert_int_equal(s[1].writes, 1);
	assert_int_equal(s[900].failed, 1);
	for (size_t i = 2; i < 900; i++)
		assert_int_equal(s[i].reads + s[i].writes + s[i].failed, 0);
}

static void the_first_wrong_block_is_named(void **state)
{
	struct load_record *r = *state;
	load_record_wrong(r, "block %d", 1);
	load_record_wrong(r, "block %d", 2);
	assert_int_equal(view(r, 1100).wrong, 2);
	assert_string_equal(view(r, 1100).first_wrong, "block 1");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_last_good_one_was_put_before_the_first_failure_ended),
		TEST(the_first_good_one_was_put_after_the_last_failure_ended),
		TEST(the_first_failure_is_the_one_that_ended_first),
		TEST(gaps_are_between_successes_of_one_thread_and_up_to_now),
		TEST(a_gap_ends_at_the_first_failure_of_its_thread),
		TEST(errors_are_told_by_their_names),
		TEST(each_request_is_in_the_slice_in_which_it_ended),
		TEST(the_first_wrong_block_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
