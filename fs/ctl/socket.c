// SPDX-License-Identifier: MIT
// The control socket as a file.
#include "socket.h"

#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int socket_address(const char *path, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, strlen(path) + 1);
	return 0;
}

int socket_connect(const char *path, unsigned timeout_ms, int *out)
{
	struct sockaddr_un a;
	int r = socket_address(path, &a);
	if (r)
		return r;
	int fd autoclose = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	// Connecting waits while the daemon's queue is full, for as long as sending may.
	struct timeval t = {
		.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)))
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)))
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*out = TAKE_FD(fd);
	return 0;
}

int socket_peer(int fd, struct ctl_peer *out)
{
	struct ucred u = {.pid = 0, .uid = (uid_t)-1};
	socklen_t len = sizeof(u);
	int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) ? -errno : 0;
	*out = (struct ctl_peer){.pid = u.pid, .uid = u.uid};
	return r;
}

// Two daemons that start at once must not remove each other's socket as stale: whoever looks and
// binds holds the directory's lock.
static int lock_directory(const char *dir, int *out)
{
	int fd autoclose = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

static int bind_fresh(const char *mountpoint, struct ctl_socket *s, struct errmsg *err)
{
	struct sockaddr_un a;
	int r = socket_address(s->path, &a);
	if (!r && bind(s->fd, (const struct sockaddr *)&a, sizeof(a)))
		r = -errno;
	if (r != -EADDRINUSE)
		return r;
	int fd autoclose = -1;
	r = socket_connect(s->path, 1000, &fd);
	if (r == 0 || r == -ETIMEDOUT)
		return errmsg_set(err, EBUSY,
			"%s: a cmkdisk daemon serves this mount point already; unmount it first "
			"(`cmkdisk umount %s`)",
			mountpoint, mountpoint);
	if (unlink(s->path) && errno != ENOENT)
		return -errno;
	return bind(s->fd, (const struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static int bind_and_listen(const char *mountpoint, struct ctl_socket *s, struct errmsg *err)
{
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	// The mode of the socket before bind() is the mode of the file: there is no moment in which
	// it is open to others, and the process's umask is left alone.
	if (s->fd < 0 || fchmod(s->fd, 0600))
		return -errno;
	int r = bind_fresh(mountpoint, s, err);
	if (r)
		return r;
	struct stat st;
	if (lstat(s->path, &st)) {
		r = -errno;
		(void)unlink(s->path);
		return r;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino; // from here on socket_unlink() knows it
	return listen(s->fd, SOCKET_BACKLOG) ? -errno : 0;
}

int socket_listen(const char *mountpoint, struct ctl_socket *out, struct errmsg *err)
{
	*out = (struct ctl_socket){.fd = -1};
	char dir[256];
	int r = ctl_runtime_dir(true, dir, sizeof(dir), err);
	if (!r)
		r = ctl_socket_path(mountpoint, out->path, sizeof(out->path), err);
	if (r)
		return r;
	int lock autoclose = -1;
	r = lock_directory(dir, &lock);
	struct errmsg why = {0};
	if (!r)
		r = bind_and_listen(mountpoint, out, &why);
	if (r && why.text[0])
		return errmsg_set(err, -r, "%s", why.text);
	if (r)
		return errmsg_set(
			err, -r, "%s: cannot make the control socket: %s", out->path, strerror(-r));
	return 0;
}

void socket_unlink(struct ctl_socket *s)
{
	struct stat st;
	if (s->ino && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->path);
	s->ino = 0;
}
