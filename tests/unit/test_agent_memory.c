// SPDX-License-Identifier: MIT
// After an unwrap the secret is in one place: the caller's struct secret. The memory of the agent
// and of this process is read through /proc/PID/mem; a search first finds what is there.
#include "agent_rig.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LEN 32

// Never the secret itself in this process: the wrapped form, from which it follows.
static uint8_t wrapped[LEN];
static unsigned counter;

static void new_secret(void)
{
	for (size_t i = 0; i < LEN; i++)
		wrapped[i] = (uint8_t)((i * 151 + counter * 29 + 77) ^ (i << 3));
	counter++;
}

static bool is_secret(const uint8_t *p)
{
	for (size_t i = 0; i < LEN; i++)
		if (p[i] != (wrapped[i] ^ 0x5a))
			return false;
	return true;
}

static unsigned count_in(int mem, unsigned long from, unsigned long to, uint8_t *buf, size_t room)
{
	unsigned found = 0;
	for (unsigned long at = from; at < to; at += room - LEN) {
		size_t want = to - at < room ? to - at : room;
		ssize_t n = pread(mem, buf, want, (off_t)at);
		for (ssize_t i = 0; i + LEN <= n; i++)
			found += is_secret(buf + i);
	}
	return found;
}

// How often it is in the memory of a process. -EACCES where it must not be read.
static int count_secret(pid_t pid)
{
	char path[64], line[512];
	size_t room = 1 << 20;
	int found = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	uint8_t *buf = malloc(room);
	if (mem < 0 || !maps || !buf)
		return -EACCES;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from = 0, to = 0;
		char access[8] = "";
		bool known = sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3;
		// A sanitizer's shadow is tens of terabytes of nothing.
		if (known && access[0] == 'r' && access[1] == 'w' && to - from < (1ul << 30))
			found += (int)count_in(mem, from, to, buf, room);
	}
	free(buf);
	(void)fclose(maps);
	(void)close(mem);
	return found;
}

// From a child, lest the search find its own buffer.
static int count_here(void)
{
	pid_t us = getpid(), child = fork();
	int status = 0;
	assert_true(child >= 0);
	if (child == 0)
		_exit(count_secret(us) & 0x7f);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct agent *asked(const char *url, struct secret **plain, int *pid)
{
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent(url, LONG_MS, NULL);
	new_secret();
	agent_unwrap(a, "v1", "TEST", wrapped, LEN, plain, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_true(is_secret((*plain)->data));
	agent_stats(a, &st);
	*pid = st.pid;
	return a;
}

// An agent wipes its buffers right after sending, which we may have overtaken. Nothing but that
// wipe touches them until the next question.
static int settled_count(int pid, int expected)
{
	int found = count_secret(pid);
	for (int tries = 0; tries < 100 && found > expected; tries++) {
		(void)usleep(20 * 1000);
		found = count_secret(pid);
	}
	return found;
}

static void an_agent_keeps_no_copy_of_what_it_unwrapped(void **state)
{
	(void)state;
	int pid = 0;
	struct secret *plain = NULL;
	struct agent *a = asked("deviant:keep", &plain, &pid);
	int found = settled_count(pid, 1); // the copy that this provider keeps
	secret_free(&plain);
	agent_free(&a);
	if (found < 0) {
		print_message("reading an undumpable process is not permitted here\n");
		skip();
	}
	assert_int_equal(found, 1);
	a = asked("deviant:good", &plain, &pid);
	assert_int_equal(settled_count(pid, 0), 0);
	secret_free(&plain);
	agent_free(&a);
}

static void an_agent_keeps_no_copy_of_what_it_wrapped(void **state)
{
	(void)state;
	struct secret *plain = NULL;
	struct cmk_wrapped out;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = rig_agent("deviant:good", LONG_MS, NULL);
	new_secret();
	assert_int_equal(secret_new(LEN, &plain), 0);
	for (size_t i = 0; i < LEN; i++)
		plain->data[i] = wrapped[i] ^ 0x5a;
	agent_wrap(a, plain, &out, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	assert_memory_equal(out.data, wrapped, LEN);
	agent_stats(a, &st);
	int found = settled_count(st.pid, 0);
	secret_free(&plain);
	agent_free(&a);
	if (found < 0)
		skip();
	assert_int_equal(found, 0);
}

static void the_client_keeps_no_copy_either(void **state)
{
	(void)state;
	int pid = 0;
	struct secret *plain = NULL;
	struct agent *a = asked("deviant:good", &plain, &pid);
	int found = count_here();
	if (found == 0x7f) {
		secret_free(&plain);
		agent_free(&a);
		print_message("reading the memory of a parent is not permitted here\n");
		skip();
	}
	assert_int_equal(found, 1); // the caller's
	secret_free(&plain);
	assert_int_equal(count_here(), 0);
	agent_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_keeps_no_copy_of_what_it_unwrapped),
		cmocka_unit_test(an_agent_keeps_no_copy_of_what_it_wrapped),
		cmocka_unit_test(the_client_keeps_no_copy_either),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
