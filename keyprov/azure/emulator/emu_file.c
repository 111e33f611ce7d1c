// SPDX-License-Identifier: MIT
// Whole files; see emu_file.h.
#include "emu_file.h"

#include "kp_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int read_all(int fd, char *text, size_t room, size_t *len)
{
	*len = 0;
	while (*len < room) {
		ssize_t n = read(fd, text + *len, room - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return -EFBIG;
}

int emu_file_read(const char *path, size_t most, char **out, size_t *len, struct kp_err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return kp_fail(err, errno, "%s: cannot open it: %s", path, strerror(errno));
	autofree char *text = malloc(most + 1);
	if (!text)
		return kp_fail(err, ENOMEM, "out of memory");
	int ret = read_all(fd, text, most + 1, len);
	if (ret == -EFBIG)
		return kp_fail(err, EFBIG, "%s: is larger than %zu bytes", path, most);
	if (ret)
		return kp_fail(err, -ret, "%s: cannot read it: %s", path, strerror(-ret));
	text[*len] = '\0';
	*out = TAKE(text);
	return 0;
}

static int write_through(int fd, const char *text, size_t len)
{
	int ret = kp_write_all(fd, text, len);
	return ret || fsync(fd) == 0 ? ret : -errno;
}

static int replace(
	int dir, const char *temp, const char *name, mode_t mode, const char *text, size_t len)
{
	(void)unlinkat(dir, temp, 0); // left by a crash
	autoclose int fd =
		openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int ret = write_through(fd, text, len);
	if (!ret && (fchmod(fd, mode) < 0 || renameat(dir, temp, dir, name) < 0 || fsync(dir) < 0))
		ret = -errno;
	return ret;
}

int emu_file_write(const char *dir, const char *name, mode_t mode, const char *text, size_t len,
	struct kp_err *err)
{
	autofree char *temp = NULL;
	if (asprintf(&temp, ".%s.new", name) < 0) {
		temp = NULL;
		return kp_fail(err, ENOMEM, "out of memory");
	}
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : replace(fd, temp, name, mode, text, len);
	if (ret)
		return kp_fail(err, -ret, "%s/%s: cannot write it: %s", dir, name, strerror(-ret));
	return 0;
}
