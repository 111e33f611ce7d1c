// SPDX-License-Identifier: MIT
// What is run next, and what is given up when too much waits.
#include "clock.h"
#include "hooks.h"
#include "hooks_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hook_job *job(enum event_kind k, const char *disk, size_t program)
{
	struct event e;
	event_begin(&e, k, clock_real(), disk);
	struct hook_job *j = hook_job_new(&e, "{}", program);
	event_end(&e);
	assert_non_null(j);
	return j;
}

static void put(struct hook_queue *q, struct hook_job *j)
{
	assert_null(hook_queue_put(q, j));
}

static void expect_given_up(struct hook_job *j, enum event_kind k, const char *disk)
{
	assert_non_null(j);
	assert_int_equal(j->kind, k);
	assert_string_equal(j->disk, disk);
	free(j);
}

static void fill(struct hook_queue *q, enum event_kind k, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char disk[32];
		(void)snprintf(disk, sizeof(disk), "%s-%zu", event_name(k), i);
		put(q, job(k, disk, 0));
	}
}

static void one_of_a_disk_and_program_at_a_time(void **state)
{
	(void)state;
	struct hook_queue q;
	hook_queue_init(&q);
	assert_null(hook_queue_take(&q));
	struct hook_job *a1 = job(EVENT_GRACE_BEGIN, "a", 0), *a2 = job(EVENT_STOPPED, "a", 0),
			*a3 = job(EVENT_GRACE_BEGIN, "a", 1), *b1 = job(EVENT_STOPPED, "b", 0);
	put(&q, a1);
	put(&q, a2);
	put(&q, a3);
	put(&q, b1);
	assert_ptr_equal(hook_queue_take(&q), a1);
	assert_ptr_equal(hook_queue_take(&q), a3); // another program need not wait
	assert_ptr_equal(hook_queue_take(&q), b1);
	assert_null(hook_queue_take(&q));
	assert_int_equal(q.running_count, 3);
	hook_queue_done(&q, a3);
	assert_null(hook_queue_take(&q));
	hook_queue_done(&q, a1);
	assert_ptr_equal(hook_queue_take(&q), a2);
	hook_queue_done(&q, a2);
	hook_queue_done(&q, b1);
	assert_int_equal(q.running_count + q.waiting_count, 0);
}

static void warnings_are_given_up_first_the_oldest_of_them(void **state)
{
	(void)state;
	struct hook_queue q;
	hook_queue_init(&q);
	fill(&q, EVENT_STOPPED, HOOKS_WAITING_MAX - 5);
	put(&q, job(EVENT_GRACE_BEGIN, "g", 0));
	put(&q, job(EVENT_GRACE_WARNING, "w", 0));
	put(&q, job(EVENT_STORE_ERROR, "s", 0));
	put(&q, job(EVENT_AGENT_RESTARTED, "", 0));
	put(&q, job(EVENT_BEFORE_STOP, "b", 0));
	expect_given_up(hook_queue_put(&q, job(EVENT_RESUMED, "1", 0)), EVENT_GRACE_WARNING, "w");
	expect_given_up(hook_queue_put(&q, job(EVENT_STOPPED, "2", 0)), EVENT_STORE_ERROR, "s");
	expect_given_up(hook_queue_put(&q, job(EVENT_STOPPED, "3", 0)), EVENT_AGENT_RESTARTED, "");
	expect_given_up(hook_queue_put(&q, job(EVENT_STOPPED, "4", 0)), EVENT_GRACE_BEGIN, "g");
	expect_given_up(hook_queue_put(&q, job(EVENT_STOPPED, "5", 0)), EVENT_RESUMED, "1");
	// Itself, when all that wait weigh more.
	expect_given_up(
		hook_queue_put(&q, job(EVENT_GRACE_WARNING, "6", 0)), EVENT_GRACE_WARNING, "6");
	expect_given_up(hook_queue_put(&q, job(EVENT_ROTATED, "7", 0)), EVENT_ROTATED, "7");
	// Of equals the oldest.
	expect_given_up(hook_queue_put(&q, job(EVENT_STOPPED, "8", 0)), EVENT_STOPPED, "stopped-0");
	assert_int_equal(q.waiting_count, HOOKS_WAITING_MAX);
	assert_int_equal(hook_queue_clear(&q), HOOKS_WAITING_MAX);
}

static void what_runs_takes_no_room_from_what_waits(void **state)
{
	(void)state;
	struct hook_queue q;
	hook_queue_init(&q);
	fill(&q, EVENT_GRACE_BEGIN, HOOKS_WAITING_MAX);
	struct hook_job *j = hook_queue_take(&q);
	put(&q, job(EVENT_STOPPED, "x", 0));
	expect_given_up(
		hook_queue_put(&q, job(EVENT_STOPPED, "y", 0)), EVENT_GRACE_BEGIN, "grace-begin-1");
	hook_queue_done(&q, j);
	(void)hook_queue_clear(&q);
}

static void only_before_a_stop_more_time_is_useful(void **state)
{
	(void)state;
	struct event e;
	event_begin(&e, EVENT_BEFORE_STOP, clock_real(), "d");
	event_int(&e, "secondsLeft", 100);
	uint64_t now = hook_now_ms();
	struct hook_job *j = hook_job_new(&e, "{}", 0);
	assert_in_range(j->useful_until_ms, now + 100000, now + 110000);
	free(j);
	e.kind = EVENT_GRACE_BEGIN;
	j = hook_job_new(&e, "{}", 0);
	assert_int_equal(j->useful_until_ms, 0);
	free(j);
	event_end(&e);
}

static void what_leads_to_a_stop_goes_first_and_has_places_of_its_own(void **state)
{
	(void)state;
	struct hook_queue q;
	struct hook_job *running[HOOKS_AT_ONCE], *near = job(EVENT_ROTATED, "near", 0),
						 *stop = job(EVENT_BEFORE_STOP, "near", 0);
	hook_queue_init(&q);
	fill(&q, EVENT_GRACE_BEGIN, 20);
	for (size_t i = 0; i < HOOKS_AT_ONCE - HOOKS_RESERVED; i++) {
		running[i] = hook_queue_take(&q);
		assert_non_null(running[i]);
	}
	assert_null(hook_queue_take(&q));
	put(&q, near);
	assert_null(hook_queue_take(&q));
	put(&q, stop);
	assert_ptr_equal(hook_queue_take(&q), near); // the order of a disk holds
	assert_null(hook_queue_take(&q));
	hook_queue_done(&q, near);
	assert_ptr_equal(hook_queue_take(&q), stop);
	hook_queue_done(&q, stop);
	for (size_t i = 0; i < HOOKS_AT_ONCE - HOOKS_RESERVED; i++)
		hook_queue_done(&q, running[i]);
	(void)hook_queue_clear(&q);
}

// Whether `waits` is taken out for `fresh` of the same, or another, disk.
static bool is_overtaken(enum event_kind waits, enum event_kind fresh, const char *disk)
{
	struct hook_queue q;
	struct hook_job *first = job(waits, "a", 0), *second = job(fresh, disk, 0);
	hook_queue_init(&q);
	put(&q, first);
	struct hook_job *got = hook_queue_overtaken(&q, second);
	if (got) {
		assert_ptr_equal(got, first);
		free(got);
	}
	free(second);
	assert_int_equal(hook_queue_clear(&q), got ? 0 : 1);
	return got != NULL;
}

static void what_a_later_event_makes_moot_is_not_run(void **state)
{
	(void)state;
	assert_true(is_overtaken(EVENT_GRACE_BEGIN, EVENT_BEFORE_STOP, "a"));
	assert_true(is_overtaken(EVENT_GRACE_WARNING, EVENT_BEFORE_STOP, "a"));
	assert_true(is_overtaken(EVENT_GRACE_WARNING, EVENT_STOPPED, "a"));
	// Nothing is to be shut down for a disk that goes on.
	assert_true(is_overtaken(EVENT_BEFORE_STOP, EVENT_GRACE_END, "a"));
	// What is above a stopped disk is better unmounted late than never.
	assert_false(is_overtaken(EVENT_BEFORE_STOP, EVENT_STOPPED, "a"));
	assert_false(is_overtaken(EVENT_GRACE_BEGIN, EVENT_GRACE_END, "a"));
	assert_false(is_overtaken(EVENT_ROTATED, EVENT_BEFORE_STOP, "a"));
	assert_false(is_overtaken(EVENT_STOPPED, EVENT_RESUMED, "a"));
	assert_false(is_overtaken(EVENT_GRACE_BEGIN, EVENT_BEFORE_STOP, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_a_disk_and_program_at_a_time),
		cmocka_unit_test(warnings_are_given_up_first_the_oldest_of_them),
		cmocka_unit_test(what_runs_takes_no_room_from_what_waits),
		cmocka_unit_test(only_before_a_stop_more_time_is_useful),
		cmocka_unit_test(what_leads_to_a_stop_goes_first_and_has_places_of_its_own),
		cmocka_unit_test(what_a_later_event_makes_moot_is_not_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
