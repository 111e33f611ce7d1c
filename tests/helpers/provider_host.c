// SPDX-License-Identifier: MIT
// See provider_host.h.
#include "provider_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct provider_host *self(const struct cmk_host *api)
{
	return api->ctx;
}

static void do_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void do_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
{
	(void)fmt;
	self(api)->warnings += level <= CMK_LOG_WARNING;
}

static void do_explain(const struct cmk_host *api, enum cmk_reason reason, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void do_explain(const struct cmk_host *api, enum cmk_reason reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(self(api)->sentence, sizeof(self(api)->sentence), fmt, ap);
	va_end(ap);
	self(api)->reason = reason;
}

static void do_retry_after(const struct cmk_host *api, uint32_t milliseconds)
{
	(void)api;
	(void)milliseconds;
}

static void do_request_id(const struct cmk_host *api, const char *id)
{
	(void)api;
	(void)id;
}

#define HEAD 16 // holds the size, and keeps the alignment

static void *do_secret_alloc(const struct cmk_host *api, size_t len)
{
	size_t size = len + HEAD;
	char *p = calloc(1, size);
	if (!p)
		return NULL;
	self(api)->secrets++;
	memcpy(p, &size, sizeof(size));
	return p + HEAD;
}

static void do_secret_free(const struct cmk_host *api, void *p)
{
	if (!p)
		return;
	char *head = (char *)p - HEAD;
	size_t size;
	memcpy(&size, head, sizeof(size));
	self(api)->secrets--;
	explicit_bzero(head, size);
	free(head);
}

static uint32_t do_time_left(const struct cmk_host *api)
{
	return self(api)->time_left;
}

static int do_cancelled(const struct cmk_host *api)
{
	return self(api)->cancelled;
}

static int64_t do_wall_time(const struct cmk_host *api)
{
	return self(api)->now;
}

static void do_note(const struct cmk_host *api, const char *name, const char *value)
{
	struct provider_host *h = api->ctx;
	char head[128];
	size_t i = 0;
	int len = snprintf(head, sizeof(head), "CMKDISK_NOTE=%s=", name);
	while (h->notes[i][0] && strncmp(h->notes[i], head, (size_t)len) != 0)
		i++;
	for (; h->notes[i][0] && i < PROVIDER_NOTES - 1; i++)
		memcpy(h->notes[i], h->notes[i + 1], sizeof(h->notes[i]));
	i = 0;
	while (h->notes[i][0])
		i++;
	if (*value && i < PROVIDER_NOTES - 1)
		(void)snprintf(h->notes[i], sizeof(h->notes[i]), "%s%s", head, value);
}

const char *const *provider_host_environment(struct provider_host *h)
{
	size_t i = 0;
	for (; h->notes[i][0]; i++)
		h->environment[i] = h->notes[i];
	h->environment[i] = NULL;
	return h->environment;
}

void provider_host_init(struct provider_host *h)
{
	memset(h, 0, sizeof(*h));
	h->time_left = 10000;
	h->now = 1800000000;
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
}
