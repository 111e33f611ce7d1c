// SPDX-License-Identifier: MIT
// struct cmk_host, member by member.
#include "agent_host.h"

#include "clock.h"
#include "errmsg.h"
#include "secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct held {
	struct held *next;
	struct secret *s;
};

// Locks are of no use against a plug-in, but a plug-in that closed our descriptor and opened
// another file must not be sent a secret through it.
int host_send(struct host *h, const void *frame, size_t len)
{
	struct stat st;
	if (fstat(h->line, &st) || !S_ISSOCK(st.st_mode) || st.st_ino != h->line_inode)
		return -EBADF;
	ssize_t n = 0;
	do
		n = send(h->line, frame, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static struct host *host_of(const struct cmk_host *api)
{
	return api->ctx;
}

static void printf_like(3, 4)
	do_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
{
	char text[512];
	uint8_t frame[WIRE_HEADER_LEN + sizeof(text) + 16];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_sanitise(text);
	struct wire_writer w;
	size_t len = 0;
	wire_begin(&w, frame, sizeof(frame), WIRE_LOG, 0);
	msg_put_log(&w, &(struct msg_log){.level = (uint32_t)level, .text = text});
	// A line that is gone is found out by the loop.
	if (wire_end(&w, &len) == 0 && host_send(host_of(api), frame, len) != 0)
		return;
}

static void printf_like(3, 4)
	do_explain(const struct cmk_host *api, enum cmk_reason reason, const char *fmt, ...)
{
	struct host *h = host_of(api);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(h->sentence, sizeof(h->sentence), fmt, ap);
	va_end(ap);
	text_sanitise(h->sentence);
	h->reason = reason;
}

void host_explain(struct host *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(h->sentence, sizeof(h->sentence), fmt, ap);
	va_end(ap);
	text_sanitise(h->sentence);
	h->reason = CMK_REASON_NONE;
}

static void do_retry_after(const struct cmk_host *api, uint32_t milliseconds)
{
	host_of(api)->retry_after_ms = milliseconds;
}

static void do_request_id(const struct cmk_host *api, const char *id)
{
	struct host *h = host_of(api);
	(void)snprintf(h->request_id, sizeof(h->request_id), "%s", id ? id : "");
	text_sanitise(h->request_id);
}

static void *do_secret_alloc(const struct cmk_host *api, size_t len)
{
	struct host *h = host_of(api);
	struct held *n = calloc(1, sizeof(*n));
	if (!n || secret_new(len, &n->s)) {
		free(n);
		return NULL;
	}
	n->next = h->held;
	h->held = n;
	return n->s->data;
}

static void do_secret_free(const struct cmk_host *api, void *p)
{
	struct held **at = &host_of(api)->held;
	while (*at && (*at)->s->data != p)
		at = &(*at)->next;
	struct held *found = *at;
	if (!found)
		return;
	*at = found->next;
	secret_free(&found->s);
	free(found);
}

static uint32_t do_time_left(const struct cmk_host *api)
{
	uint64_t end = atomic_load(&host_of(api)->deadline_ns);
	uint64_t now = clock_boot_ns(clock_real());
	uint64_t ms = now < end ? (end - now) / NS_PER_MS : 0;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static int do_cancelled(const struct cmk_host *api)
{
	return do_time_left(api) == 0;
}

static int64_t do_wall_time(const struct cmk_host *api)
{
	(void)api;
	return clock_wall_s(clock_real());
}

static void do_note(const struct cmk_host *api, const char *name, const char *value)
{
	char text[CMK_NOTE_VALUE_MAX];
	uint8_t frame[WIRE_HEADER_LEN + CMK_NOTE_NAME_MAX + sizeof(text) + 16];
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	if (len == 0 || len >= CMK_NOTE_NAME_MAX || name[len])
		return;
	(void)snprintf(text, sizeof(text), "%s", value);
	text_sanitise(text);
	struct wire_writer w;
	wire_begin(&w, frame, sizeof(frame), WIRE_NOTE, 0);
	wire_put_text(&w, name);
	wire_put_text(&w, text);
	// As with log lines.
	if (wire_end(&w, &len) == 0)
		(void)!host_send(host_of(api), frame, len);
	wipe(text, sizeof(text));
	wipe(frame, sizeof(frame));
}

int host_init(struct host *h, int line)
{
	struct stat st;
	memset(h, 0, sizeof(*h));
	if (fstat(line, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	h->line = line;
	h->line_inode = st.st_ino;
	h->api = (struct cmk_host){
		.struct_size = sizeof(h->api),
		.api_version = CMK_KEYPROV_API_VERSION,
		.ctx = h,
		.log = do_log,
		.explain = do_explain,
		.retry_after = do_retry_after,
		.request_id = do_request_id,
		.secret_alloc = do_secret_alloc,
		.secret_free = do_secret_free,
		.time_left = do_time_left,
		.cancelled = do_cancelled,
		.wall_time = do_wall_time,
		.note = do_note,
	};
	return 0;
}

void host_callback_begin(struct host *h, uint32_t budget_ms)
{
	h->reason = CMK_REASON_NONE;
	h->retry_after_ms = 0;
	h->request_id[0] = '\0';
	h->sentence[0] = '\0';
	atomic_store(&h->deadline_ns, clock_boot_ns(clock_real()) + budget_ms * NS_PER_MS);
}

void host_callback_end(struct host *h)
{
	atomic_store(&h->deadline_ns, 0);
}
