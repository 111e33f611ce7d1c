// SPDX-License-Identifier: MIT
// Writing the blob; see byok.h.
#include "byok.h"

#include "kp_write.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>

static void remove_file(char (*path)[PATH_MAX])
{
	if (**path)
		(void)unlink(*path);
}

static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	(void)snprintf(copy, sizeof(copy), "%s", path);
	int fd autoclose = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	// A filesystem that cannot sync directories says EINVAL and has no better way.
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return -errno;
	return 0;
}

int byok_store(const char *path, const char *text, bool replace, struct kp_err *err)
{
	scoped(remove_file) char temp[PATH_MAX] = "";
	int n = snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	if (n < 0 || n >= PATH_MAX) {
		temp[0] = '\0';
		return kp_fail(err, EINVAL, "--out: the path is too long");
	}
	int fd autoclose = mkostemp(temp, O_CLOEXEC); // 0600
	if (fd < 0) {
		temp[0] = '\0';
		return kp_fail(err, errno, "%s: cannot be made: %s", path, strerror(errno));
	}
	int ret = kp_write_all(fd, text, strlen(text));
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	// link() does not replace, rename() does.
	if (ret == 0 && (replace ? rename(temp, path) : link(temp, path)) < 0)
		ret = -errno;
	if (ret == -EEXIST)
		return kp_fail(err, EEXIST,
			"%s: exists already; choose another name, or replace it with --force",
			path);
	ret = ret ? ret : sync_directory(path);
	return ret ? kp_fail(err, -ret, "%s: cannot be written: %s", path, strerror(-ret)) : 0;
}
