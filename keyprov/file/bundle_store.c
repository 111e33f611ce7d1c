// SPDX-License-Identifier: MIT
// Changing a key bundle's file: the lock, and the replacement; see bundle_file.h.
#include "bundle_file.h"
#include "kp_write.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 100 // of 50 ms

struct bundle_lock {
	int dir, fd;
	bool stored; // the lock file has become the bundle
	char path[PATH_MAX];
	char name[NAME_MAX + 1]; // of the bundle in dir
	char temp[NAME_MAX + 1]; // of the lock file
};

void bundle_unlock(struct bundle_lock **lock)
{
	struct bundle_lock *l = *lock;
	if (!l)
		return;
	// Before the close that lets the next one in.
	if (l->fd >= 0 && !l->stored)
		(void)unlinkat(l->dir, l->temp, 0);
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->dir >= 0)
		(void)close(l->dir);
	free(l);
	*lock = NULL;
}

static int split(struct bundle_lock *l, const char *path, struct kp_err *err)
{
	if (strlen(path) >= sizeof(l->path))
		return kp_fail(err, ENAMETOOLONG, "the path of the key bundle is too long");
	memcpy(l->path, path, strlen(path) + 1);
	char copy[PATH_MAX];
	memcpy(copy, path, strlen(path) + 1);
	const char *name = basename(copy);
	if (strlen(name) + strlen("..lock") > NAME_MAX)
		return kp_fail(err, ENAMETOOLONG, "%s: the file name is too long", path);
	memcpy(l->name, name, strlen(name) + 1);
	(void)snprintf(l->temp, sizeof(l->temp), ".%.*s.lock", NAME_MAX - 6, name);
	memcpy(copy, path, strlen(path) + 1);
	const char *dir = dirname(copy);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return kp_fail(err, ENOTDIR, "%s: there is no directory %s", path, dir);
	if (l->dir < 0)
		return kp_fail(
			err, errno, "%s: cannot open its directory: %s", path, strerror(errno));
	return 0;
}

// Is the file we locked still the one that has the name, and nobody else's?
static int verify(struct bundle_lock *l, struct kp_err *err)
{
	struct stat mine, now;
	if (fstat(l->fd, &mine) < 0)
		return -errno;
	if (fstatat(l->dir, l->temp, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno; // the holder before us took it away
	if (mine.st_ino != now.st_ino || mine.st_dev != now.st_dev)
		return -EAGAIN;
	if (mine.st_uid != geteuid() || !S_ISREG(mine.st_mode))
		return kp_fail(err, EPERM,
			"%s: the lock file %s beside it is somebody else's; remove it", l->path,
			l->temp);
	if (mine.st_nlink == 1)
		return 0;
	// Killed between link and unlink: this inode is the bundle itself by now.
	(void)unlinkat(l->dir, l->temp, 0);
	return -EAGAIN;
}

static int try_lock(struct bundle_lock *l, struct kp_err *err)
{
	l->fd = openat(
		l->dir, l->temp, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return kp_fail(err, errno, "%s: cannot write in its directory: %s", l->path,
			strerror(errno));
	int ret = flock(l->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : verify(l, err);
	if (ret) {
		(void)close(l->fd);
		l->fd = -1;
	}
	if (ret == -EAGAIN || ret == -EPERM || ret == 0)
		return ret;
	return kp_fail(err, -ret, "%s: cannot lock the key bundle: %s", l->path, strerror(-ret));
}

int bundle_lock(const char *path, struct bundle_lock **out, struct kp_err *err)
{
	scoped(bundle_unlock) struct bundle_lock *l = calloc(1, sizeof(*l));
	if (!l)
		return kp_fail(err, ENOMEM, "no memory");
	l->dir = l->fd = -1;
	int ret = split(l, path, err);
	if (ret)
		return ret;
	for (int i = 0; i < LOCK_TRIES; i++) {
		ret = try_lock(l, err);
		if (ret == 0)
			*out = TAKE(l);
		if (ret != -EAGAIN)
			return ret;
		(void)nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
	}
	return kp_fail(err, EBUSY,
		"%s: the key bundle is being changed by another process; try again", path);
}

static int fill(struct bundle_lock *l, const char *text, size_t len)
{
	if (ftruncate(l->fd, 0) < 0 || fchmod(l->fd, 0600) < 0 || lseek(l->fd, 0, SEEK_SET) < 0)
		return -errno;
	int ret = kp_write_all(l->fd, text, len);
	if (ret)
		return ret;
	return fsync(l->fd) < 0 ? -errno : 0;
}

static int put_in_place(struct bundle_lock *l, bool create)
{
	if (!create) {
		if (renameat(l->dir, l->temp, l->dir, l->name) < 0)
			return -errno;
	} else if (renameat2(l->dir, l->temp, l->dir, l->name, RENAME_NOREPLACE) < 0) {
		if (errno != EINVAL && errno != ENOSYS)
			return -errno;
		// A filesystem without RENAME_NOREPLACE.
		if (linkat(l->dir, l->temp, l->dir, l->name, 0) < 0)
			return -errno;
		(void)unlinkat(l->dir, l->temp, 0);
	}
	l->stored = true;
	// A filesystem that cannot sync directories says EINVAL and has no better way.
	return fsync(l->dir) < 0 && errno != EINVAL ? -errno : 0;
}

int bundle_store(struct bundle_lock *l, const struct bundle *b, bool create, struct kp_err *err)
{
	char *text;
	size_t len;
	int ret = bundle_print(b, &text, &len, err);
	if (ret) {
		kp_err_prefix(err, l->path);
		return ret;
	}
	ret = fill(l, text, len);
	b->host->secret_free(b->host, text);
	if (ret)
		return kp_fail(err, -ret, "%s: cannot write the new key bundle: %s", l->path,
			strerror(-ret));
	ret = put_in_place(l, create);
	if (ret == -EEXIST)
		return kp_fail(err, EEXIST,
			"%s: exists already, and keys are never overwritten; choose "
			"another name or use rotate",
			l->path);
	if (ret)
		return kp_fail(err, -ret, "%s: cannot put the new key bundle in place: %s", l->path,
			strerror(-ret));
	return 0;
}
