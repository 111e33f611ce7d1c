// SPDX-License-Identifier: MIT
// Key agents that cannot be made, started or spoken to, because memory, processes or descriptors
// are short: the answer is "unreachable" with a sentence, nothing is left behind, and the next
// question works.
#include "agent_rig.h"
#include "nth_fault.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int make(struct agent **a, struct errmsg *err)
{
	const struct agent_config c = {.program = AGENT_PROGRAM,
		.plugin_dir = PROVIDER_DIR,
		.key_url = "deviant:good",
		.config = "{}",
		.disk = "test",
		.deadline_ms = LONG_MS};
	return agent_new(&c, a, err);
}

static int new_agent(void *ctx, struct errmsg *err)
{
	struct agent *a scoped(agent_free) = NULL;
	(void)ctx;
	return make(&a, err);
}

static void an_agent_is_made_whole_or_not_at_all(void **state)
{
	(void)state;
	FAULT_EVERY("agent, memory", FAULT_MEMORY, new_agent);
	FAULT_EVERY("agent, descriptors", FAULT_START, new_agent, .errnum = EMFILE);
}

static const int unreachable[] = {ENOLINK, 0};

// Maps the answer to what fault_every() knows: 0 granted, -ENOLINK unreachable with a sentence.
static int outcome(const struct agent_answer *answer, struct errmsg *err)
{
	if (answer->verdict == CMK_GRANTED)
		return 0;
	(void)errmsg_set(err, 0, "%s", answer->sentence);
	return answer->verdict == CMK_UNREACHABLE ? -ENOLINK : -EPROTO;
}

// A process of its own for each question.
static int start_and_ask(void *ctx, struct errmsg *err)
{
	static const uint8_t wrapped[] = {1, 2, 3, 4, 5};
	struct agent *a scoped(agent_free) = NULL;
	struct secret *plain scoped(secret_free) = NULL;
	struct agent_answer answer;
	(void)ctx;
	int r = make(&a, err);
	if (r)
		return r;
	agent_unwrap(a, "v1", "TEST", wrapped, sizeof(wrapped), &plain, &answer);
	if ((plain != NULL) != (answer.verdict == CMK_GRANTED))
		return -EPROTO;
	return outcome(&answer, err);
}

static void no_process_is_left(void *ctx, int result)
{
	(void)ctx;
	(void)result;
	assert_false(rig_has_children());
}

static void an_agent_that_cannot_be_started_is_unreachable(void **state)
{
	static const int memory[] = {ENOMEM, ENOLINK, 0}, processes[] = {EAGAIN, ENOLINK, 0};
	(void)state;
	FAULT_EVERY("question, memory", FAULT_MEMORY, start_and_ask, .errors = memory,
		.after = no_process_is_left);
	FAULT_EVERY("question, processes", FAULT_START, start_and_ask, .errnum = EAGAIN,
		.errors = processes, .after = no_process_is_left);
	FAULT_EVERY("question, line", FAULT_SOCKET, start_and_ask, .errnum = ENOBUFS,
		.errors = unreachable, .after = no_process_is_left);
}

// The same agent all the time: what failed once does not keep it from answering later.
static int ask_running(void *ctx, struct errmsg *err)
{
	struct agent *a = *(struct agent **)ctx;
	struct agent_answer answer;
	struct cmk_key_info info;
	agent_describe(a, "", &info, &answer);
	int r = outcome(&answer, err);
	if (!r)
		(void)agent_drain(a);
	return r;
}

static void answers_once_memory_is_back(void *ctx, int result)
{
	struct agent **a = ctx;
	struct agent_answer answer;
	struct agent_stats stats;
	(void)result;
	assert_true(rig_unwrap(*a, &answer));
	// To be short of memory here is no fault of the process there.
	agent_stats(*a, &stats);
	assert_int_equal(stats.crashes, 0);
	assert_int_equal(stats.restarts, 0);
}

static void a_running_agent_outlives_short_memory(void **state)
{
	struct agent_answer answer;
	struct agent *a scoped(agent_free) = rig_agent("deviant:good", LONG_MS, NULL);
	(void)state;
	assert_true(rig_unwrap(a, &answer));
	FAULT_EVERY("question to a running agent", FAULT_MEMORY, ask_running, .ctx = &a,
		.errors = unreachable, .after = answers_once_memory_is_back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_made_whole_or_not_at_all),
		cmocka_unit_test(an_agent_that_cannot_be_started_is_unreachable),
		cmocka_unit_test(a_running_agent_outlives_short_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
