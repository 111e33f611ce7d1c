// SPDX-License-Identifier: MIT
// The backing file before it is a LUKS2 container to us: what it is, how large, and why the
// library would not have it.
#include "luks_internal.h"

#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int probe_name(const char *path, char **name)
{
	char target[4096];

	if (strncmp(path, "/proc/self/fd/", 14) == 0) {
		ssize_t len = readlink(path, target, sizeof(target) - 1);
		if (len > 0) {
			target[len] = '\0';
			path = target;
		}
	}
	*name = strdup(path);
	return *name ? 0 : -ENOMEM;
}

static int open_backing(const char *path, const char *name, int flags, struct errmsg *err)
{
	// O_NONBLOCK: a fifo must be refused, not waited for.
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		return errmsg_set(err, ENOENT,
			"%s: no such backing file; make one with: cmkdisk create", name);
	case EACCES:
	case EPERM:
		return errmsg_set(err, EACCES,
			"%s: this user may not %s it; check its owner and mode", name,
			flags == O_RDONLY ? "read" : "write");
	case EROFS:
		return errmsg_set(err, EROFS,
			"%s: on a file system that is mounted read-only; mount the disk with -o ro",
			name);
	case EISDIR:
		return errmsg_set(err, EISDIR,
			"%s: a directory; name a backing file (regular file or block device)",
			name);
	default:
		return errmsg_set(err, errno, "%s: cannot open: %s", name, strerror(errno));
	}
}

int probe_backing(
	const char *path, const char *name, bool writable, uint64_t *size, struct errmsg *err)
{
	struct stat st;
	int fd autoclose = open_backing(path, name, writable ? O_RDWR : O_RDONLY, err);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return errmsg_set(err, errno, "%s: cannot look at it: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return errmsg_set(err, EINVAL,
			"%s: %s; name a backing file (regular file or block device)", name,
			S_ISDIR(st.st_mode) ? "a directory" : "a special file");
	off_t end = lseek(fd, 0, SEEK_END); // st_size is 0 for a block device
	if (end < 0)
		return errmsg_set(
			err, errno, "%s: cannot find its size: %s", name, strerror(errno));
	*size = (uint64_t)end;
	return 0;
}

struct signature {
	size_t at;
	const char *bytes;
	size_t len;
	const char *what;
};

static const struct signature signatures[] = {
	{0, "LUKS\xba\xbe\0\1", 8, "a LUKS1 container"},
	{1080, "\x53\xef", 2, "an unencrypted ext2/3/4 file system"},
	{0, "XFSB", 4, "an unencrypted XFS file system"},
	{65600, "_BHRfS_M", 8, "an unencrypted btrfs file system"},
	{3, "-FVE-FS-", 8, "a BitLocker volume"},
	{0, "QFI\xfb", 4, "a qcow2 image"},
	{510, "\x55\xaa", 2, "a disk with a partition table or boot sector"},
};

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

// The primary copy is at 0; the secondary begins where the first ends, whose size is one of these.
static bool luks2_remains(int fd, const uint8_t *start)
{
	char magic[6];

	if (memcmp(start, "LUKS\xba\xbe\0\2", 8) == 0)
		return true;
	for (uint64_t at = 0x4000; at <= 0x400000; at *= 2)
		if (!pread_full(fd, magic, sizeof(magic), at) && !memcmp(magic, "SKUL\xba\xbe", 6))
			return true;
	return false;
}

int probe_explain(const char *path, const char *name, struct errmsg *err)
{
	uint8_t *start autofree = calloc(1, 128 * 1024);
	int fd autoclose = open_backing(path, name, O_RDONLY, err);

	if (fd < 0)
		return fd;
	if (!start)
		return errmsg_set(err, ENOMEM, "%s: out of memory", name);
	ssize_t len = pread(fd, start, 128 * 1024, 0);
	if (len < 0)
		return errmsg_set(
			err, errno, "%s: cannot read its header: %s", name, strerror(errno));
	if ((uint64_t)len < SMALLEST_HEADER)
		return errmsg_set(err, EBADMSG,
			"%s: only %zd bytes long, too short for a LUKS2 header; name the backing "
			"file that "
			"cmkdisk create made",
			name, len);
	if (luks2_remains(fd, start))
		return errmsg_set(err, EBADMSG,
			"%s: its LUKS2 header is damaged in both copies; restore a header backup "
			"(cryptsetup "
			"luksHeaderRestore)",
			name);
	if (all_zero(start, (size_t)len))
		return errmsg_set(err, EBADMSG,
			"%s: holds no LUKS2 header, its beginning is zeros; make a disk with: "
			"cmkdisk create",
			name);
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		const struct signature *s = &signatures[i];
		if (s->at + s->len <= (size_t)len && !memcmp(start + s->at, s->bytes, s->len))
			return errmsg_set(err, EBADMSG,
				"%s: not a LUKS2 container but %s; name the backing file that "
				"cmkdisk create "
				"made",
				name, s->what);
	}
	return errmsg_set(err, EBADMSG,
		"%s: not a LUKS2 container; name the backing file that cmkdisk create made", name);
}

int probe_unused(const char *path, const char *name, struct errmsg *err)
{
	uint8_t *start autofree = malloc(MIB);
	int fd autoclose = open_backing(path, name, O_RDONLY, err);

	if (fd < 0)
		return fd;
	if (!start)
		return errmsg_set(err, ENOMEM, "%s: out of memory", name);
	int ret = pread_full(fd, start, MIB, 0);
	if (ret)
		return errmsg_set(
			err, -ret, "%s: cannot read its first MiB: %s", name, strerror(-ret));
	if (!all_zero(start, MIB))
		return errmsg_set(err, EEXIST,
			"%s: holds data already, expected zeros in its first MiB; choose another "
			"file, or wipe "
			"this one first if nothing in it is needed",
			name);
	return 0;
}
