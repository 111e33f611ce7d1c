// SPDX-License-Identifier: MIT
// The door of this folder: the life of an agent, its three questions, its news.
#include "agent.h"

#include "credentials.h"
#include "log.h"
#include "message.h"
#include "peer.h"
#include "plugins.h"
#include "scope.h"
#include "secret.h"
#include "talk.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#define DEADLINE_DEFAULT_MS 10000u
#define OPEN_TEXTS_MAX 24000u // of one OPEN message, well below WIRE_FRAME_MAX
#define DRAIN_MAX 256	      // frames in one agent_drain()

static int check_lengths(const struct agent_config *c, struct errmsg *err)
{
	size_t environment = credentials_len(c->credentials, c->key_url);
	if (strlen(c->key_url) + strlen(c->config) + strlen(c->disk) + environment <=
		OPEN_TEXTS_MAX)
		return 0;
	return errmsg_set(err, EINVAL,
		"%.200s: key URL and key set, and the environment's %zu bytes of credentials and "
		"settings, are together longer than %u bytes; shorten the key set, or unset "
		"variables that are not needed",
		c->key_url, environment, OPEN_TEXTS_MAX);
}

int agent_new(const struct agent_config *c, struct agent **out, struct errmsg *err)
{
	char scheme[PLUGIN_NAME_ROOM];
	char plugin[4096];
	int r = key_url_scheme(c->key_url, scheme, sizeof(scheme), err);
	if (r == 0)
		r = plugin_path(c->plugin_dir, scheme, plugin, sizeof(plugin), err);
	if (r)
		return r;
	r = check_lengths(c, err);
	if (r)
		return r;

	struct agent *a scoped(agent_free) = calloc(1, sizeof(*a));
	if (!a)
		return errmsg_set(err, ENOMEM, "out of memory");
	a->peer = PEER_NONE;
	a->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->cancel_fd < 0)
		return errmsg_set(err, errno, "cannot make an event descriptor: %m");
	a->quiet = c->quiet;
	a->credentials = c->credentials;
	a->answered = c->answered;
	a->answered_ctx = c->answered_ctx;
	a->deadline_ms = c->deadline_ms ? c->deadline_ms : DEADLINE_DEFAULT_MS;
	a->renew_after = c->renew_after ? c->renew_after : AGENT_RENEW_AFTER;
	a->log = c->log;
	a->program = strdup(c->program);
	a->plugin = strdup(plugin);
	a->key_url = strdup(c->key_url);
	a->config = strdup(c->config);
	a->disk = strdup(c->disk);
	if (!a->program || !a->plugin || !a->key_url || !a->config || !a->disk)
		return errmsg_set(err, ENOMEM, "out of memory");
	r = plugin_name(a->plugin, a->provider, err);
	if (r)
		return r;
	if (!credentials_lock(a->credentials, a->key_url))
		log_warning(a->log,
			"%.200s: memory for credentials cannot be locked and may be swapped; raise "
			"the memlock limit (ulimit -l)",
			a->key_url);
	*out = TAKE(a);
	return 0;
}

void agent_free(struct agent **a)
{
	if (!*a)
		return;
	int status = 0;
	(void)peer_end(&(*a)->peer, GOODBYE_MS, &status);
	scope_close(&(*a)->cancel_fd);
	free((*a)->program);
	free((*a)->plugin);
	free((*a)->key_url);
	free((*a)->config);
	free((*a)->disk);
	free(*a);
	*a = NULL;
}

void agent_tell(const struct talk *t)
{
	const struct agent *a = t->a;
	if (!a->answered)
		return;
	a->answered(
		a->answered_ctx, &(struct agent_answered){.question = t->question,
					 .key_url = a->key_url,
					 .version = t->version,
					 .answer = t->answer,
					 .restarted_after = t->restarted ? t->former_failure : NULL,
					 .pid = atomic_load(&a->counts.pid)});
}

void agent_unwrap(struct agent *a, const char *version, const char *alg, const uint8_t *wrapped,
	size_t wrapped_len, struct secret **plain, struct agent_answer *answer)
{
	struct talk t scoped(talk_end);
	*plain = NULL;
	if (!talk_begin(&t, a, AGENT_UNWRAP, version, answer))
		return;
	msg_put_unwrap(&t.w, &(struct msg_unwrap){.version = version,
				     .alg = alg,
				     .wrapped = wrapped,
				     .wrapped_len = wrapped_len,
				     .budget_ms = talk_budget_ms(&t)});
	t.w.bad |= wrapped_len > CMK_WRAPPED_MAX;
	if (!talk_ask(&t))
		return;
	size_t len = 0;
	const uint8_t *data = wire_get_bytes(&t.r, WIRE_FRAME_MAX, &len);
	if (wire_done(&t.r))
		talk_failed(&t, -EBADMSG);
	else if (len == 0 || len > CMK_PLAIN_MAX)
		answer_set(answer, CMK_BAD_BLOB,
			"%s: the key unwraps to %zu bytes, expected 1 to %d: not a disk's secret",
			a->key_url, len, CMK_PLAIN_MAX);
	else if (secret_dup(data, len, plain))
		answer_set(answer, CMK_UNREACHABLE, "%s: out of memory", a->key_url);
}

void agent_wrap(struct agent *a, const struct secret *plain, struct cmk_wrapped *out,
	struct agent_answer *answer)
{
	struct talk t scoped(talk_end);
	memset(out, 0, sizeof(*out));
	if (!talk_begin(&t, a, AGENT_WRAP, out->version, answer))
		return;
	msg_put_wrap(&t.w, &(struct msg_wrap){.plain = plain->data,
				   .plain_len = plain->len,
				   .budget_ms = talk_budget_ms(&t)});
	if (!talk_ask(&t))
		return;
	msg_get_wrapped(&t.r, out);
	if (wire_done(&t.r)) {
		talk_failed(&t, -EBADMSG);
	} else if (out->len == 0 || !*out->version || !*out->alg) {
		answer_set(answer, CMK_MISCONFIGURED,
			"%s: the %s provider wrapped a secret without saying by which version and "
			"algorithm; it is faulty",
			a->key_url, a->provider);
	}
	if (answer->verdict != CMK_GRANTED)
		memset(out, 0, sizeof(*out));
}

void agent_describe(
	struct agent *a, const char *version, struct cmk_key_info *out, struct agent_answer *answer)
{
	struct talk t scoped(talk_end);
	memset(out, 0, sizeof(*out));
	if (!talk_begin(&t, a, AGENT_DESCRIBE, *version ? version : out->version, answer))
		return;
	msg_put_describe(
		&t.w, &(struct msg_describe){.version = version, .budget_ms = talk_budget_ms(&t)});
	if (!talk_ask(&t))
		return;
	msg_get_key_info(&t.r, out);
	if (wire_done(&t.r)) {
		talk_failed(&t, -EBADMSG);
		memset(out, 0, sizeof(*out));
	}
}

int agent_poll_fd(const struct agent *a)
{
	return a->peer.poll_fd;
}

bool agent_drain(struct agent *a)
{
	struct secret *frame scoped(secret_free) = NULL;
	if (a->peer.sock >= 0 && secret_new(WIRE_FRAME_MAX, &frame) == 0) {
		int r = 1;
		for (int i = 0; i < DRAIN_MAX && r == 1; i++) {
			struct wire_header h;
			struct wire_reader reader;
			size_t len = 0;
			r = peer_receive(&a->peer, frame, &len, (struct patience){0, -1});
			if (r == 0)
				r = wire_parse(frame->data, len, &h, &reader);
			if (r == 0)
				r = agent_take_unasked(a, &h, &reader);
		}
		if (r <= 0 && r != -ETIMEDOUT) // 0: an answer to no question
			agent_fail(a, r ? r : -EBADMSG);
	}
	bool changed = a->changed;
	a->changed = false;
	return changed;
}

void agent_cancel(struct agent *a)
{
	(void)eventfd_write(a->cancel_fd, 1);
}

void agent_stats(const struct agent *a, struct agent_stats *out)
{
	*out = (struct agent_stats){
		.questions = atomic_load(&a->counts.questions),
		.restarts = atomic_load(&a->counts.restarts),
		.timeouts = atomic_load(&a->counts.timeouts),
		.crashes = atomic_load(&a->counts.crashes),
		.pid = atomic_load(&a->counts.pid),
	};
}

const char *agent_key_url(const struct agent *a)
{
	return a->key_url;
}
