// SPDX-License-Identifier: MIT
// Making backing files.
#include "newfile.h"
#include "path.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int newfile_check(const char *path, bool force, struct errmsg *err)
{
	struct stat st;
	// lstat: a link that leads nowhere is in the way, too.
	if (lstat(path, &st) && errno == ENOENT)
		return *path ? 0 : errmsg_set(err, EINVAL, "the name of the backing file is empty");
	if (stat(path, &st) && errno != ENOENT)
		return path_failed(path, errno, err);
	if (!S_ISBLK(st.st_mode))
		return errmsg_set(err, EEXIST,
			"%s exists and is not overwritten; remove it, or choose another name",
			path);
	if (!force)
		return errmsg_set(err, EEXIST,
			"%s is a block device; --force makes a disk of it and destroys what it "
			"holds",
			path);
	return 0;
}

static int open_device(const char *path, uint64_t bytes, struct newfile *out, struct errmsg *err)
{
	// O_EXCL on a block device: refused while it is mounted or otherwise claimed.
	out->fd = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (out->fd < 0)
		return errmsg_set(err, errno, "%s: %m; is the device in use?", path);
	uint64_t there = 0;
	if (ioctl(out->fd, BLKGETSIZE64, &there))
		return errmsg_set(err, errno, "%s: its size: %m", path);
	char want[32], have[32];
	format_size(bytes, want, sizeof(want));
	format_size(there, have, sizeof(have));
	if (there < bytes)
		return errmsg_set(err, ENOSPC, "%s: disk and header need %s, the device has %s",
			path, want, have);
	// libcryptsetup opens the device exclusively itself.
	(void)close(TAKE_FD(out->fd));
	return 0;
}

static int create_failed(const char *path, int errnum, struct errmsg *err)
{
	switch (errnum) {
	case ENOENT:
		return errmsg_set(err, errnum,
			"%s: the directory that it is to lie in does not exist; make it with mkdir",
			path);
	case EEXIST:
		return errmsg_set(err, errnum,
			"%s exists since a moment ago and is not overwritten; choose another name",
			path);
	case EACCES:
		return errmsg_set(err, errnum,
			"%s: this user may not make files in that directory; choose another, or "
			"change its permissions",
			path);
	case EROFS:
		return errmsg_set(err, errnum,
			"%s: that filesystem is mounted read-only; choose another directory", path);
	default:
		return errmsg_set(err, errnum, "%s: cannot be made: %s", path, strerror(errnum));
	}
}

static int give_space(const struct newfile *f, uint64_t bytes, uint64_t reserve, struct errmsg *err)
{
	char size[32];
	format_size(bytes, size, sizeof(size));
	int rc = ftruncate(f->fd, (off_t)bytes) ? errno : 0;
	if (rc == EFBIG || rc == EINVAL)
		return errmsg_set(err, EFBIG,
			"%s: %s with the header, which is more than this filesystem can hold in "
			"one file; make the disk smaller",
			f->path, size);
	if (rc)
		return errmsg_set(
			err, rc, "%s: cannot be made %s long: %s", f->path, size, strerror(rc));
	rc = posix_fallocate(f->fd, 0, (off_t)reserve);
	format_size(reserve, size, sizeof(size));
	if (rc == ENOSPC || rc == EDQUOT)
		return errmsg_set(err, ENOSPC,
			"%s: %s are needed at once, and the filesystem has no space for them; make "
			"space, or choose another",
			f->path, size);
	if (rc)
		return errmsg_set(
			err, rc, "%s: %s cannot be reserved: %s", f->path, size, strerror(rc));
	return 0;
}

int newfile_make(const char *path, uint64_t bytes, uint64_t reserve, bool force,
	struct newfile *out, struct errmsg *err)
{
	*out = (struct newfile){.fd = -1, .path = path};
	struct stat st;
	if (force && !stat(path, &st) && S_ISBLK(st.st_mode))
		return open_device(path, bytes, out, err);
	out->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out->fd < 0)
		return create_failed(path, errno, err);
	out->created = true;
	return give_space(out, bytes, reserve, err);
}

int newfile_keep(struct newfile *f, struct errmsg *err)
{
	if (!f->created)
		return 0;
	char copy[PATH_MAX];
	if (fsync(f->fd) || snprintf(copy, sizeof(copy), "%s", f->path) >= (int)sizeof(copy))
		return errmsg_set(err, errno, "%s: cannot be put on stable storage: %m", f->path);
	int dir autoclose = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	// Some filesystems cannot sync a directory; the file itself is safe by now.
	if (dir >= 0)
		(void)fsync(dir);
	f->created = false;
	return 0;
}

void newfile_discard(struct newfile *f)
{
	if (f->created)
		(void)unlink(f->path);
	if (f->fd >= 0)
		(void)close(TAKE_FD(f->fd));
}
