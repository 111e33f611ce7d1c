// SPDX-License-Identifier: MIT
#include "agent_rig.h"

#include "secret.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

static const uint8_t plain_text[5] = {1, 2, 3, 4, 5};

struct agent *rig_agent_with(struct agent_config c)
{
	struct agent *a = NULL;
	struct errmsg err = {.text = ""};
	c.program = AGENT_PROGRAM;
	c.plugin_dir = PROVIDER_DIR;
	c.config = "{}";
	c.disk = "test";
	if (agent_new(&c, &a, &err))
		fail_msg("%s", err.text);
	return a;
}

struct agent *rig_agent(const char *key_url, uint32_t deadline_ms, struct logger *log)
{
	return rig_agent_with(
		(struct agent_config){.key_url = key_url, .deadline_ms = deadline_ms, .log = log});
}

bool rig_unwrap(struct agent *a, struct agent_answer *answer)
{
	struct secret *plain scoped(secret_free) = NULL;
	uint8_t wrapped[sizeof(plain_text)];
	for (size_t i = 0; i < sizeof(wrapped); i++)
		wrapped[i] = plain_text[i] ^ 0x5a;
	agent_unwrap(a, "v1", "TEST", wrapped, sizeof(wrapped), &plain, answer);
	assert_true((plain != NULL) == (answer->verdict == CMK_GRANTED));
	return plain && plain->len == sizeof(plain_text) &&
	       memcmp(plain->data, plain_text, sizeof(plain_text)) == 0;
}

void rig_wrap(struct agent *a, struct cmk_wrapped *out, struct agent_answer *answer)
{
	struct secret *plain scoped(secret_free) = NULL;
	assert_int_equal(secret_dup(plain_text, sizeof(plain_text), &plain), 0);
	agent_wrap(a, plain, out, answer);
}

bool rig_has_children(void)
{
	siginfo_t info;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static bool is_alive(int pid)
{
	char path[64], state = 'X';
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	bool read = fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
	(void)fclose(f);
	return read && state != 'Z' && state != 'X';
}

bool rig_gone_within(int pid, unsigned ms)
{
	const struct timespec tick = {.tv_nsec = 5 * 1000 * 1000};
	for (unsigned waited = 0; is_alive(pid); waited += 5) {
		if (waited >= ms)
			return false;
		(void)nanosleep(&tick, NULL);
	}
	return true;
}
