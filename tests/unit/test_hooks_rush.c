// SPDX-License-Identifier: MIT
// Many disks that come near their stop at once, too few threads, a log that hangs, and the end of
// the mount while programs run: what matters most is run first, and nobody is held up.
#include "clock.h"
#include "hooks_internal.h"
#include "hooks_rig.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_bool no_threads, log_hangs;
static atomic_int logged, logging;
static _Thread_local bool posting;
static atomic_bool logged_while_posting;

int __real_pthread_create(
	pthread_t *t, const pthread_attr_t *attr, void *(*main)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *t, const pthread_attr_t *attr, void *(*main)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *t, const pthread_attr_t *attr, void *(*main)(void *), void *arg)
{
	return atomic_load(&no_threads) ? EAGAIN : __real_pthread_create(t, attr, main, arg);
}

void __wrap_log_msg(struct logger *log, enum log_level level, const char *fmt, ...);
void __wrap_log_msg(struct logger *log, enum log_level level, const char *fmt, ...)
{
	(void)log;
	(void)fmt;
	if (level > LOG_LEVEL_WARNING)
		return;
	if (posting)
		atomic_store(&logged_while_posting, true);
	atomic_fetch_add(&logging, 1);
	while (atomic_load(&log_hangs))
		rig_pause_ms(5);
	atomic_fetch_add(&logged, 1);
}

static const char *disk_name(int i, char room[16])
{
	(void)snprintf(room, 16, "disk-%d", i);
	return room;
}

#define RUSH 60

// Each of the hook's runs writes a line when it begins.
static void a_rush_of_warnings_does_not_starve_what_comes_before_the_stops(void **state)
{
	(void)state;
	char name[16];
	struct hooks *h =
		rig_hooks(rig_script("hook", "echo $CMKDISK_EVENT >>$D/log\nsleep 0.05"), NULL, 0);
	for (int i = 0; i < RUSH; i++)
		rig_post(h, EVENT_GRACE_BEGIN, disk_name(i, name), i);
	for (int i = 0; i < RUSH; i++)
		rig_post(h, EVENT_GRACE_WARNING, disk_name(i, name), i);
	for (int i = 0; i < RUSH; i++)
		rig_post(h, EVENT_BEFORE_STOP, disk_name(i, name), 60);
	assert_int_equal(hooks_end(&h, 60000, 60000), 0);
	char *log = rig_text("log"), *rest = log;
	int others = 0, before_stops = 0;
	for (char *line = strsep(&rest, "\n"); line && before_stops < RUSH;
		line = strsep(&rest, "\n"))
		if (strcmp(line, "before-stop") == 0)
			before_stops++;
		else
			others++;
	free(log);
	print_message("%d others ran before the last of %d\n", others, before_stops);
	assert_int_equal(before_stops, RUSH);
	// Those that had been begun, and not one for each disk.
	assert_in_range(others, 0, 2 * HOOKS_AT_ONCE);
}

static void hung_programs_leave_places_for_what_comes_before_a_stop(void **state)
{
	(void)state;
	char name[16];
	struct hooks *h = rig_hooks(rig_script("hook", "[ $CMKDISK_EVENT = before-stop ] || "
						       "exec sleep 100"),
		NULL, 0);
	for (int i = 0; i < 2 * HOOKS_AT_ONCE; i++)
		rig_post(h, EVENT_GRACE_BEGIN, disk_name(i, name), i);
	rig_post(h, EVENT_BEFORE_STOP, "another", 60);
	assert_string_equal(rig_wait(1)->event, "before-stop");
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void without_a_thread_hooks_are_refused(void **state)
{
	(void)state;
	struct hooks *h = NULL;
	struct errmsg err = {""};
	char *programs[] = {(char *)(uintptr_t)rig_script("hook", ":")};
	struct hooks_config c = {.programs = programs, .count = 1};
	atomic_store(&no_threads, true);
	assert_int_equal(hooks_new(&c, &h, &err), -EAGAIN);
	atomic_store(&no_threads, false);
	assert_null(h);
	assert_non_null(strstr(err.text, "cannot start a thread for hooks"));
}

static void with_one_thread_all_are_run_and_it_is_told(void **state)
{
	(void)state;
	struct hooks_stats st;
	struct hooks *h = rig_hooks(rig_script("hook", "sleep 0.05"), NULL, 0);
	atomic_store(&logged, 0);
	atomic_store(&no_threads, true);
	for (int i = 0; i < 4; i++) {
		char name[16];
		rig_post(h, EVENT_STOPPED, disk_name(i, name), i);
	}
	(void)rig_wait(4);
	hooks_stats(h, &st);
	assert_non_null(strstr(st.last_failure, "no thread to run more of them at once"));
	assert_int_equal(hooks_end(&h, 10000, 10000), 0);
	atomic_store(&no_threads, false);
	assert_int_equal(atomic_load(&logged), 1);
}

static void whoever_posts_does_not_wait_for_the_log(void **state)
{
	(void)state;
	struct hooks_stats st;
	struct hooks *h = rig_hooks(rig_script("hook", "exec sleep 100"), NULL, 0);
	atomic_store(&logged, 0);
	posting = true;
	for (int i = 0; i < HOOKS_WAITING_MAX + HOOKS_AT_ONCE + 5; i++) {
		char name[16];
		rig_post(h, EVENT_STOPPED, disk_name(i, name), i);
	}
	posting = false;
	hooks_stats(h, &st);
	assert_in_range(st.dropped, 5, 2 * HOOKS_AT_ONCE);
	assert_non_null(strstr(st.last_failure, "is not run for stopped of disk-"));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	assert_false(atomic_load(&logged_while_posting));
	assert_true(atomic_load(&logged) > 0);
}

static void a_hung_log_does_not_hold_up_the_end(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(rig_script("hook", "exit 3"), NULL, 0);
	atomic_store(&logged, 0);
	atomic_store(&logging, 0);
	atomic_store(&log_hangs, true);
	rig_post(h, EVENT_STOPPED, "d", 0);
	while (atomic_load(&logging) == 0)
		rig_pause_ms(5);
	uint64_t begun = rig_now_ms();
	assert_int_equal(hooks_end(&h, 100, 100), -EBUSY);
	assert_in_range(rig_now_ms() - begun, 100, 20000);
	atomic_store(&log_hangs, false);
	(void)rig_wait(1);
	rig_pause_ms(200); // the thread goes
}

static void those_that_run_at_the_end_have_their_time_and_others_do_not_begin(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(rig_script("hook", "touch $D/began.$CMKDISK_EVENT; sleep 1; "
						       "touch $D/done.$CMKDISK_EVENT"),
		NULL, 0);
	rig_post(h, EVENT_BEFORE_STOP, "d", 60);
	rig_post(h, EVENT_STOPPED, "d", 0);
	while (!rig_exists("began.before-stop"))
		rig_pause_ms(5);
	uint64_t begun = rig_now_ms();
	assert_int_equal(hooks_end(&h, 0, 60000), 0);
	assert_in_range(rig_now_ms() - begun, 0, 30000); // no longer than it takes
	assert_true(rig_exists("done.before-stop"));
	assert_false(rig_exists("began.stopped"));
	assert_string_equal(rig_wait(1)->sentence, "");
}

static void those_that_must_end_may_clean_up(void **state)
{
	(void)state;
	struct hooks *h =
		rig_hooks(rig_script("hook", "trap 'sleep 0.2; touch $D/cleaned; exit 1' TERM\n"
					     "touch $D/began\nwhile :; do sleep 0.05; done"),
			NULL, 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	while (!rig_exists("began"))
		rig_pause_ms(5);
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	assert_true(rig_exists("cleaned"));
}

static bool has_line(char **env, const char *line)
{
	for (; *env; env++)
		if (strcmp(*env, line) == 0)
			return true;
	return false;
}

static void the_seconds_left_are_those_when_the_program_begins(void **state)
{
	(void)state;
	static const char event[] = "{\"secondsLeft\":100,\"msLeft\":99500,"
				    "\"deadlineMicros\":200000000}";
	char **env = NULL;
	assert_int_equal(hook_env_new(event, 198600000, &env), 0);
	assert_true(has_line(env, "CMKDISK_SECONDS_LEFT=2"));
	assert_true(has_line(env, "CMKDISK_MS_LEFT=1400"));
	hook_env_free(&env);
	assert_int_equal(hook_env_new(event, 200000001, &env), 0);
	assert_true(has_line(env, "CMKDISK_SECONDS_LEFT=0"));
	hook_env_free(&env);
	assert_int_equal(hook_env_new("{\"secondsLeft\":100}", 5, &env), 0);
	assert_true(has_line(env, "CMKDISK_SECONDS_LEFT=100"));
	hook_env_free(&env);
}

static void roots_programs_are_not_found_by_the_mounting_shells_path(void **state)
{
	(void)state;
	char **env = NULL;
	assert_int_equal(hook_env_new("{}", 0, &env), 0);
	const bool fixed =
		has_line(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_int_equal(fixed, geteuid() == 0);
	hook_env_free(&env);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(a_rush_of_warnings_does_not_starve_what_comes_before_the_stops),
		TEST(hung_programs_leave_places_for_what_comes_before_a_stop),
		TEST(without_a_thread_hooks_are_refused),
		TEST(with_one_thread_all_are_run_and_it_is_told),
		TEST(whoever_posts_does_not_wait_for_the_log),
		TEST(a_hung_log_does_not_hold_up_the_end),
		TEST(those_that_run_at_the_end_have_their_time_and_others_do_not_begin),
		TEST(those_that_must_end_may_clean_up),
		cmocka_unit_test(the_seconds_left_are_those_when_the_program_begins),
		cmocka_unit_test(roots_programs_are_not_found_by_the_mounting_shells_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
