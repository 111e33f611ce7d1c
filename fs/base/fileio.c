// SPDX-License-Identifier: MIT
// Loops around the four calls that may do less than they were asked.
#include "fileio.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool range_fits(size_t len, uint64_t off)
{
	return off <= INT64_MAX && len <= (uint64_t)INT64_MAX - off;
}

int pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	uint8_t *p = buf;

	if (!range_fits(len, off))
		return -EINVAL;
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	const uint8_t *p = buf;

	if (!range_fits(len, off))
		return -EINVAL;
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int read_full(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

// A peer that has gone is an error to return, not a signal that ends the daemon.
static ssize_t write_quietly(int fd, const void *p, size_t len)
{
	ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(fd, p, len);
	return n;
}

int write_full(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = write_quietly(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int explain_open(const char *path, int errnum, struct errmsg *err)
{
	switch (errnum) {
	case ENOENT:
		return errmsg_set(err, errnum, "%s: no such file; check the path", path);
	case EACCES:
		return errmsg_set(err, errnum,
			"%s: this user (uid %u) may not read it; give read permission or run as "
			"its owner",
			path, (unsigned)geteuid());
	case EISDIR:
		return errmsg_set(err, errnum,
			"%s: is a directory, but a file is needed; name a file in it", path);
	default:
		return errmsg_set(err, errnum, "%s: cannot be read: %s", path, strerror(errnum));
	}
}

// Doubles *buf, which is full; one byte is always kept for the NUL. Nothing is left where it was,
// for people put secrets where none belong.
static int make_room(char **buf, size_t *room)
{
	size_t bigger = *room ? *room * 2 : 4096;
	char *p = malloc(bigger + 1);

	if (!p)
		return -ENOMEM;
	if (*buf) {
		memcpy(p, *buf, *room);
		wipe(*buf, *room);
		free(*buf);
	}
	*buf = p;
	*room = bigger;
	return 0;
}

int read_text_file(const char *path, size_t max, char **out, size_t *len, struct errmsg *err)
{
	autofree char *buf = NULL;
	size_t room = 0, used = 0;

	// Blocking on purpose: a pipe such as /dev/stdin is as good as a file.
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return explain_open(path, errno, err);
	for (;;) {
		if (used == room && make_room(&buf, &room) < 0)
			return errmsg_set(err, ENOMEM, "%s: not enough memory to read it", path);
		ssize_t n = read(fd, buf + used, room - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return explain_open(path, errno, err);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return errmsg_set(err, EFBIG,
				"%s: longer than %zu bytes, which a file of this kind never is; "
				"check the path",
				path, max);
	}
	buf[used] = '\0';
	if (len)
		*len = used;
	*out = TAKE(buf);
	return 0;
}
