// SPDX-License-Identifier: MIT
// second_binding AGENT PLUGINDIR BACKING KEYURL [SETTINGS]: binds a disk to one more key. SETTINGS:
// a key set for both keys, as JSON text.
#include "agent.h"
#include "luks.h"
#include "scope.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

static int failed(int status, const char *why)
{
	(void)fprintf(stderr, "second_binding: %s\n", why);
	return status;
}

static struct agent *start(char **argv, const char *url, struct errmsg *err)
{
	struct agent *a = NULL;
	struct agent_config c = {.program = argv[1],
		.plugin_dir = argv[2],
		.key_url = url,
		.config = argv[5] ? argv[5] : "{}",
		.disk = ""};
	return agent_new(&c, &a, err) ? NULL : a;
}

static int unlock(char **argv, struct volume *v, struct secret **dek)
{
	struct errmsg err = {{0}};
	struct agent_answer answer;
	struct secret *plain scoped(secret_free) = NULL;
	const struct binding *b = &volume_info(v)->bindings[0];
	struct agent *a scoped(agent_free) = start(argv, b->key_url, &err);
	if (!a)
		return failed(78, err.text);
	agent_unwrap(a, b->key_version, b->alg, b->wrapped, b->wrapped_len, &plain, &answer);
	if (answer.verdict != CMK_GRANTED)
		return failed(77, answer.sentence);
	return volume_unlock(v, b, plain, dek, &err) ? failed(65, err.text) : 0;
}

int main(int argc, char **argv)
{
	struct errmsg err = {{0}};
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL, *slot scoped(secret_free) = NULL;
	struct agent_answer answer;
	struct cmk_wrapped w;
	struct binding b = {.token = -1, .keyslot = -1};
	if (argc != 5 && argc != 6)
		return failed(
			64, "usage: second_binding AGENT PLUGINDIR BACKING KEYURL [SETTINGS]");
	if (volume_open(argv[3], true, &v, &err))
		return failed(65, err.text);
	int rc = unlock(argv, v, &dek);
	if (rc)
		return rc;
	struct agent *a scoped(agent_free) = start(argv, argv[4], &err);
	if (!a || secret_random(SLOT_SECRET_LEN, &slot))
		return failed(78, err.text);
	agent_wrap(a, slot, &w, &answer);
	if (answer.verdict != CMK_GRANTED || w.len > sizeof(b.wrapped))
		return failed(77, answer.sentence);
	(void)snprintf(b.key_url, sizeof(b.key_url), "%s", argv[4]);
	(void)snprintf(b.key_version, sizeof(b.key_version), "%s", w.version);
	(void)snprintf(b.alg, sizeof(b.alg), "%s", w.alg);
	memcpy(b.wrapped, w.data, w.len);
	b.wrapped_len = w.len;
	return volume_add_binding(v, dek, &b, slot, &err) ? failed(65, err.text) : 0;
}
