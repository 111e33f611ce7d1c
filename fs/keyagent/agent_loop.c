// SPDX-License-Identifier: MIT
// Questions in, callbacks, answers out. One thread; the watch over the line's end is in
// agent_main.c, because a callback may hang.
#include "agent_loop.h"

#include "agent_host.h"
#include "agent_plugin.h"
#include "clock.h"
#include "plugins.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>

#define NEWS_INTERVAL_NS (100 * NS_PER_MS) // a watch that is never drained must not become a storm

struct agent {
	struct host host;
	struct loaded plugin;
	struct secret *in, *out;       // frames
	struct secret *plain;	       // for unwrap
	char *key_url, *config, *disk; // the plug-in's until close()
	struct secret *environment;    // its lines, as they came; the plug-in's as well
	const char **lines;	       // NULL-terminated; NULL none
	void *key;
	bool opened;
	uint64_t next_news_ns;
};

static void agent_end(struct agent *a)
{
	if (a->opened)
		a->plugin.table.close(a->key);
	free(a->key_url);
	free(a->config);
	free(a->disk);
	free(a->lines);
	secret_free(&a->environment);
	secret_free(&a->plain);
	secret_free(&a->in);
	secret_free(&a->out);
}

static struct wire_writer start_answer(
	struct agent *a, enum wire_type type, uint32_t seq, enum cmk_verdict v)
{
	struct wire_writer w;
	wire_begin(&w, a->out->data, a->out->len, type, seq);
	msg_put_answer(&w, &(struct msg_answer){.verdict = (uint32_t)v,
				   .reason = (uint32_t)a->host.reason,
				   .retry_after_ms = a->host.retry_after_ms,
				   .request_id = a->host.request_id,
				   .sentence = a->host.sentence});
	return w;
}

static int send_frame(struct agent *a, struct wire_writer *w)
{
	size_t len = 0;
	int r = wire_end(w, &len);
	if (r == 0)
		r = host_send(&a->host, a->out->data, len);
	wipe(a->out->data, a->out->len);
	return r;
}

static int load(struct agent *a, const char *path)
{
	struct errmsg err = {.text = ""};
	char scheme[PLUGIN_NAME_ROOM];
	char title[16];
	if (!a->plugin.handle) {
		int r = plugin_load(path, &a->plugin, &err);
		if (r) {
			host_explain(&a->host, "%.511s", err.text);
			return r;
		}
		(void)snprintf(title, sizeof(title), "cmkagent-%.6s", a->plugin.table.name);
		(void)prctl(PR_SET_NAME, title, 0, 0, 0);
	}
	int r = key_url_scheme(a->key_url, scheme, sizeof(scheme), &err);
	if (r)
		host_explain(&a->host, "%.511s", err.text);
	else if (!plugin_serves(&a->plugin, scheme)) {
		r = -EINVAL;
		host_explain(&a->host, "%s: the %s provider does not serve %s: keys, only: %s",
			a->key_url, a->plugin.table.name, scheme, a->plugin.table.schemes);
	}
	return r;
}

static int replace(char **slot, const char *value)
{
	free(*slot);
	*slot = strdup(value);
	return *slot ? 0 : -ENOMEM;
}

// From the frame, which is wiped soon, to where it stays until close().
static int keep_environment(struct agent *a, const char *block, size_t len)
{
	size_t count = 0;
	free(TAKE(a->lines));
	secret_free(&a->environment);
	if (len == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		count += block[i] == '\0';
	a->lines = calloc(count + 1, sizeof(*a->lines));
	if (!a->lines || secret_dup(block, len, &a->environment))
		return -ENOMEM;
	const char *line = (const char *)a->environment->data;
	for (size_t i = 0; i < count; i++) {
		a->lines[i] = line;
		line += strlen(line) + 1;
	}
	return 0;
}

static int on_open(struct agent *a, uint32_t seq, struct wire_reader *r)
{
	struct msg_open m;
	msg_get_open(r, &m);
	if (wire_done(r) || a->opened)
		return -EBADMSG;
	if (replace(&a->key_url, m.key_url) || replace(&a->config, m.config) ||
		replace(&a->disk, m.disk) || keep_environment(a, m.environment, m.environment_len))
		return -ENOMEM;
	enum cmk_verdict v = CMK_MISCONFIGURED;
	host_callback_begin(&a->host, m.budget_ms);
	if (load(a, m.plugin) == 0) {
		struct cmk_key_ref ref = {.struct_size = sizeof(ref),
			.key_url = a->key_url,
			.config = a->config,
			.disk = a->disk,
			.environment = a->lines};
		v = a->plugin.table.open(&a->host.api, &ref, &a->key);
		a->opened = v == CMK_GRANTED;
	}
	host_callback_end(&a->host);
	struct wire_writer w = start_answer(a, WIRE_OPENED, seq, v);
	return send_frame(a, &w);
}

static int on_unwrap(struct agent *a, uint32_t seq, struct wire_reader *r)
{
	struct msg_unwrap m;
	msg_get_unwrap(r, &m);
	if (wire_done(r) || !a->opened)
		return -EBADMSG;
	size_t len = a->plain->len;
	host_callback_begin(&a->host, m.budget_ms);
	enum cmk_verdict v = a->plugin.table.unwrap(
		a->key, m.version, m.alg, m.wrapped, m.wrapped_len, a->plain->data, &len);
	host_callback_end(&a->host);
	if (v == CMK_GRANTED && (len == 0 || len > a->plain->len)) {
		v = CMK_BAD_BLOB;
		host_explain(&a->host,
			"%s: the key unwraps to %zu bytes, expected 1 to %d: not a disk's secret",
			a->key_url, len, CMK_PLAIN_MAX);
	}
	struct wire_writer w = start_answer(a, WIRE_ANSWER, seq, v);
	if (v == CMK_GRANTED)
		wire_put_bytes(&w, a->plain->data, len);
	wipe(a->plain->data, a->plain->len);
	return send_frame(a, &w);
}

static int on_wrap(struct agent *a, uint32_t seq, struct wire_reader *r)
{
	struct msg_wrap m;
	struct cmk_wrapped out = {.len = 0};
	enum cmk_verdict v = CMK_MISCONFIGURED;
	msg_get_wrap(r, &m);
	if (wire_done(r) || !a->opened)
		return -EBADMSG;
	host_callback_begin(&a->host, m.budget_ms);
	if (a->plugin.table.wrap)
		v = a->plugin.table.wrap(a->key, m.plain, m.plain_len, &out);
	else
		host_explain(&a->host, "%s: the %s provider cannot wrap, so it cannot make disks",
			a->key_url, a->plugin.table.name);
	host_callback_end(&a->host);
	struct wire_writer w = start_answer(a, WIRE_ANSWER, seq, v);
	if (v == CMK_GRANTED)
		msg_put_wrapped(&w, &out);
	return send_frame(a, &w);
}

static int on_describe(struct agent *a, uint32_t seq, struct wire_reader *r)
{
	struct msg_describe m;
	struct cmk_key_info out = {.enabled = -1};
	enum cmk_verdict v = CMK_MISCONFIGURED;
	msg_get_describe(r, &m);
	if (wire_done(r) || !a->opened)
		return -EBADMSG;
	host_callback_begin(&a->host, m.budget_ms);
	if (a->plugin.table.describe)
		v = a->plugin.table.describe(a->key, m.version, &out);
	else
		host_explain(&a->host,
			"%s: the %s provider does not tell a key's attributes; expiry and rotation "
			"cannot be seen",
			a->key_url, a->plugin.table.name);
	host_callback_end(&a->host);
	struct wire_writer w = start_answer(a, WIRE_ANSWER, seq, v);
	if (v == CMK_GRANTED)
		msg_put_key_info(&w, &out);
	return send_frame(a, &w);
}

static int on_frame(struct agent *a, size_t len)
{
	struct wire_header h;
	struct wire_reader r;
	if (len > a->in->len || wire_parse(a->in->data, len, &h, &r))
		return -EBADMSG;
	switch (h.type) {
	case WIRE_OPEN:
		return on_open(a, h.seq, &r);
	case WIRE_UNWRAP:
		return on_unwrap(a, h.seq, &r);
	case WIRE_WRAP:
		return on_wrap(a, h.seq, &r);
	case WIRE_DESCRIBE:
		return on_describe(a, h.seq, &r);
	default:
		return -EBADMSG;
	}
}

static int tell_news(struct agent *a)
{
	struct wire_writer w;
	host_callback_begin(&a->host, 0);
	a->plugin.table.unwatch(a->key);
	host_callback_end(&a->host);
	a->next_news_ns = clock_boot_ns(clock_real()) + NEWS_INTERVAL_NS;
	wire_begin(&w, a->out->data, a->out->len, WIRE_CHANGED, 0);
	return send_frame(a, &w);
}

// Until there is a question; tells news meanwhile.
static int wait_question(struct agent *a)
{
	for (;;) {
		uint64_t now = clock_boot_ns(clock_real());
		bool resting = now < a->next_news_ns;
		int watch = a->opened && a->plugin.table.watch ? a->plugin.table.watch(a->key) : -1;
		struct pollfd p[] = {
			{.fd = a->host.line, .events = POLLIN},
			{.fd = resting ? -1 : watch, .events = POLLIN},
		};
		int ms =
			resting && watch >= 0 ? (int)((a->next_news_ns - now) / NS_PER_MS) + 1 : -1;
		if (poll(p, 2, ms) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			return 0;
		if (p[1].revents) {
			int r = tell_news(a);
			if (r)
				return r;
		}
	}
}

static int serve(struct agent *a)
{
	for (;;) {
		int r = wait_question(a);
		if (r)
			return r;
		ssize_t n = recv(a->host.line, a->in->data, a->in->len, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = on_frame(a, (size_t)n);
		wipe(a->in->data, a->in->len);
		if (r)
			return r;
	}
}

int agent_loop(int line)
{
	struct agent a scoped(agent_end) = {.opened = false};
	if (host_init(&a.host, line) || secret_new(WIRE_FRAME_MAX, &a.in) ||
		secret_new(WIRE_FRAME_MAX, &a.out) || secret_new(CMK_PLAIN_MAX, &a.plain))
		return EX_OSERR;
	switch (serve(&a)) {
	case 0:
		return 0;
	case -EBADMSG:
	case -EMSGSIZE:
		return EX_PROTOCOL;
	default:
		return EX_IOERR;
	}
}
