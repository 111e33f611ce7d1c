// SPDX-License-Identifier: MIT
// The client of key agents against real agent processes with a provider that misbehaves in every
// way: always an answer, in time, with a sentence; no zombie, no descriptor, no process left.
#include "agent_rig.h"
#include "clock.h"
#include "open_fds.h"
#include "secret.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static void leftovers_would_be_seen(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent("deviant:good", LONG_MS, NULL);
	assert_int_equal(open_fds(), fds_before + 1); // for agent_cancel()
	assert_int_equal(agent_poll_fd(a), -1);	      // nothing started yet
	assert_true(rig_unwrap(a, &answer));
	assert_true(open_fds() > fds_before);
	assert_true(rig_has_children());
	agent_stats(a, &st);
	assert_true(st.pid > 0);
	assert_false(rig_gone_within(st.pid, 0));
	agent_free(&a);
	assert_true(rig_gone_within(st.pid, 0));
}

static void a_good_provider_answers_every_question(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
	struct agent_stats st;
	struct secret *plain = NULL;
	struct agent *a = rig_agent("DEVIANT:good", LONG_MS, NULL);
	uint64_t before = clock_boot_ns(clock_real());
	rig_wrap(a, &wrapped, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_string_equal(answer.sentence, "");
	assert_in_range(answer.asked_ns, before, clock_boot_ns(clock_real()));
	assert_string_equal(wrapped.version, "v1");
	assert_string_equal(wrapped.alg, "TEST");
	agent_unwrap(a, wrapped.version, wrapped.alg, wrapped.data, wrapped.len, &plain, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_memory_equal(plain->data, "\1\2\3\4\5", 5);
	assert_int_equal(plain->len, 5);
	secret_free(&plain);
	agent_describe(a, "", &info, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_string_equal(info.version, "newest");
	assert_string_equal(info.kty, "RSA");
	assert_string_equal(info.recovery_level, "Purgeable");
	assert_true(
		info.bits == 2048 && info.enabled == 1 && info.nbf == -5 && info.exp == INT64_MAX);
	agent_stats(a, &st);
	assert_true(st.questions == 3 && st.restarts == 0 && st.timeouts == 0 && st.crashes == 0);
	assert_string_equal(agent_key_url(a), "DEVIANT:good");
	agent_free(&a);
}

// Every way in which a process can fail a question: always UNREACHABLE, in time, with the word for
// what happened, and then the back-off.
static void whatever_a_provider_does_is_unreachable_and_said(void **state)
{
	(void)state;
	static const struct {
		const char *url, *said;
		uint32_t deadline_ms;
	} ways[] = {
		{"deviant:hang", "did not answer within 150ms", SHORT_MS},
		{"deviant:openhang", "did not answer within 150ms", SHORT_MS},
		{"deviant:late", "did not answer within 150ms", SHORT_MS},
		{"deviant:chatter", "did not answer within 150ms", SHORT_MS},
		{"deviant:crash", "signal 11", LONG_MS},
		{"deviant:exit", "exit status 3", LONG_MS},
		{"deviant:garbage", "sent nonsense", LONG_MS},
		{"deviant:closeall", "is gone", LONG_MS},
		{"deviant:swap", "is gone", LONG_MS},
		{"deviant:forkdie", "exit status 4", LONG_MS},
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct agent_answer answer;
		struct agent_stats st;
		struct agent *a = rig_agent(ways[i].url, ways[i].deadline_ms, NULL);
		assert_false(rig_unwrap(a, &answer));
		print_message("%s\n", answer.sentence);
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		assert_non_null(strstr(answer.sentence, ways[i].url));
		assert_non_null(strstr(answer.sentence, "deviant provider"));
		assert_non_null(strstr(answer.sentence, ways[i].said));
		assert_in_range(answer.took_ms, 0, ways[i].deadline_ms + 1000);
		agent_stats(a, &st);
		assert_int_equal(st.pid, 0);
		assert_int_equal(st.timeouts + st.crashes, 1);
		assert_int_equal(agent_poll_fd(a), -1);
		assert_false(rig_has_children()); // reaped at once, not at the end
		agent_free(&a);
	}
}

static void a_killed_agent_is_restarted_with_back_off(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent("deviant:exit", LONG_MS, NULL);
	(void)rig_unwrap(a, &answer);
	uint32_t first = 0;
	for (uint32_t expected = 100; expected <= 400; expected *= 2) {
		assert_false(rig_unwrap(a, &answer)); // too soon: not asked
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		assert_non_null(strstr(answer.sentence, "exit status 3"));
		assert_in_range(answer.retry_after_ms, 1, expected);
		assert_in_range(answer.took_ms, 0, 50);
		agent_stats(a, &st);
		assert_int_equal(st.restarts, first++);
		sleep_ms(answer.retry_after_ms + 5);
		(void)rig_unwrap(a, &answer);
		agent_stats(a, &st);
		assert_int_equal(st.restarts, first);
		assert_int_equal(st.crashes, first + 1);
	}
	// An answer ends the back-off: describe() is well-behaved.
	struct cmk_key_info info;
	sleep_ms(805);
	agent_describe(a, "", &info, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	(void)rig_unwrap(a, &answer);
	(void)rig_unwrap(a, &answer);
	assert_in_range(answer.retry_after_ms, 1, 100);
	agent_free(&a);
}

static void odd_answers_are_made_even(void **state)
{
	(void)state;
	static const struct {
		const char *url, *said;
		enum cmk_verdict verdict;
		enum cmk_reason reason;
	} ways[] = {
		{"deviant:verdict", "nonsense verdict (77)", CMK_UNREACHABLE, CMK_REASON_NONE},
		{"deviant:huge", "100000 bytes", CMK_BAD_BLOB, CMK_REASON_NONE},
		{"deviant:empty", "0 bytes", CMK_BAD_BLOB, CMK_REASON_NONE},
		{"deviant:mute", "did not say why", CMK_DENIED, CMK_REASON_NONE},
		{"deviant:painted", "red?[31m?second line", CMK_DENIED, CMK_REASON_DISABLED},
		{"deviant:throttled", "come back later", CMK_UNREACHABLE, CMK_REASON_NONE},
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct agent_answer answer;
		struct agent_stats st;
		struct agent *a = rig_agent(ways[i].url, LONG_MS, NULL);
		assert_false(rig_unwrap(a, &answer));
		assert_int_equal(answer.verdict, ways[i].verdict);
		assert_int_equal(answer.reason, ways[i].reason);
		assert_non_null(strstr(answer.sentence, ways[i].said));
		agent_stats(a, &st);
		assert_true(st.pid > 0 && st.crashes == 0); // no reason to kill it
		if (answer.retry_after_ms) {
			assert_int_equal(answer.retry_after_ms, 1234);
			assert_string_equal(answer.request_id, "id-1");
		}
		agent_free(&a);
	}
}

static void a_wrap_without_version_makes_no_disk(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct cmk_wrapped wrapped;
	struct agent *a = rig_agent("deviant:nameless", LONG_MS, NULL);
	rig_wrap(a, &wrapped, &answer);
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	assert_int_equal(wrapped.len, 0);
	agent_free(&a);
	a = rig_agent("deviant:nonul", LONG_MS, NULL);
	rig_wrap(a, &wrapped, &answer);
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	agent_free(&a);
}

static void an_overlong_blob_is_not_even_asked_about(void **state)
{
	(void)state;
	static uint8_t wrapped[CMK_WRAPPED_MAX + 1];
	struct agent_answer answer;
	struct agent_stats st;
	struct secret *plain = NULL;
	struct agent *a = rig_agent("deviant:good", LONG_MS, NULL);
	agent_unwrap(a, "v1", "TEST", wrapped, sizeof(wrapped), &plain, &answer);
	assert_int_equal(answer.verdict, CMK_BAD_BLOB);
	assert_null(plain);
	assert_true(rig_unwrap(a, &answer)); // and the agent goes on
	agent_stats(a, &st);
	assert_int_equal(st.restarts, 0);
	agent_free(&a);
}

static void a_refused_open_is_the_answer_and_is_tried_again(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent("deviant:opendenied", LONG_MS, NULL);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(answer.verdict, CMK_DENIED);
	assert_int_equal(answer.reason, CMK_REASON_IDENTITY);
	assert_string_equal(answer.sentence, "deviant:opendenied: who are you?");
	assert_true(rig_unwrap(a, &answer));
	agent_stats(a, &st);
	assert_int_equal(st.restarts, 0); // by the same process
	agent_free(&a);
}

static void the_provider_sees_less_time_than_there_is(void **state)
{
	(void)state;
	unsigned left = 0;
	int cancelled = 1;
	long long wall = 0;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:clock", LONG_MS, NULL);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(
		sscanf(answer.sentence, "left=%u cancelled=%d wall=%lld", &left, &cancelled, &wall),
		3);
	assert_in_range(left, 1, LONG_MS - 250);
	assert_int_equal(cancelled, 0);
	assert_true(llabs(wall - (long long)time(NULL)) <= 60);
	agent_free(&a);
}

static void news_between_questions_is_told_once(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:news", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	struct pollfd p = {.fd = agent_poll_fd(a), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(agent_drain(a));
	assert_false(agent_drain(a));
	assert_int_equal(poll(&p, 1, 0), 0);
	agent_free(&a);
}

static void news_that_arrives_before_the_next_question_is_kept(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:news", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	struct pollfd p = {.fd = agent_poll_fd(a), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(rig_unwrap(a, &answer)); // reads the news on the way
	assert_true(agent_drain(a));
	agent_free(&a);
}

static void a_watch_that_never_calms_down_is_no_storm(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:storm", LONG_MS, NULL);
	assert_true(rig_unwrap(a, &answer));
	int told = 0;
	uint64_t start = clock_boot_ns(clock_real());
	uint64_t end = start + 450 * NS_PER_MS;
	for (uint64_t now = start; now < end; now = clock_boot_ns(clock_real())) {
		struct pollfd p = {.fd = agent_poll_fd(a), .events = POLLIN};
		if (poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) > 0)
			told += agent_drain(a);
	}
	assert_in_range(told, 1, 6);
	assert_true(rig_unwrap(a, &answer));
	agent_free(&a);
}

static void an_agent_that_dies_between_questions_is_no_news_and_no_denial(void **state)
{
	(void)state;
	struct agent_answer answer;
	struct agent *a = rig_agent("deviant:idledeath", LONG_MS, NULL);
	(void)rig_unwrap(a, &answer);
	struct pollfd p = {.fd = agent_poll_fd(a), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_false(agent_drain(a));
	assert_int_equal(agent_poll_fd(a), -1);
	assert_false(rig_unwrap(a, &answer)); // too soon
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "signal 14"));
	agent_free(&a);
}

static void a_program_that_is_not_there_is_unreachable(void **state)
{
	(void)state;
	struct agent *a = NULL;
	struct agent_answer answer;
	struct agent_config c = {.program = "/nonexistent/cmkdisk-agent",
		.plugin_dir = PROVIDER_DIR,
		.key_url = "deviant:good",
		.config = "{}",
		.disk = ""};
	assert_int_equal(agent_new(&c, &a, NULL), 0);
	assert_false(rig_unwrap(a, &answer));
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "/nonexistent/cmkdisk-agent"));
	agent_free(&a);
	agent_free(&a); // NULL is allowed
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, nothing_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(leftovers_would_be_seen),
		T(a_good_provider_answers_every_question),
		T(whatever_a_provider_does_is_unreachable_and_said),
		T(a_killed_agent_is_restarted_with_back_off),
		T(odd_answers_are_made_even),
		T(a_wrap_without_version_makes_no_disk),
		T(an_overlong_blob_is_not_even_asked_about),
		T(a_refused_open_is_the_answer_and_is_tried_again),
		T(the_provider_sees_less_time_than_there_is),
		T(news_between_questions_is_told_once),
		T(news_that_arrives_before_the_next_question_is_kept),
		T(a_watch_that_never_calms_down_is_no_storm),
		T(an_agent_that_dies_between_questions_is_no_news_and_no_denial),
		T(a_program_that_is_not_there_is_unreachable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
