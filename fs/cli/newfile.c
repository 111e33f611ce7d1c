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
#include <stdlib.h>
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

static int open_device(const struct newfile_want *want, struct newfile *out, struct errmsg *err)
{
	const char *path = want->path;
	// O_EXCL on a block device: refused while it is mounted or otherwise claimed.
	out->fd = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	if (out->fd < 0)
		return errmsg_set(err, errno, "%s: %m; is the device in use?", path);
	uint64_t there = 0;
	if (ioctl(out->fd, BLKGETSIZE64, &there))
		return errmsg_set(err, errno, "%s: its size: %m", path);
	char need[32], have[32];
	format_size(want->bytes, need, sizeof(need));
	format_size(there, have, sizeof(have));
	if (there < want->bytes)
		return errmsg_set(err, ENOSPC, "%s: disk and header need %s, the device has %s",
			path, need, have);
	// What it held must not be taken for a header, nor for data that --force did not mean.
	uint64_t header[2] = {0, want->header};
	if (ioctl(out->fd, BLKZEROOUT, header))
		return errmsg_set(err, errno, "%s: the header's place cannot be cleared: %m", path);
	(void)snprintf(out->at, sizeof(out->at), "%s", path);
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

static int directory_of(const char *path, char out[PATH_MAX], struct errmsg *err)
{
	char copy[PATH_MAX];
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return path_failed(path, ENAMETOOLONG, err);
	(void)snprintf(out, PATH_MAX, "%s", dirname(copy));
	return 0;
}

// Without a name, so that one who is interrupted leaves nothing; where a filesystem cannot do that,
// under a name of its own beside the final one.
static int open_nameless(const char *path, const char *dir, struct newfile *out)
{
	out->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (out->fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return -errno;
	if (out->fd < 0) {
		int n = snprintf(out->temporary, sizeof(out->temporary), "%s.new-XXXXXX", path);
		if (n < 0 || (size_t)n >= sizeof(out->temporary))
			return -ENAMETOOLONG;
		out->fd = mkostemp(out->temporary, O_CLOEXEC);
		if (out->fd < 0) {
			out->temporary[0] = '\0';
			return -errno;
		}
	}
	(void)snprintf(out->at, sizeof(out->at), "/proc/self/fd/%d", out->fd);
	return 0;
}

int newfile_make(const struct newfile_want *want, struct newfile *out, struct errmsg *err)
{
	*out = (struct newfile){.fd = -1, .path = want->path};
	struct stat st;
	if (want->force && !stat(want->path, &st) && S_ISBLK(st.st_mode))
		return open_device(want, out, err);
	char dir[PATH_MAX];
	int rc = directory_of(want->path, dir, err);
	if (rc)
		return rc;
	rc = open_nameless(want->path, dir, out);
	if (rc)
		return create_failed(want->path, -rc, err);
	return give_space(out, want->bytes, want->preallocate ? want->bytes : want->header, err);
}

// The final name, unless somebody else has taken it meanwhile.
static int give_name(const struct newfile *f)
{
	if (!f->temporary[0])
		return linkat(AT_FDCWD, f->at, AT_FDCWD, f->path, AT_SYMLINK_FOLLOW) ? -errno : 0;
	if (!renameat2(AT_FDCWD, f->temporary, AT_FDCWD, f->path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return link(f->temporary, f->path) ? -errno : 0; // discarding removes the other name
}

int newfile_keep(struct newfile *f, struct errmsg *err)
{
	if (f->fd < 0)
		return 0; // a block device
	if (fsync(f->fd))
		return errmsg_set(err, errno, "%s: cannot be put on stable storage: %m", f->path);
	int rc = give_name(f);
	if (rc)
		return create_failed(f->path, -rc, err);
	char name[PATH_MAX];
	rc = directory_of(f->path, name, err);
	int dir autoclose = rc ? -1 : open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	// Some filesystems cannot sync a directory; the file itself is safe by now.
	if (dir >= 0)
		(void)fsync(dir);
	return rc;
}

void newfile_discard(struct newfile *f)
{
	if (f->temporary[0])
		(void)unlink(f->temporary);
	if (f->fd >= 0)
		(void)close(TAKE_FD(f->fd));
}
