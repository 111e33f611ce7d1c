// SPDX-License-Identifier: MIT
// ask_agent PROGRAM PLUGINDIR KEYURL: wraps a random secret and unwraps it again through a key
// agent; prints the answers. Exit status: the verdict of the first that was not granted.
#include "agent.h"
#include "scope.h"
#include "secret.h"

#include <string.h>

static int failed(const char *what, const struct agent_answer *answer)
{
	(void)printf("%s: verdict %d: %s\n", what, (int)answer->verdict, answer->sentence);
	return (int)answer->verdict;
}

static int go_round(struct agent *a)
{
	struct secret *plain scoped(secret_free) = NULL, *back scoped(secret_free) = NULL;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
	struct agent_answer answer;
	if (secret_random(32, &plain))
		return 70;
	agent_wrap(a, plain, &wrapped, &answer);
	if (answer.verdict != CMK_GRANTED)
		return failed("wrap", &answer);
	agent_unwrap(a, wrapped.version, wrapped.alg, wrapped.data, wrapped.len, &back, &answer);
	if (answer.verdict != CMK_GRANTED)
		return failed("unwrap", &answer);
	if (!secret_equal(plain, back))
		return 71;
	agent_describe(a, "", &info, &answer);
	(void)printf("version %s, alg %s, %zu bytes, enabled %d\n", wrapped.version, wrapped.alg,
		wrapped.len, info.enabled);
	wrapped.data[0] ^= 1;
	secret_free(&back);
	agent_unwrap(a, wrapped.version, wrapped.alg, wrapped.data, wrapped.len, &back, &answer);
	return answer.verdict == CMK_BAD_BLOB ? 0 : 72;
}

int main(int argc, char **argv)
{
	struct agent *a scoped(agent_free) = NULL;
	struct errmsg err = {.text = ""};
	if (argc != 4)
		return 64;
	struct agent_config c = {.program = argv[1],
		.plugin_dir = argv[2],
		.key_url = argv[3],
		.config = "{}",
		.disk = "test"};
	if (agent_new(&c, &a, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 78;
	}
	return go_round(a);
}
