// SPDX-License-Identifier: MIT
// The session's key agents: one per key, shared by every disk bound to it.
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

bool session_key_known(struct session *s, const char *key_url, const char *config, int *index)
{
	with_lock(&s->rotation.lock);
	for (size_t i = 0; i < s->key_count; i++)
		if (!strcmp(agent_key_url(s->keys[i].agent), key_url) &&
			!strcmp(s->keys[i].config, config)) {
			*index = (int)i;
			return true;
		}
	return false;
}

int session_key_agent(struct session *s, const char *key_url, const char *config, const char *disk,
	struct agent **out, struct errmsg *err)
{
	return agent_new(&(struct agent_config){.program = s->cli->agent,
				 .plugin_dir = s->cli->plugin_dir,
				 .credentials = s->cli->credentials,
				 .key_url = key_url,
				 .config = config,
				 .disk = disk,
				 .deadline_ms = AGENT_DEADLINE_MS,
				 .log = s->log,
				 .quiet = s->quiet_agents,
				 .answered = session_event_answered,
				 .answered_ctx = s},
		out, err);
}

// Only one thread at a time adds: the one that makes the session, later the rotator.
static int make_room(struct session *s)
{
	with_lock(&s->rotation.lock);
	struct session_key *more = reallocarray(s->keys, s->key_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->keys = more;
	return 0;
}

int session_key_add(struct session *s, struct agent **agent, const char *config, bool rotates,
	int *index, struct errmsg *err)
{
	char *copy autofree = strdup(config);
	if (!copy || make_room(s))
		return errmsg_set(err, ENOMEM, "out of memory");
	*index = monitor_add_key(s->monitor, &(struct key_source){.unwrap = source_unwrap,
						     .describe = source_describe,
						     .poll_fd = source_poll_fd,
						     .drain = source_drain,
						     .ctx = *agent,
						     .follows = true});
	if (*index < 0)
		return errmsg_set(err, -*index, "%s: %s", agent_key_url(*agent), strerror(-*index));
	with_lock(&s->rotation.lock);
	s->keys[s->key_count++] = (struct session_key){
		.agent = TAKE(*agent), .config = TAKE(copy), .rotates = rotates};
	return 0;
}

struct binding *session_binding(struct session_disk *d, struct agent **agent)
{
	struct binding *copy = malloc(sizeof(*copy));
	with_lock(&d->session->rotation.lock);
	*agent = d->session->keys[d->key].agent;
	if (copy)
		*copy = *d->binding;
	return copy;
}

void session_keys_cancel(struct session *s)
{
	with_lock(&s->rotation.lock);
	for (size_t i = 0; i < s->key_count; i++)
		agent_cancel(s->keys[i].agent);
}

void session_keys_free(struct session *s)
{
	for (size_t i = 0; i < s->key_count; i++) {
		agent_free(&s->keys[i].agent);
		free(s->keys[i].config);
	}
	free(s->keys);
	s->keys = NULL;
	s->key_count = 0;
}
