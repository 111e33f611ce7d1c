// SPDX-License-Identifier: MIT
// The session's key agents: one per key URL, shared by every disk bound to it.
#include "errmsg.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <string.h>

#define AGENT_DEADLINE_MS 10000

static void source_unwrap(
	void *ctx, const struct binding *b, struct secret **plain, struct agent_answer *answer)
{
	agent_unwrap(ctx, b->key_version, b->alg, b->wrapped, b->wrapped_len, plain, answer);
}

static void source_describe(
	void *ctx, const char *version, struct cmk_key_info *out, struct agent_answer *answer)
{
	agent_describe(ctx, version, out, answer);
}

static int source_poll_fd(void *ctx)
{
	return agent_poll_fd(ctx);
}

static bool source_drain(void *ctx)
{
	return agent_drain(ctx);
}

bool session_key_known(const struct session *s, const char *key_url, int *index)
{
	for (size_t i = 0; i < s->agent_count; i++)
		if (!strcmp(agent_key_url(s->agents[i]), key_url)) {
			*index = (int)i;
			return true;
		}
	return false;
}

int session_key_agent(struct session *s, const struct binding *b, const char *disk,
	struct agent **out, struct errmsg *err)
{
	return agent_new(&(struct agent_config){.program = s->cli->agent,
				 .plugin_dir = s->cli->plugin_dir,
				 .key_url = b->key_url,
				 .config = s->pin ? s->pin->config : "{}",
				 .disk = disk,
				 .deadline_ms = AGENT_DEADLINE_MS,
				 .log = s->log,
				 .quiet = s->quiet_agents},
		out, err);
}

int session_key_add(struct session *s, struct agent **agent, int *index, struct errmsg *err)
{
	struct agent **more = realloc(s->agents, (s->agent_count + 1) * sizeof(struct agent *));
	if (!more)
		return errmsg_set(err, ENOMEM, "out of memory");
	s->agents = more;
	*index = monitor_add_key(s->monitor, &(struct key_source){.unwrap = source_unwrap,
						     .describe = source_describe,
						     .poll_fd = source_poll_fd,
						     .drain = source_drain,
						     .ctx = *agent});
	if (*index < 0)
		return errmsg_set(err, -*index, "%s: %s", agent_key_url(*agent), strerror(-*index));
	s->agents[s->agent_count++] = TAKE(*agent);
	return 0;
}
