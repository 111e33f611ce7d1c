// SPDX-License-Identifier: MIT
// What a hook's program gets to see, in which order and how many at once programs are run, and how
// they end with the mount.
#include "hooks_rig.h"

#include "clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// Those that the C library keeps for itself are ignored in every child of posix_spawn().
#define LIBC_SIGNALS 0x180000000ull

static void expect_good(const struct rig_result *r)
{
	if (r->sentence[0])
		fail_msg("%s", r->sentence);
	assert_int_equal(r->status, 0);
	assert_false(r->timed_out);
}

static void post_full(struct hooks *h, char **text)
{
	struct event e;
	event_begin(&e, EVENT_GRACE_BEGIN, clock_real(), "disk one.img");
	event_str(&e, "keyUrl", "https://v.vault.azure.net/keys/k");
	event_str(&e, "resultDescription", "a sentence\nof two lines");
	event_int(&e, "secondsLeft", 3599);
	event_bool(&e, "byHand", true);
	event_identity(&e, 12, 34);
	e.wall_us = 1795408200123456;
	e.boot_us = 77;
	assert_int_equal(
		event_text(&e, "\"host\":\"h\",\"mountpoint\":\"/m n\",\"pid\":7", text), 0);
	hooks_post(h, &e, *text);
	event_end(&e);
}

// The list of cmkdisk-hooks(7), and nothing beside it.
static void the_environment_is_as_documented_and_nothing_else(void **state)
{
	(void)state;
	static const char *const expected[] = {
		"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "XDG_RUNTIME_DIR"};
	char *text = NULL;
	assert_int_equal(setenv("CMK_TEST_SECRET", "hunter2", 1), 0);
	assert_int_equal(setenv("LANG", "C", 1), 0);
	const char *hook =
		rig_script("hook", "tr '\\n\\0' '/\\n' </proc/$$/environ >$D/env; cat >$D/in");
	struct hooks *h = rig_hooks(hook, NULL, 0);
	post_full(h, &text);
	expect_good(rig_wait(1));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	char *env = rig_text("env"), *rest = env;
	size_t ours = 0;
	for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
		bool known = false;
		for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
			known |= strncmp(line, expected[i], strlen(expected[i])) == 0 &&
				 line[strlen(expected[i])] == '=';
		ours += strncmp(line, "CMKDISK_", 8) == 0;
		if (!known && strncmp(line, "CMKDISK_", 8) != 0)
			fail_msg("the environment has %s", line);
	}
	free(env);
	env = rig_text("env");
	static const char *const facts[] = {"CMKDISK_EVENT=grace-begin\n",
		"CMKDISK_DISK=disk one.img\n", "CMKDISK_MOUNTPOINT=/m n\n",
		"CMKDISK_KEY_URL=https://v.vault.azure.net/keys/k\n", "CMKDISK_SECONDS_LEFT=3599\n",
		"CMKDISK_BY_HAND=true\n", "CMKDISK_OPERATION_NAME=DiskGraceBegin\n",
		"CMKDISK_RESULT_DESCRIPTION=a sentence/of two lines\n", "CMKDISK_HOST=h\n",
		"CMKDISK_PID=7\n", "CMKDISK_CATEGORY=AuditEvent\n", "CMKDISK_BOOT_MICROS=77\n",
		"CMKDISK_TIME=2026-11-23T04:30:00.123456Z\n"};
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (!strstr(env, facts[i]))
			fail_msg("no %s in %s", facts[i], env);
	assert_int_equal(ours, sizeof(facts) / sizeof(facts[0]));
	assert_non_null(strstr(env, "LANG=C\n"));
	free(env);
	(void)unsetenv("CMK_TEST_SECRET");
	char *in = rig_text("in");
	assert_int_equal(in[strlen(in) - 1], '\n');
	in[strlen(in) - 1] = '\0';
	assert_string_equal(in, text);
	free(in);
	free(text);
}

static void an_event_of_no_disk_has_an_empty_name_for_it(void **state)
{
	(void)state;
	struct hooks *h =
		rig_hooks(rig_script("hook", "set -u; echo \"<$CMKDISK_DISK>\" >$D/out"), NULL, 0);
	rig_post(h, EVENT_AGENT_RESTARTED, NULL, 0);
	expect_good(rig_wait(1));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	char *out = rig_text("out");
	assert_string_equal(out, "<>\n");
	free(out);
}

// The fourth descriptor is that of the directory that ls reads.
static void nothing_else_of_ours_is_inherited(void **state)
{
	(void)state;
	int pipes[2];
	assert_int_equal(pipe(pipes), 0); // without CLOEXEC
	(void)signal(SIGPIPE, SIG_IGN);
	// Read by the shell itself, which blocks signals while it starts others.
	struct hooks *h = rig_hooks(
		rig_script("hook", "while read -r line; do\n"
				   "case $line in SigBlk*|SigIgn*) echo \"$line\";; esac\n"
				   "done </proc/$$/status >$D/signals\n"
				   "pwd >$D/pwd\nexec ls /proc/self/fd >$D/fds"),
		NULL, 0);
	rig_post(h, EVENT_ROTATED, "d", 1);
	expect_good(rig_wait(1));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	char *fds = rig_text("fds"), *pwd = rig_text("pwd"), *signals = rig_text("signals");
	assert_string_equal(fds, "0\n1\n2\n3\n");
	assert_string_equal(pwd, "/\n");
	unsigned long long blocked = 1, ignored = 1;
	assert_int_equal(sscanf(signals, "SigBlk:\t%llx\nSigIgn:\t%llx\n", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~LIBC_SIGNALS, 0);
	free(fds);
	free(pwd);
	free(signals);
}

static void each_program_is_run_once_for_an_event(void **state)
{
	(void)state;
	const char *one = rig_script("one", "echo one >>$D/out"),
		   *two = rig_script("two", "echo two >>$D/out");
	struct hooks *h = rig_hooks(one, two, 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	const struct rig_result *r = rig_wait(2);
	expect_good(&r[0]);
	expect_good(&r[1]);
	assert_string_not_equal(r[0].program, r[1].program);
	assert_string_equal(r[0].event, "stopped");
	assert_string_equal(r[0].disk, "d");
	struct hooks_stats st;
	hooks_stats(h, &st);
	assert_int_equal(st.run, 2);
	assert_int_equal(st.failed, 0);
	assert_string_equal(st.last_failure, "");
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	char *out = rig_text("out");
	assert_int_equal(strlen(out), strlen("one\ntwo\n"));
	free(out);
}

static void nothing_is_run_for_kinds_without_hooks(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(rig_script("hook", "echo $CMKDISK_EVENT >>$D/out"), NULL, 0);
	for (int k = 0; k < EVENT_KINDS; k++)
		if (!event_has_hook((enum event_kind)k))
			rig_post(h, (enum event_kind)k, "d", 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	assert_int_equal(hooks_end(&h, 30000, 30000), 0);
	char *out = rig_text("out");
	assert_string_equal(out, "stopped\n");
	free(out);
}

#define DISKS 20
#define ROUNDS 3

// Reads "begin DISK N" and "end DISK N" lines; the most that were under way at once.
static int overlap_of(char *log)
{
	int running = 0, most = 0, open_of[DISKS] = {0}, next_of[DISKS] = {0};
	for (char *line = strsep(&log, "\n"); line && *line; line = strsep(&log, "\n")) {
		char what[8];
		int disk = -1, n = -1;
		assert_int_equal(sscanf(line, "%7s %d %d", what, &disk, &n), 3);
		assert_in_range(disk, 0, DISKS - 1);
		if (strcmp(what, "begin") == 0) {
			assert_int_equal(open_of[disk]++, 0);
			assert_int_equal(next_of[disk], n);
			running++;
		} else {
			assert_int_equal(open_of[disk]--, 1);
			assert_int_equal(next_of[disk]++, n);
			running--;
		}
		most = running > most ? running : most;
	}
	for (int i = 0; i < DISKS; i++)
		assert_int_equal(next_of[i], ROUNDS);
	return most;
}

static void eight_at_once_and_each_disk_in_its_order(void **state)
{
	(void)state;
	struct hooks *h =
		rig_hooks(rig_script("hook", "echo begin $CMKDISK_DISK $CMKDISK_NUMBER >>$D/log\n"
					     "sleep 0.1\n"
					     "echo end $CMKDISK_DISK $CMKDISK_NUMBER >>$D/log"),
			NULL, 0);
	for (int n = 0; n < ROUNDS; n++)
		for (int i = 0; i < DISKS; i++) {
			char disk[16];
			(void)snprintf(disk, sizeof(disk), "%d", i);
			rig_post(h, EVENT_GRACE_WARNING, disk, n);
		}
	(void)rig_wait(DISKS * ROUNDS);
	assert_int_equal(hooks_end(&h, 0, 0), 0);
	char *log = rig_text("log");
	int most = overlap_of(log);
	free(log);
	print_message("%d at once\n", most);
	assert_in_range(most, 2, HOOKS_AT_ONCE);
}

static void those_that_wait_are_run_before_the_end(void **state)
{
	(void)state;
	struct hooks *h =
		rig_hooks(rig_script("hook", "sleep 0.1; echo $CMKDISK_NUMBER >>$D/out"), NULL, 0);
	for (int i = 0; i < 4; i++)
		rig_post(h, EVENT_STOPPED, "d", i);
	assert_int_equal(hooks_end(&h, 30000, 30000), 0);
	assert_null(h);
	assert_int_equal(rig_results(), 4);
	char *out = rig_text("out");
	assert_string_equal(out, "0\n1\n2\n3\n");
	free(out);
}

static void the_end_waits_no_longer_than_it_may_and_kills_the_rest(void **state)
{
	(void)state;
	struct hooks *h = rig_hooks(
		rig_script("hook", "trap '' TERM; echo $$ >$D/pid; while :; do sleep 60; done"),
		NULL, 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	rig_post(h, EVENT_RESUMED, "d", 1);
	while (!rig_exists("pid"))
		rig_pause_ms(5);
	struct hooks_stats st;
	hooks_stats(h, &st);
	assert_int_equal(st.running, 1);
	assert_int_equal(st.waiting, 1);
	uint64_t begun = rig_now_ms();
	assert_int_equal(hooks_end(&h, 200, 200), 0);
	uint64_t took = rig_now_ms() - begun;
	print_message("%u ms\n", (unsigned)took);
	assert_in_range(took, 200, 5000);
	// The second was never run, and nobody is told of it.
	const struct rig_result *r = rig_wait(1);
	assert_int_equal(rig_results(), 1);
	assert_int_equal(r->status, -1);
	assert_false(r->timed_out);
	assert_non_null(strstr(r->sentence, "was ended with the mount"));
	char *pid = rig_text("pid");
	assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), 0), -1);
	free(pid);
	assert_int_equal(hooks_end(&h, 0, 0), 0); // NULL
}

static void *post_many(void *hooks)
{
	for (int i = 0; i < 10; i++) {
		rig_post(hooks, EVENT_ROTATED, i % 2 ? "a" : "b", i);
		struct hooks_stats st;
		hooks_stats(hooks, &st);
	}
	return NULL;
}

static void any_thread_may_post(void **state)
{
	(void)state;
	pthread_t threads[4];
	struct hooks *h = rig_hooks(rig_script("hook", ":"), NULL, 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, h), 0);
	for (size_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(hooks_end(&h, 60000, 60000), 0);
	assert_int_equal(rig_results(), 40);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(the_environment_is_as_documented_and_nothing_else),
		TEST(an_event_of_no_disk_has_an_empty_name_for_it),
		TEST(nothing_else_of_ours_is_inherited),
		TEST(each_program_is_run_once_for_an_event),
		TEST(nothing_is_run_for_kinds_without_hooks),
		TEST(eight_at_once_and_each_disk_in_its_order),
		TEST(those_that_wait_are_run_before_the_end),
		TEST(the_end_waits_no_longer_than_it_may_and_kills_the_rest),
		TEST(any_thread_may_post),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
