// SPDX-License-Identifier: MIT
// Making backing files.
#include "newfile.h"
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
	if (stat(path, &st))
		return errno == ENOENT ? 0 : errmsg_set(err, errno, "%s: %m", path);
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

int newfile_make(const char *path, uint64_t bytes, bool preallocate, bool force,
	struct newfile *out, struct errmsg *err)
{
	*out = (struct newfile){.fd = -1, .path = path};
	struct stat st;
	if (force && !stat(path, &st) && S_ISBLK(st.st_mode))
		return open_device(path, bytes, out, err);
	out->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out->fd < 0)
		return errmsg_set(err, errno, "%s: cannot be created: %m", path);
	out->created = true;
	if (ftruncate(out->fd, (off_t)bytes))
		return errmsg_set(err, errno, "%s: cannot be made %llu bytes long: %m", path,
			(unsigned long long)bytes);
	int rc = preallocate ? posix_fallocate(out->fd, 0, (off_t)bytes) : 0;
	if (rc)
		return errmsg_set(err, rc, "%s: %llu bytes cannot be reserved: %s", path,
			(unsigned long long)bytes, strerror(rc));
	return 0;
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
