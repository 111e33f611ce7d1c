// SPDX-License-Identifier: MIT
// Reading the mount's audit log as it grows, and its status.
#include "watch.h"

#include "ctl.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 65536
#define STATUS_MS 10000

struct watch {
	char *path;
	int fd; // -1 until it is there
	size_t used;
	char line[LINE_MAX_BYTES]; // what has been read of a line that is not whole yet
};

int watch_new(const char *path, struct watch **out, struct errmsg *err)
{
	struct watch *w scoped(watch_free) = calloc(1, sizeof(*w));
	if (w)
		w->fd = -1;
	if (!w || !(w->path = strdup(path)))
		return errmsg_set(err, ENOMEM, "no memory");
	*out = TAKE(w);
	return 0;
}

void watch_free(struct watch **w)
{
	if (!*w)
		return;
	if ((*w)->fd >= 0)
		(void)close((*w)->fd);
	free((*w)->path);
	free(*w);
	*w = NULL;
}

static int tell(
	const char *line, size_t len, void (*told)(void *ctx, const struct happening *h), void *ctx)
{
	struct json *j scoped(json_free) = NULL;
	int rc = json_parse(line, len, &j);
	if (rc)
		return rc;
	struct happening h = {.event = json_str_or(j, "event", ""),
		.operation = json_str_or(j, "operationName", ""),
		.verdict = json_str_or(j, "verdict", ""),
		.cause = json_str_or(j, "cause", ""),
		.reason = json_str_or(j, "reason", ""),
		.state = json_str_or(j, "state", ""),
		.sentence = json_str_or(
			j, json_str(j, "sentence") ? "sentence" : "resultDescription", ""),
		.to_version = json_str_or(j, "toVersion", ""),
		.at_us = (uint64_t)json_int_or(j, "bootMicros", 0),
		.took_us = (uint64_t)json_int_or(j, "durationMs", 0) * 1000,
		.deadline_us = (uint64_t)json_int_or(j, "deadlineMicros", 0),
		.percent = json_int_or(j, "percent", 0),
		.left_ms = json_int_or(j, "msLeft", 0),
		.lost = json_int_or(j, "lost", 0)};
	told(ctx, &h);
	return 0;
}

// Tells the whole lines in the buffer, and keeps the rest.
static int take_lines(struct watch *w, void (*told)(void *ctx, const struct happening *h),
	void *ctx, struct errmsg *err)
{
	size_t from = 0;
	for (char *end; (end = memchr(w->line + from, '\n', w->used - from));) {
		size_t len = (size_t)(end - (w->line + from));
		int rc = tell(w->line + from, len, told, ctx);
		if (rc)
			return errmsg_set(err, -rc, "%s: a line of it is no JSON object: %s",
				w->path, strerror(-rc));
		from += len + 1;
	}
	w->used -= from;
	memmove(w->line, w->line + from, w->used);
	return w->used < sizeof(w->line)
		       ? 0
		       : errmsg_set(err, EBADMSG, "%s: a line of it is too long", w->path);
}

int watch_read(struct watch *w, void (*told)(void *ctx, const struct happening *h), void *ctx,
	struct errmsg *err)
{
	if (w->fd < 0)
		w->fd = open(w->path, O_RDONLY | O_CLOEXEC);
	if (w->fd < 0 && errno == ENOENT)
		return 0;
	if (w->fd < 0)
		return errmsg_set(err, errno, "%s: %m", w->path);
	for (;;) {
		ssize_t n = read(w->fd, w->line + w->used, sizeof(w->line) - w->used);
		if (n < 0)
			return errmsg_set(err, errno, "%s: %m", w->path);
		if (n == 0)
			return 0;
		w->used += (size_t)n;
		int rc = take_lines(w, told, ctx, err);
		if (rc)
			return rc;
	}
}

// Those that wait while the log cannot be written are not in it either.
static int64_t not_logged(const struct json *audit)
{
	int64_t lost = 0, pending = 0;
	(void)json_int(audit, "lost", &lost);
	if (json_get(json_get(audit, "error"), "errno"))
		(void)json_int(audit, "pending", &pending);
	return lost + pending;
}

int watch_status(const char *mountpoint, struct disk_seen *out, struct errmsg *err)
{
	struct json *request scoped(json_free) = NULL, *reply scoped(json_free) = NULL;
	*out = (struct disk_seen){.key_present = false};
	int rc = json_object(&request);
	if (!rc)
		rc = json_add_str(request, "op", "status");
	if (rc)
		return errmsg_set(err, -rc, "no memory");
	rc = ctl_call(mountpoint, request, STATUS_MS, &reply, err);
	if (rc)
		return rc;
	const struct json *disk = json_array_at(json_get(reply, "disks"), 0);
	(void)json_bool(disk, "keyPresent", &out->key_present);
	(void)json_int(reply, "pid", &out->pid);
	out->lost = not_logged(json_get(reply, "audit"));
	return 0;
}
