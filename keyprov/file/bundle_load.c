// SPDX-License-Identifier: MIT
// Reading a key bundle from its file; see bundle_file.h.
#include "bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(const char *path, const struct stat *st, struct kp_err *err)
{
	if (!S_ISREG(st->st_mode))
		return kp_fail(err, EPERM, "%s: a key bundle must be a regular file", path);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return kp_fail(err, EPERM,
			"%s: others than its owner may use this key bundle (mode %04o); say chmod "
			"600",
			path, (unsigned)(st->st_mode & 07777));
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return kp_fail(err, EPERM,
			"%s: this key bundle belongs to user %u; it must belong to user %u or to "
			"root",
			path, (unsigned)st->st_uid, (unsigned)geteuid());
	return 0;
}

// Opens the directory, so that "no file" and "no directory" are told apart.
static int open_dir(const char *path, int *fd, struct kp_err *err)
{
	char copy[PATH_MAX];
	if (strlen(path) >= sizeof(copy))
		return kp_fail(err, ENAMETOOLONG, "the path of the key bundle is too long");
	memcpy(copy, path, strlen(path) + 1);
	const char *dir = dirname(copy);
	autoclose int d = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d < 0 && (errno == ENOENT || errno == ENOTDIR))
		return kp_fail(err, ENOTDIR,
			"%s: there is no directory %s; mount or restore what it lies on", path,
			dir);
	if (d < 0)
		return kp_fail(
			err, errno, "%s: cannot open its directory: %s", path, strerror(errno));
	struct stat st;
	if (fstat(d, &st) < 0)
		return kp_fail(
			err, errno, "%s: cannot examine its directory: %s", path, strerror(errno));
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return kp_fail(err, EPERM,
			"%s: anybody may replace files in its directory; say chmod o-w %s", path,
			dir);
	*fd = TAKE_FD(d);
	return 0;
}

static int open_file(const char *path, int *fd, struct stat *st, struct kp_err *err)
{
	autoclose int dir = -1;
	int ret = open_dir(path, &dir, err);
	if (ret)
		return ret;
	char copy[PATH_MAX];
	memcpy(copy, path, strlen(path) + 1);
	// O_NONBLOCK: somebody else's FIFO must not hold us up.
	autoclose int f =
		openat(dir, basename(copy), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (f < 0 && errno == ENOENT)
		return kp_fail(err, ENOENT, "%s: there is no such key bundle", path);
	if (f < 0 && errno == ENXIO)
		return kp_fail(err, EPERM, "%s: a key bundle must be a regular file", path);
	if (f < 0 && errno == ELOOP)
		return kp_fail(err, EPERM,
			"%s: is a symbolic link; name the key bundle's own path instead", path);
	if (f < 0)
		return kp_fail(
			err, errno, "%s: cannot open the key bundle: %s", path, strerror(errno));
	if (fstat(f, st) < 0)
		return kp_fail(
			err, errno, "%s: cannot examine the key bundle: %s", path, strerror(errno));
	ret = check_file(path, st, err);
	if (ret)
		return ret;
	*fd = TAKE_FD(f);
	return 0;
}

// Reads the whole file, which may be replaced but not change in size meanwhile.
static int read_all(int fd, char *text, size_t size)
{
	size_t got = 0;
	while (got < size) {
		ssize_t n = read(fd, text + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		got += (size_t)n;
	}
	return 0;
}

int bundle_load(
	const struct cmk_host *host, const char *path, struct bundle **out, struct kp_err *err)
{
	autoclose int fd = -1;
	struct stat st;
	int ret = open_file(path, &fd, &st, err);
	if (ret)
		return ret;
	if (st.st_size > BUNDLE_MAX)
		return kp_fail(err, EBADMSG, "%s: not a key bundle: larger than %u KiB", path,
			BUNDLE_MAX / 1024);
	size_t size = (size_t)st.st_size;
	char *text = host->secret_alloc(host, size + 1);
	if (!text)
		return kp_fail(
			err, ENOMEM, "%s: no locked memory to read the key bundle into", path);
	ret = read_all(fd, text, size);
	if (ret) {
		host->secret_free(host, text);
		return kp_fail(err, -ret, "%s: cannot read the key bundle: %s", path,
			ret == -EBADMSG ? "it was cut short meanwhile" : strerror(-ret));
	}
	ret = bundle_parse(host, text, size, out, err);
	if (ret == -EBADMSG)
		kp_err_prefix(err, "not a usable key bundle (restore it from a copy)");
	if (ret)
		kp_err_prefix(err, path);
	return ret;
}
