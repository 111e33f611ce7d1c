// SPDX-License-Identifier: MIT
// Looks at the mount point and at the host before mounting, so that the usual mistakes get a
// sentence that says what to do. mount(2) and fusermount3 still have the last word.
#include "front_internal.h"

#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_MAGIC 0x65735546 // f_type of every FUSE mount, statfs(2)

static int cannot_stat(const char *path, int errnum, struct errmsg *err)
{
	switch (errnum) {
	case ENOENT:
		return errmsg_set(err, ENOENT,
			"%s: the mount point does not exist; make it with mkdir", path);
	case ENOTDIR:
		return errmsg_set(err, ENOTDIR,
			"%s: a part of the path is not a directory; mount on a directory", path);
	case ENOTCONN:
		return errmsg_set(err, EBUSY,
			"%s: the daemon that served this mount is gone; clear it with `cmkdisk "
			"umount "
			"%s` and mount again",
			path, path);
	case EACCES:
		return errmsg_set(err, EACCES,
			"%s: no permission to reach the mount point; choose one below a directory "
			"of "
			"your own",
			path);
	default:
		return errmsg_set(
			err, errnum, "%s: cannot use the mount point: %s", path, strerror(errnum));
	}
}

static int check_directory(const char *path, struct errmsg *err)
{
	if (path[0] != '/')
		return errmsg_set(
			err, EINVAL, "%s: the mount point must be an absolute path", path);
	struct stat st;
	if (stat(path, &st))
		return cannot_stat(path, errno, err);
	if (!S_ISDIR(st.st_mode))
		return errmsg_set(err, ENOTDIR,
			"%s: the mount point is not a directory; mount on a directory", path);
	struct statfs fs;
	if (statfs(path, &fs))
		return cannot_stat(path, errno, err);
	// 1 is the inode number of every FUSE root: this directory is one already.
	if ((unsigned long)fs.f_type == FUSE_MAGIC && st.st_ino == 1)
		return errmsg_set(err, EBUSY,
			"%s: something is mounted here already; unmount it first (`cmkdisk umount "
			"%s` "
			"if it is cmkdisk), or choose another directory",
			path, path);
	return 0;
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	for (const char *dir = path ? path : "/usr/bin:/bin"; *dir;) {
		size_t len = strcspn(dir, ":");
		char file[4096];
		int n = snprintf(file, sizeof(file), "%.*s/%s", (int)len, dir, program);
		if (n > 0 && (size_t)n < sizeof(file) && access(file, X_OK) == 0)
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

// Whether /etc/fuse.conf lets ordinary users open their mounts to others.
static bool user_allow_other(void)
{
	FILE *f autofclose = fopen("/etc/fuse.conf", "re");
	char line[256];
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		if (strcmp(line, "user_allow_other") == 0)
			return true;
	}
	return false;
}

// An ordinary user mounts through the set-uid helper fusermount3, which has rules of its own.
static int check_user(const struct front_config *c, struct errmsg *err)
{
	if (access("/usr/bin/fusermount3", X_OK) && access("/bin/fusermount3", X_OK) &&
		!in_path("fusermount3"))
		return errmsg_set(err, ENOSYS,
			"an ordinary user needs fusermount3 to mount, and it is not installed; "
			"install "
			"the package fuse3, or mount as root");
	if (access(c->mountpoint, W_OK))
		return errmsg_set(err, EACCES,
			"%s: no write permission on the mount point; choose a directory of your "
			"own",
			c->mountpoint);
	if (c->allow_other && !user_allow_other())
		return errmsg_set(err, EPERM,
			"allow_other is refused to ordinary users on this host; put the line "
			"user_allow_other into /etc/fuse.conf, or mount as root");
	return 0;
}

static int check_device(struct errmsg *err)
{
	struct stat st;
	if (stat("/dev/fuse", &st))
		return errmsg_set(err, ENODEV,
			"/dev/fuse is missing: this host or container does not offer FUSE; load "
			"the "
			"kernel module (modprobe fuse) or pass the device into the container");
	int fd autoclose = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	if (errno == EACCES && geteuid() != 0)
		return errmsg_set(err, EACCES,
			"/dev/fuse may not be used by this user; ask for access to it (mode 0666 "
			"is "
			"usual), or mount as root");
	return errmsg_set(err, ENODEV,
		"/dev/fuse cannot be opened (%s): FUSE is not permitted here; pass the device into "
		"the container, or load the kernel module (modprobe fuse)",
		strerror(errno));
}

int mountpoint_check(const struct front_config *c, struct errmsg *err)
{
	int r = check_directory(c->mountpoint, err);
	if (!r && geteuid() != 0)
		r = check_user(c, err);
	if (!r)
		r = check_device(err);
	return r;
}

bool mountpoint_device(const char *mountpoint, unsigned *minor)
{
	struct statx st;
	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, 0, &st))
		return false;
	*minor = st.stx_dev_minor;
	return st.stx_dev_major == 0;
}

// Unmounted by somebody, or broken already: then number and path may be another mount's.
static bool connected(int fd)
{
	struct pollfd p = {.fd = fd};
	return poll(&p, 1, 0) == 0;
}

void mountpoint_force(const char *mountpoint, unsigned minor, int fd)
{
	unsigned found;
	if (geteuid() != 0 || !connected(fd) || !mountpoint_device(mountpoint, &found) ||
		found != minor)
		return;
	// The first breaks the connection, and unmounts what no file is open in.
	if (umount2(mountpoint, MNT_FORCE))
		(void)umount2(mountpoint, MNT_DETACH);
}

void mountpoint_abort(unsigned minor, int fd)
{
	char path[64];
	if (!connected(fd))
		return;
	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor);
	autoclose int control = open(path, O_WRONLY | O_CLOEXEC);
	if (control >= 0 && write(control, "1", 1) < 0)
		return;
}
