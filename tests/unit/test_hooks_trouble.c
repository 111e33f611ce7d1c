// SPDX-License-Identifier: MIT
// Programs that hang, flood, leave children behind, read nothing, fail, die, or are not to be ended
// at all: each is bounded, and told in one sentence.
#include "child.h"
#include "clock.h"
#include "hooks_internal.h"
#include "hooks_rig.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

// What no program can be asked for: to be stuck in the kernel.
static atomic_bool stuck;
static _Thread_local bool not_a_flusher;
static atomic_int starts_by_flushers;

bool __real_child_end(struct child *c, uint32_t patience_ms, int *status);
bool __wrap_child_end(struct child *c, uint32_t patience_ms, int *status);
bool __wrap_child_end(struct child *c, uint32_t patience_ms, int *status)
{
	return !atomic_load(&stuck) && __real_child_end(c, patience_ms, status);
}

int __real_child_start(const struct child_spec *spec, struct child *c, struct errmsg *err);
int __wrap_child_start(const struct child_spec *spec, struct child *c, struct errmsg *err);
int __wrap_child_start(const struct child_spec *spec, struct child *c, struct errmsg *err)
{
	atomic_fetch_add(&starts_by_flushers, !not_a_flusher);
	return __real_child_start(spec, c, err);
}

int __wrap_prctl(int option, unsigned long value, ...);
int __wrap_prctl(int option, unsigned long value, ...)
{
	if (option == PR_SET_IO_FLUSHER)
		not_a_flusher = value == 0;
	errno = EPERM;
	return -1;
}

static const struct rig_result *run_one(const char *body, uint32_t timeout_ms)
{
	struct hooks *h = rig_hooks(rig_script("hook", body), NULL, timeout_ms);
	rig_post(h, EVENT_STOPPED, "d", 0);
	const struct rig_result *r = rig_wait(1);
	struct hooks_stats st;
	hooks_stats(h, &st);
	assert_int_equal(st.run, 1);
	assert_int_equal(st.failed, r->sentence[0] != '\0');
	assert_int_equal(st.timed_out, r->timed_out);
	assert_string_equal(st.last_failure, r->sentence);
	assert_int_equal(hooks_end(&h, 10000, 10000), 0);
	print_message("%u ms: %s\n", r->took_ms, r->sentence);
	return r;
}

static void expect_sentence(const struct rig_result *r, const char *text)
{
	if (!strstr(r->sentence, text))
		fail_msg("no \"%s\" in \"%s\"", text, r->sentence);
}

static void a_failure_is_told_with_its_status_and_last_words(void **state)
{
	(void)state;
	const struct rig_result *r =
		run_one("echo to stdout; echo 'cannot reach \033[31mmail' >&2; exit 3", 0);
	assert_true(WIFEXITED(r->status));
	assert_int_equal(WEXITSTATUS(r->status), 3);
	expect_sentence(r, "/hook for stopped of d: exit status 3; it last said: \"to stdout "
			   "cannot reach ?[31mmail\"");
}

static void what_a_good_one_says_is_nobodys_business(void **state)
{
	(void)state;
	assert_string_equal(run_one("echo all is well", 0)->sentence, "");
}

static void one_that_dies_is_told_with_its_signal(void **state)
{
	(void)state;
	const struct rig_result *r = run_one("kill -9 $$", 0);
	assert_true(WIFSIGNALED(r->status));
	expect_sentence(r, "ended by signal 9 (Killed)");
}

static void one_that_hangs_is_ended_when_its_time_is_over(void **state)
{
	(void)state;
	const struct rig_result *r = run_one("echo waiting for a lock; exec sleep 100", 300);
	assert_true(r->timed_out);
	assert_int_equal(r->status, -1);
	assert_in_range(r->took_ms, 300, 20000);
	expect_sentence(r, "was not done within 300ms and was ended; it last said: "
			   "\"waiting for a lock\"");
}

static void one_that_cleans_up_when_asked_to_end_gets_the_time_for_it(void **state)
{
	(void)state;
	const struct rig_result *r = run_one(
		"trap 'sleep 0.2; echo done >$D/cleaned; exit 1' TERM\nwhile :; do sleep 0.05; "
		"done",
		200);
	assert_true(r->timed_out);
	assert_true(rig_exists("cleaned"));
}

// Dead, though its new parent may not have asked how it ended.
static bool is_dead(const char *pid)
{
	char path[64], stat[256] = "";
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)strtol(pid, NULL, 10));
	FILE *f = fopen(path, "re");
	if (!f)
		return true;
	bool dead = !fgets(stat, sizeof(stat), f) || strstr(stat, ") Z ");
	(void)fclose(f);
	return dead;
}

static void one_that_will_not_end_is_killed_with_its_children(void **state)
{
	(void)state;
	const struct rig_result *r = run_one(
		"trap '' TERM\nsleep 100 & echo $! >$D/pid\nwhile :; do sleep 0.05; done", 200);
	assert_true(r->timed_out);
	assert_in_range(r->took_ms, 2200, 30000);
	char *pid = rig_text("pid");
	uint64_t until = rig_now_ms() + 20000; // a loaded machine takes its time to bury it
	while (!is_dead(pid) && rig_now_ms() < until)
		rig_pause_ms(5);
	assert_true(is_dead(pid));
	free(pid);
}

// In the group of the program, and in one of its own, where it is not ours to end.
static void a_child_that_keeps_the_output_open_holds_nobody_up(void **state)
{
	(void)state;
	const struct rig_result *r =
		run_one("sleep 100 & setsid sh -c 'echo $$ >$D/own; exec sleep 100' &\n"
			"while [ ! -s $D/own ]; do sleep 0.02; done",
			0);
	assert_string_equal(r->sentence, "");
	assert_in_range(r->took_ms, 0, 20000);
	char *own = rig_text("own");
	assert_int_equal(kill((pid_t)strtol(own, NULL, 10), SIGKILL), 0);
	free(own);
}

static void of_a_flood_the_end_is_kept(void **state)
{
	(void)state;
	const struct rig_result *r = run_one(
		"yes 'a line of the flood' | head -c 20000000; echo the last word; exit 1", 0);
	expect_sentence(r, "flood a line of the flood the last word\"");
	const char *said = strstr(r->sentence, "it last said: \"");
	assert_non_null(said);
	assert_in_range(strlen(said), 200, 15 + 256 + 1);
}

static void a_character_cut_in_two_is_left_out(void **state)
{
	(void)state;
	// 255 bytes of it are kept with the line's end: half a character more than 127.
	const struct rig_result *r = run_one("for i in 1 2 3 4 5 6 7 8 9 10; do\n"
					     "printf '\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
					     "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
					     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
					     "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4'\n"
					     "done\necho; exit 1",
		0);
	expect_sentence(r, "it last said: \"\xc3\xa4");
	assert_null(strchr(r->sentence, '?'));
}

// More than a pipe would take.
static void one_that_reads_nothing_holds_nobody_up(void **state)
{
	(void)state;
	static char large[100001];
	struct event e;
	char *text autofree = NULL;
	memset(large, 'x', sizeof(large) - 1);
	struct hooks *h = rig_hooks(rig_script("hook", "exec <&-; sleep 0.1"), NULL, 0);
	event_begin(&e, EVENT_STOPPED, clock_real(), "d");
	event_str(&e, "resultDescription", large);
	assert_int_equal(event_text(&e, "", &text), 0);
	hooks_post(h, &e, text);
	event_end(&e);
	assert_string_equal(rig_wait(1)->sentence, "");
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void before_a_stop_there_is_as_much_time_as_is_left(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(rig_script("hook", "sleep 1"), NULL, 100);
	rig_post(h, EVENT_BEFORE_STOP, "d", 50); // seconds left
	rig_post(h, EVENT_BEFORE_STOP, "e", 0);
	const struct rig_result *r = rig_wait(2);
	assert_string_equal(r[0].disk, "e"); // in its usual time, which is too short
	assert_true(r[0].timed_out);
	assert_string_equal(r[1].disk, "d");
	assert_string_equal(r[1].sentence, "");
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void one_stuck_in_the_kernel_keeps_its_place_and_the_others_go_on(void **state)
{
	(void)state;
	const char *bad = rig_script("hook", "echo $$ >$D/pid.$CMKDISK_DISK; exec sleep 100");
	struct hooks *h = rig_hooks(bad, NULL, 200);
	atomic_store(&stuck, true);
	rig_post(h, EVENT_STOPPED, "a", 0);
	const struct rig_result *r = rig_wait(1);
	expect_sentence(r, "was ended, but is stuck in the kernel and keeps its place");
	assert_true(r->timed_out);
	struct hooks_stats st;
	hooks_stats(h, &st);
	assert_int_equal(st.running, 1);
	rig_post(h, EVENT_RESUMED, "a", 0); // must wait for the first
	rig_post(h, EVENT_STOPPED, "b", 0);
	(void)rig_wait(2);
	assert_string_equal(r[1].disk, "b");
	hooks_stats(h, &st);
	assert_int_equal(st.running, 2);
	assert_int_equal(st.waiting, 1);
	atomic_store(&stuck, false);
	(void)rig_wait(3);
	assert_string_equal(r[2].event, "resumed");
	assert_int_equal(hooks_end(&h, 10000, 10000), 0);
}

static void what_stays_stuck_is_left_behind_at_the_end(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(rig_script("hook", "exec sleep 100"), NULL, 100);
	atomic_store(&stuck, true);
	rig_post(h, EVENT_STOPPED, "a", 0);
	(void)rig_wait(1);
	uint64_t begun = rig_now_ms();
	assert_int_equal(hooks_end(&h, 100, 100), 0);
	assert_in_range(rig_now_ms() - begun, 100, 10000);
	atomic_store(&stuck, false);
	int status = 0; // SIGTERM ended it: only we were told otherwise
	assert_true(waitpid(-1, &status, 0) > 0);
}

static void programs_are_started_by_threads_that_are_no_io_helpers(void **state)
{
	(void)state;
	atomic_store(&starts_by_flushers, 0);
	(void)run_one(":", 0);
	assert_int_equal(atomic_load(&starts_by_flushers), 0);
}

static void an_event_that_cannot_be_told_is_a_failure(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "[]", "{\"a\":1,\"a\":2}"};
	for (size_t i = 0; i < 3; i++) {
		char **env = NULL;
		assert_int_equal(hook_env_new(bad[i], 0, &env), -EBADMSG);
		assert_null(env);
	}
	struct event e;
	struct hooks *h = rig_hooks(rig_script("hook", "touch $D/ran"), NULL, 0);
	event_begin(&e, EVENT_STOPPED, clock_real(), "d");
	hooks_post(h, &e, "{");
	event_end(&e);
	expect_sentence(rig_wait(1), "no variables can be made of the event");
	assert_false(rig_exists("ran"));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(a_failure_is_told_with_its_status_and_last_words),
		TEST(what_a_good_one_says_is_nobodys_business),
		TEST(one_that_dies_is_told_with_its_signal),
		TEST(one_that_hangs_is_ended_when_its_time_is_over),
		TEST(one_that_cleans_up_when_asked_to_end_gets_the_time_for_it),
		TEST(one_that_will_not_end_is_killed_with_its_children),
		TEST(a_child_that_keeps_the_output_open_holds_nobody_up),
		TEST(of_a_flood_the_end_is_kept),
		TEST(a_character_cut_in_two_is_left_out),
		TEST(one_that_reads_nothing_holds_nobody_up),
		TEST(before_a_stop_there_is_as_much_time_as_is_left),
		TEST(one_stuck_in_the_kernel_keeps_its_place_and_the_others_go_on),
		TEST(what_stays_stuck_is_left_behind_at_the_end),
		TEST(programs_are_started_by_threads_that_are_no_io_helpers),
		TEST(an_event_that_cannot_be_told_is_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
