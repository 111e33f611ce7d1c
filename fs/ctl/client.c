// SPDX-License-Identifier: MIT
// The commands' end of the control socket.
#include "ctl.h"

#include "json.h"
#include "line.h"
#include "scope.h"
#include "socket.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX (16u << 20) // bytes; a status of a thousand disks is about one MiB
#define PROBE_MS 1000u
#define ERRNO_MAX 4095

static int no_daemon(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED;
}

// {"ok":false,...} as the errno and the sentence it carries.
static int unwrap_reply(const struct json *reply, struct errmsg *err)
{
	bool ok = false;
	if (!json_bool(reply, "ok", &ok))
		return errmsg_set(err, EBADMSG,
			"the cmkdisk daemon's reply is not understood; is it of another version? "
			"Unmount and mount again");
	if (ok)
		return 0;
	int64_t errnum = 0;
	const char *text = json_str(reply, "error");
	if (!json_int(reply, "errno", &errnum) || errnum <= 0 || errnum > ERRNO_MAX)
		errnum = EIO;
	return errmsg_set(err, (int)errnum, "%s", text ? text : strerror((int)errnum));
}

static int exchange(int fd, const struct json *request, uint64_t deadline, struct json **reply)
{
	struct line_buffer b scoped(line_buffer_free) = {0};
	char *text autofree = NULL;
	char *line;
	size_t len;
	int r = json_print(request, false, &text);
	if (!r)
		r = line_write(fd, text, deadline);
	// A server that refuses early still tells why, after we failed to send.
	if (!r || r == -EPIPE || r == -ECONNRESET)
		r = line_read(fd, &b, REPLY_MAX, -1, deadline, &line, &len);
	return r ? r : json_parse(line, len, reply);
}

static int call_failed(int r, unsigned timeout_ms, struct errmsg *err)
{
	switch (r) {
	case -ETIMEDOUT:
		return errmsg_set(err, ETIMEDOUT,
			"the cmkdisk daemon did not answer within %u ms; try again", timeout_ms);
	case -ENODATA:
	case -EPIPE:
	case -ECONNRESET:
		return errmsg_set(err, EIO,
			"the cmkdisk daemon closed the connection without an answer: it ended, or "
			"serves only its own user and root");
	case -EACCES:
		return errmsg_set(err, EACCES,
			"the mount belongs to another user; only that user and root may control "
			"it");
	default:
		return errmsg_set(err, -r, "cannot talk to the cmkdisk daemon: %s", strerror(-r));
	}
}

static int call_socket(const char *path, const struct json *request, unsigned timeout_ms,
	struct json **out, struct errmsg *err)
{
	struct json *reply scoped(json_free) = NULL;
	uint64_t deadline = line_deadline(timeout_ms);
	int fd autoclose = -1;
	int r = socket_connect(path, timeout_ms, &fd);
	if (no_daemon(r))
		return r; // the caller knows the mount point's name
	if (!r)
		r = exchange(fd, request, deadline, &reply);
	if (r)
		return call_failed(r, timeout_ms, err);
	r = unwrap_reply(reply, err);
	if (!r)
		*out = TAKE(reply);
	return r;
}

int ctl_call_socket(const char *path, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err)
{
	struct errmsg why = {0};
	int r = call_socket(path, request, timeout_ms, reply, &why);
	if (r && why.text[0])
		return errmsg_set(err, -r, "%s", why.text);
	if (no_daemon(r))
		return errmsg_set(err, ENOENT, "%s: no cmkdisk daemon listens here", path);
	return r;
}

int ctl_call(const char *mountpoint, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err)
{
	char path[256];
	int r = ctl_socket_path(mountpoint, path, sizeof(path), err);
	if (r)
		return r;
	struct errmsg why = {0};
	r = call_socket(path, request, timeout_ms, reply, &why);
	if (r && why.text[0])
		return errmsg_set(err, -r, "%s: %s", mountpoint, why.text);
	if (no_daemon(r))
		return errmsg_set(err, ENOENT,
			"no cmkdisk daemon serves %s; is it mounted? `cmkdisk status` lists the "
			"mounts",
			mountpoint);
	return r;
}

int ctl_probe(const char *mountpoint)
{
	char path[256];
	int fd autoclose = -1;
	int r = ctl_socket_path(mountpoint, path, sizeof(path), NULL);
	return r ? r : socket_connect(path, PROBE_MS, &fd);
}

// Without the process (it is in another PID namespace): until the socket answers no more.
static int wait_socket_gone(const char *path, int fd, uint64_t deadline)
{
	struct line_buffer b scoped(line_buffer_free) = {0};
	char *line;
	size_t len;
	int r = line_read(fd, &b, 1, -1, deadline, &line, &len);
	if (r == -ETIMEDOUT)
		return r;
	// The end of a silent connection, or of the daemon: whoever answers now is alive.
	int again autoclose = -1;
	r = socket_connect(path, PROBE_MS, &again);
	if (no_daemon(r))
		return 0;
	if (r)
		return r;
	return line_now_ms() >= deadline ? -ETIMEDOUT : -EAGAIN;
}

int ctl_wait_gone(const char *mountpoint, unsigned timeout_ms)
{
	uint64_t deadline = line_deadline(timeout_ms);
	char path[256];
	int r = ctl_socket_path(mountpoint, path, sizeof(path), NULL);
	while (!r || r == -EAGAIN) {
		int fd autoclose = -1;
		r = socket_connect(path, timeout_ms, &fd);
		if (no_daemon(r))
			return 0;
		struct ctl_peer daemon = {0};
		if (!r)
			r = socket_peer(fd, &daemon);
		if (r)
			return r;
		// The socket goes before the process does; the caller wants the backing files free.
		int process autoclose = daemon.pid > 0 ? pidfd_open(daemon.pid, 0) : -1;
		if (process >= 0)
			return line_wait(process, POLLIN, -1, deadline);
		r = wait_socket_gone(path, fd, deadline);
	}
	return r;
}

static bool is_socket_name(const char *name)
{
	size_t len = strlen(name);
	return len > 5 && strcmp(name + len - 5, ".sock") == 0;
}

static void scope_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int each_in(const char *dir, DIR *d, int (*fn)(void *ctx, const char *path), void *ctx)
{
	for (struct dirent *e; (e = readdir(d));) {
		char path[512];
		int n = snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (!is_socket_name(e->d_name) || n < 0 || (size_t)n >= sizeof(path))
			continue;
		int fd autoclose = -1;
		if (socket_connect(path, PROBE_MS, &fd))
			continue; // left by a daemon that was killed
		int r = fn(ctx, path);
		if (r)
			return r;
	}
	return 0;
}

int ctl_each(int (*fn)(void *ctx, const char *socket_path), void *ctx)
{
	char dir[256];
	int r = ctl_runtime_dir(false, dir, sizeof(dir), NULL);
	if (r)
		return r == -ENOENT ? 0 : r;
	DIR *d scoped(scope_closedir) = opendir(dir);
	if (!d)
		return -errno;
	return each_in(dir, d, fn, ctx);
}
