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
#define PAUSE_MS 50u // before a fresh line is looked at
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

// A connection to a daemon that may be trusted with a command: one of ours, or root's. *who is the
// process that listens. As socket_connect(); -EPERM: somebody else listens there.
static int connect_daemon(const char *path, unsigned timeout_ms, int *out, struct ctl_peer *who)
{
	int fd autoclose = -1;
	int r = socket_connect(path, timeout_ms, &fd);
	if (!r)
		r = socket_peer(fd, who);
	if (!r && who->uid != 0 && who->uid != geteuid())
		r = -EPERM;
	if (!r)
		*out = TAKE_FD(fd);
	return r;
}

// The socket of a mount point, in a directory into which nobody else can have put it. -ENOENT and
// no sentence: there is no such directory.
static int private_socket(const char *mountpoint, char *path, size_t room, struct errmsg *err)
{
	char dir[256];
	struct errmsg why = {0};
	int r = ctl_runtime_dir(false, dir, sizeof(dir), &why);
	if (r == -ENOENT)
		return r;
	if (r)
		return errmsg_set(err, -r, "%s", why.text);
	return ctl_socket_path(mountpoint, path, room, err);
}

static int timed_out(const struct ctl_peer *who, unsigned timeout_ms, struct errmsg *err)
{
	if (who->pid <= 0)
		return errmsg_set(err, ETIMEDOUT,
			"the cmkdisk daemon did not answer within %u s; try again",
			timeout_ms / 1000);
	return errmsg_set(err, ETIMEDOUT,
		"its daemon, process %d, did not answer within %u s; try again, or as the last "
		"resort end it with kill -9 %d, which takes its keys out of memory",
		(int)who->pid, timeout_ms / 1000, (int)who->pid);
}

static int call_failed(int r, const struct ctl_peer *who, unsigned timeout_ms, struct errmsg *err)
{
	switch (r) {
	case -ETIMEDOUT:
		return timed_out(who, timeout_ms, err);
	case -EPERM:
		return errmsg_set(err, EPERM,
			"its control socket is answered by process %d of user %u, who is neither "
			"you nor root; nothing was asked",
			(int)who->pid, who->uid);
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
	struct ctl_peer who = {0};
	int fd autoclose = -1;
	int r = connect_daemon(path, timeout_ms, &fd, &who);
	if (no_daemon(r))
		return r; // the caller knows the mount point's name
	if (!r)
		r = exchange(fd, request, deadline, &reply);
	if (r)
		return call_failed(r, &who, timeout_ms, err);
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
	struct errmsg why = {0};
	int r = private_socket(mountpoint, path, sizeof(path), &why);
	if (!r)
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
	struct ctl_peer who;
	int fd autoclose = -1;
	int r = private_socket(mountpoint, path, sizeof(path), NULL);
	return r ? r : connect_daemon(path, PROBE_MS, &fd, &who);
}

void ctl_daemon_end(struct ctl_daemon *d)
{
	scope_close(&d->process);
	scope_close(&d->line);
}

int ctl_daemon(const char *mountpoint, struct ctl_daemon *d)
{
	char path[256];
	int fd autoclose = -1;
	int r = private_socket(mountpoint, path, sizeof(path), NULL);
	if (!r)
		r = connect_daemon(path, PROBE_MS, &fd, &d->peer);
	if (r)
		return r;
	if (d->peer.pid <= 0)
		return -ESRCH; // of another PID namespace
	d->process = pidfd_open(d->peer.pid, 0);
	if (d->process < 0)
		return -errno;
	d->line = TAKE_FD(fd);
	return 0;
}

// Another connection to the same daemon. -ENOENT: it does not listen any more.
static int connect_again(const char *mountpoint, const struct ctl_daemon *d, int *line)
{
	char path[256];
	struct ctl_peer who = {0};
	int fd autoclose = -1;
	int r = private_socket(mountpoint, path, sizeof(path), NULL);
	if (!r)
		r = connect_daemon(path, PROBE_MS, &fd, &who);
	if (no_daemon(r) || (!r && who.pid != d->peer.pid))
		return -ENOENT;
	if (!r)
		*line = TAKE_FD(fd);
	return r;
}

bool ctl_daemon_listens(const char *mountpoint, const struct ctl_daemon *d)
{
	int fd autoclose = -1;
	return connect_again(mountpoint, d, &fd) != -ENOENT;
}

static void renew_line(const char *mountpoint, struct ctl_daemon *d, uint64_t deadline)
{
	(void)close(TAKE_FD(d->line));
	while (connect_again(mountpoint, d, &d->line) == -ETIMEDOUT && line_now_ms() < deadline)
		;
}

int ctl_daemon_wait(const char *mountpoint, struct ctl_daemon *d, unsigned timeout_ms)
{
	const uint64_t deadline = line_deadline(timeout_ms);
	char word;
	for (;;) {
		int r = line_wait(d->process, POLLIN, d->line, deadline);
		if (r != -ECANCELED)
			return r;
		if (recv(d->line, &word, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
			return 0;
		// Closed without a word it says nothing about the files. One that is closed over
		// and over must not keep us busy.
		renew_line(mountpoint, d, deadline);
		r = line_wait(d->process, POLLIN, -1, line_deadline(PAUSE_MS));
		if (r != -ETIMEDOUT)
			return r;
	}
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
		struct ctl_peer who;
		int fd autoclose = -1;
		int r = connect_daemon(path, PROBE_MS, &fd, &who);
		if (r && r != -ETIMEDOUT)
			continue; // left by a daemon that was killed
		r = fn(ctx, path);
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
