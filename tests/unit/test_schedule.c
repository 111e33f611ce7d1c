// SPDX-License-Identifier: MIT
// When the next question is due.
#include "lease_fixture.h"

#include "schedule.h"

static void the_schedule_backs_off_honours_retry_after_and_jitters(void **state)
{
	(void)state;
	struct schedule s;
	schedule_init(&s, 60000, 1, SECOND);
	schedule_answered(&s, false, 0, SECOND);
	assert_in_range(s.due_ns - SECOND, 900 * MS, 1100 * MS);
	schedule_answered(&s, false, 0, SECOND);
	assert_in_range(s.due_ns - SECOND, 1800 * MS, 2200 * MS);
	schedule_answered(&s, false, 30000, SECOND);
	assert_int_equal(s.due_ns, 31 * SECOND);
	schedule_answered(&s, false, UINT32_MAX, SECOND);
	assert_int_equal(s.due_ns, 61 * SECOND);
	for (int i = 0; i < 100; i++)
		schedule_answered(&s, false, 0, SECOND);
	assert_in_range(s.due_ns, 55 * SECOND, 61 * SECOND);
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;
	for (int i = 0; i < 1000; i++) {
		schedule_answered(&s, true, 30000, SECOND);
		least = s.due_ns < least ? s.due_ns : least;
		most = s.due_ns > most ? s.due_ns : most;
	}
	assert_in_range(least, 55 * SECOND, 56 * SECOND);
	assert_in_range(most, 66 * SECOND, 67 * SECOND);
	schedule_answered(&s, false, 0, SECOND); // a good answer has reset the back-off
	assert_in_range(s.due_ns - SECOND, 900 * MS, 1100 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schedule_backs_off_honours_retry_after_and_jitters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
