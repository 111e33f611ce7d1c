// SPDX-License-Identifier: MIT
// An agent as a process: what it sees of us, what others see of it, which signals reach it, and
// that it ends with its daemon, and its children with it.
#include "agent_rig.h"
#include "errmsg.h"
#include "log.h"
#include "open_fds.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int fds_before;

static int setup(void **state)
{
	(void)state;
	fds_before = open_fds();
	return 0;
}

static int nothing_left(void **state)
{
	(void)state;
	assert_int_equal(open_fds(), fds_before);
	assert_false(rig_has_children());
	return 0;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

static void an_agent_sees_nothing_of_ours(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct cmk_key_info info;
	struct agent *a = rig_agent("deviant:witness", LONG_MS, NULL);
	assert_int_equal(setenv("CMK_TEST_SECRET", "hunter2", 1), 0);
	assert_int_equal(setenv("LANG", "C", 1), 0);
	agent_describe(a, "", &info, &answer);
	(void)unsetenv("CMK_TEST_SECRET");
	print_message("%s\n", answer.sentence);
	char env[512];
	(void)snprintf(env, sizeof(env), "%s", answer.sentence);
	char *end = strchr(env, ']');
	assert_non_null(end);
	*end = '\0';
	assert_non_null(strstr(env, " LANG "));
	char *words = env + strlen("env=[");
	for (char *word = strsep(&words, " "); word; word = strsep(&words, " ")) {
		char padded[64];
		(void)snprintf(padded, sizeof(padded), " %s ", word);
		assert_true(!*word || strstr(" PATH LANG LC_ALL LC_CTYPE TZ ", padded));
	}
	assert_non_null(
		strstr(answer.sentence, " fds=[0,1,2,3] dumpable=0 leader=1 core=0 int=1 cwd=/"));
	agent_free(&a);
}

struct heard {
	int questions, restarts;
	struct agent_answer answer;
	enum agent_question question;
	char version[64], after[256];
};

static void hear(void *ctx, const struct agent_answered *a)
{
	struct heard *h = ctx;
	h->questions++;
	h->question = a->question;
	h->answer = *a->answer;
	(void)snprintf(h->version, sizeof(h->version), "%s", a->version);
	if (!a->restarted_after)
		return;
	h->restarts++;
	(void)snprintf(h->after, sizeof(h->after), "%s", a->restarted_after);
}

static struct agent *heard_agent(const char *key_url, struct heard *h)
{
	return rig_agent_with((struct agent_config){
		.key_url = key_url, .deadline_ms = LONG_MS, .answered = hear, .answered_ctx = h});
}

static void whoever_wants_to_know_hears_each_answer(void **state)
{
	(void)state;
	struct heard h = {.questions = 0};
	struct agent_answer answer;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
	struct agent *a = heard_agent("deviant:good", &h);
	assert_true(rig_unwrap(a, &answer));
	assert_int_equal(h.questions, 1);
	assert_int_equal(h.question, AGENT_UNWRAP);
	assert_string_equal(h.version, "v1");
	assert_memory_equal(&h.answer, &answer, sizeof(answer));
	rig_wrap(a, &wrapped, &answer);
	assert_int_equal(h.question, AGENT_WRAP);
	assert_string_equal(h.version, wrapped.version);
	agent_describe(a, "", &info, &answer);
	assert_int_equal(h.question, AGENT_DESCRIBE);
	assert_string_equal(h.version, info.version);
	assert_int_equal(h.questions, 3);
	assert_int_equal(h.restarts, 0);
	agent_free(&a);
}

static void a_restart_is_told_with_what_befell_the_process_before(void **state)
{
	(void)state;
	struct heard h = {.questions = 0};
	struct agent_answer answer;
	struct agent *a = heard_agent("deviant:crash", &h);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(h.restarts, 0);
	for (int i = 0; i < 100 && h.restarts == 0; i++) {
		sleep_ms(20);
		assert_false(rig_unwrap(a, &answer));
	}
	assert_int_equal(h.restarts, 1);
	assert_non_null(strstr(h.after, "signal 11"));
	agent_free(&a);
}

// What other users of the machine can see of it.
static void nothing_of_the_question_is_in_argv_or_environ(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent_stats st;
	char path[64], text[4096];
	struct agent *a = rig_agent("deviant:good?pin=hunter2", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	agent_stats(a, &st);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", st.pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	assert_string_equal(text, AGENT_PROGRAM);
	assert_int_equal(n, sizeof(AGENT_PROGRAM) + sizeof("--fd") + sizeof("3"));
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", st.pid);
	f = fopen(path, "re"); // not for an ordinary user: it is undumpable
	if (f) {
		n = fread(text, 1, sizeof(text), f);
		(void)fclose(f);
		assert_null(memmem(text, n, "hunter2", 7));
		assert_null(memmem(text, n, "HOME=", 5));
	}
	agent_free(&a);
}

static void terminal_signals_do_not_reach_it_but_sigterm_ends_it(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent("deviant:good", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	agent_stats(a, &st);
	assert_int_equal(kill(st.pid, SIGINT), 0);
	assert_int_equal(kill(st.pid, SIGHUP), 0);
	assert_true(rig_unwrap(a, &answer));
	assert_int_equal(kill(st.pid, SIGTERM), 0);
	assert_true(rig_gone_within(st.pid, 5000));
	struct pollfd p = {.fd = agent_poll_fd(a), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_false(agent_drain(a)); // it died: no news of the key
	assert_int_equal(agent_poll_fd(a), -1);
	assert_false(rig_has_children());
	sleep_ms(105);
	assert_true(rig_unwrap(a, &answer));
	agent_free(&a);
}

static void a_forked_child_does_not_outlive_its_agent(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:fork", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	int pid = (int)strtol(answer.request_id, NULL, 10);
	assert_true(pid > 0);
	assert_false(rig_gone_within(pid, 0));
	agent_free(&a);
	assert_true(rig_gone_within(pid, 5000));
}

// A daemon of which nothing is left but a hanging question.
static void run_doomed_daemon(int report)
{
	struct agent_answer answer;
	struct agent_stats st;
	struct cmk_key_info info;
	struct agent *a = rig_agent("deviant:hang", LONG_MS, NULL);
	agent_describe(a, "", &info, &answer);
	agent_stats(a, &st);
	if (write(report, &st.pid, sizeof(st.pid)) == sizeof(st.pid))
		(void)rig_unwrap(a, &answer);
	_exit(1);
}

static void kill_9_of_the_daemon_leaves_no_agent(void **state)
{
	(void)state;
	int ends[2], agent_pid = 0;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(ends), 0);
	pid_t daemon = fork();
	assert_true(daemon >= 0);
	if (daemon == 0)
		run_doomed_daemon(ends[1]);
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], &agent_pid, sizeof(agent_pid)), sizeof(agent_pid));
	(void)close(ends[0]);
	sleep_ms(20); // into the question
	assert_false(rig_gone_within(agent_pid, 0));
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_true(rig_gone_within(agent_pid, 5000));
	assert_int_equal(waitpid(agent_pid, NULL, 0), agent_pid); // orphaned to us
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void read_back(int fd, char *text, size_t room)
{
	ssize_t n = pread(fd, text, room - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void a_providers_log_is_ours_and_it_may_say_farewell(void **state)
{
	(void)state;
	struct logger *log = NULL;
	struct agent_answer answer;
	struct cmk_key_info info;
	char text[1024];
	int fd = memfd_create("stderr", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
	assert_true(fd >= 0 && kept >= 0);
	assert_int_equal(logger_new("test", LOG_LEVEL_NOTICE, &log), 0);
	struct agent *a = rig_agent("deviant:farewell", LONG_MS, log);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	agent_describe(a, "v7", &info, &answer);
	agent_free(&a);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	read_back(fd, text, sizeof(text));
	assert_non_null(strstr(text, "deviant provider: describing v7"));
	assert_non_null(strstr(text, "closed in an orderly way"));
	logger_free(&log);
	(void)close(fd);
	(void)close(kept);
}

static void *cancel_soon(void *agent)
{
	sleep_ms(100);
	agent_cancel(agent);
	return NULL;
}

static void a_cancelled_question_to_a_provider_that_hangs_ends_at_once(void **state)
{
	(void)state;
	struct agent_answer answer;
	pthread_t thread;
	struct agent *a = rig_agent("deviant:hang", LONG_MS, NULL);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, a), 0);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "because the mount ends"));
	assert_in_range(answer.took_ms, 90, LONG_MS / 2);
	// So do all later ones.
	sleep_ms(150);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_in_range(answer.took_ms, 0, LONG_MS / 2);
	agent_free(&a);
}

// What a vendor's library leaks goes with the process, before it matters.
static void a_process_that_was_asked_often_makes_room_for_a_new_one(void **state)
{
	(void)state;
	struct agent *a = NULL;
	struct agent_answer answer;
	struct agent_stats st;
	struct errmsg err = {.text = ""};
	const struct agent_config c = {.program = AGENT_PROGRAM,
		.plugin_dir = PROVIDER_DIR,
		.key_url = "deviant:good",
		.config = "{}",
		.disk = "",
		.deadline_ms = LONG_MS,
		.renew_after = 3};
	assert_int_equal(agent_new(&c, &a, &err), 0);
	int pid = 0, processes = 0;
	for (unsigned i = 0; i < 7; i++) {
		assert_true(rig_unwrap(a, &answer));
		agent_stats(a, &st);
		assert_int_equal(st.pid != pid, i % 3 == 0);
		processes += st.pid != pid;
		assert_true(st.pid == pid || pid == 0 || rig_gone_within(pid, 0));
		pid = st.pid;
	}
	assert_int_equal(processes, 3);
	assert_true(st.restarts == 0 && st.crashes == 0 && st.timeouts == 0);
	agent_free(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, nothing_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_agent_sees_nothing_of_ours),
		T(whoever_wants_to_know_hears_each_answer),
		T(a_restart_is_told_with_what_befell_the_process_before),
		T(nothing_of_the_question_is_in_argv_or_environ),
		T(terminal_signals_do_not_reach_it_but_sigterm_ends_it),
		T(a_forked_child_does_not_outlive_its_agent),
		T(a_providers_log_is_ours_and_it_may_say_farewell),
		T(a_cancelled_question_to_a_provider_that_hangs_ends_at_once),
		T(kill_9_of_the_daemon_leaves_no_agent),
		T(a_process_that_was_asked_often_makes_room_for_a_new_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
