// SPDX-License-Identifier: MIT
// Several daemons may append to one log, and programs such as logrotate may take it away at any
// time. So each append holds an exclusive lock on the open file, first sees whether the path still
// names that file, and goes on from the line that is the last one now. Only appending is needed: a
// file with the append-only attribute will do.
#include "audit_file.h"

#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_TRIES 20
#define LOCK_PAUSE_NS 50000000
#define TAIL_FIRST 8192

static int refuse(const char *path, const struct stat *st, struct errmsg *err)
{
	if (!S_ISREG(st->st_mode))
		return errmsg_set(err, EINVAL,
			"%s: an audit log is written to a regular file only; name one", path);
	if (st->st_uid != geteuid())
		return errmsg_set(err, EPERM,
			"%s: belongs to user %u, who could change what is recorded; it must belong "
			"to user %u",
			path, (unsigned)st->st_uid, (unsigned)geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return errmsg_set(err, EPERM,
			"%s: other users may write to it and change what is recorded; say: chmod "
			"go-w %s",
			path, path);
	return 0;
}

// Not through a link, which could lead anywhere; nor does a device or a pipe make us wait.
static int open_checked(const char *path, int *fd, struct errmsg *err)
{
	struct stat st;
	autoclose int new = open(path,
		O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (new < 0 && errno == ELOOP)
		return errmsg_set(err, ELOOP,
			"%s: is a symbolic link; name the audit log's file itself", path);
	if (new < 0 || fstat(new, &st))
		return errmsg_set(
			err, errno, "%s: the audit log cannot be opened for writing: %m", path);
	int rc = refuse(path, &st, err);
	if (!rc)
		*fd = TAKE_FD(new);
	return rc;
}

// The last line of a log in text, which is the end of the file. False: none.
static bool last_line(const char *text, size_t len, struct audit_line *line, size_t *end)
{
	for (size_t stop = len; stop;) {
		size_t to = text[stop - 1] == '\n' ? stop - 1 : stop;
		const char *before = to ? memrchr(text, '\n', to) : NULL;
		size_t from = before ? (size_t)(before - text) + 1 : 0;
		*end = stop;
		if (audit_line_parse(text + from, to - from, line))
			return true;
		stop = from;
	}
	return false;
}

// The log was cut off in its very first line.
static bool begins_a_line(const char *text, size_t len)
{
	size_t n = strlen(AUDIT_LINE_BEGIN);
	return !memcmp(text, AUDIT_LINE_BEGIN, len < n ? len : n);
}

// A file that has lost lines we know of does not take us back with it: we go on from those, and
// whoever verifies it sees that they are missing.
static void adopt(struct audit_file *f, const struct audit_line *line)
{
	if (line->link.sequence > f->link.sequence)
		f->link = line->link;
}

// text has room for one more.
static int find_cut(struct audit_file *f, char *text, size_t window, size_t end, struct errmsg *err)
{
	f->cut = window - end;
	if (!f->cut)
		return 0;
	text[window] = '\n';
	int rc = audit_hash(text + end, window - end + f->unended, f->cut_hash);
	return rc ? errmsg_set(err, -rc, "%s: its end cannot be hashed: %s", f->path, strerror(-rc))
		  : 0;
}

static int read_window(struct audit_file *f, size_t window, bool *found, struct errmsg *err)
{
	struct audit_line line;
	size_t end = 0;
	autofree char *text = malloc(window + 1);
	if (!text)
		return errmsg_set(err, ENOMEM, "%s: no memory for its last line", f->path);
	int rc = pread_full(f->fd, text, window, f->size - window);
	if (rc)
		return errmsg_set(err, -rc, "%s: the end of the audit log cannot be read: %s",
			f->path, strerror(-rc));
	f->unended = text[window - 1] != '\n';
	f->cut = 0;
	*found = last_line(text, window, &line, &end);
	if (!*found)
		end = 0;
	if (*found)
		adopt(f, &line);
	else if (window == f->size)
		*found = begins_a_line(text, window);
	return *found ? find_cut(f, text, window, end, err) : 0;
}

static int read_end(struct audit_file *f, struct errmsg *err)
{
	struct stat st;
	bool found = false;
	if (fstat(f->fd, &st))
		return errmsg_set(err, errno, "%s: the audit log cannot be looked at: %m", f->path);
	f->size = (uint64_t)st.st_size;
	f->cut = 0;
	f->unended = false;
	if (!f->size)
		return 0;
	size_t room = f->size < AUDIT_RUBBLE_MAX ? (size_t)f->size : AUDIT_RUBBLE_MAX;
	int rc = 0;
	if (room > TAIL_FIRST)
		rc = read_window(f, TAIL_FIRST, &found, err);
	if (!rc && !found)
		rc = read_window(f, room, &found, err);
	if (!rc && !found)
		rc = errmsg_set(err, EBADMSG,
			"%s: does not end in a line of an audit log; move it away, or name another "
			"file",
			f->path);
	return rc;
}

int audit_file_open(struct audit_file *f, const char *path, struct errmsg *err)
{
	*f = (struct audit_file){.path = path, .fd = -1};
	audit_link_start(&f->link);
	int rc = open_checked(path, &f->fd, err);
	return rc ? rc : read_end(f, err);
}

void audit_file_close(struct audit_file *f)
{
	scope_close(&f->fd);
	f->fd = -1;
}

static int set_lock(int fd, short type)
{
	struct flock lk = {.l_type = type, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_SETLK, &lk) ? -errno : 0;
}

static int lock_fd(int fd, const char *path, struct errmsg *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int rc = set_lock(fd, F_WRLCK);
	for (int i = 0; i < LOCK_TRIES && (rc == -EAGAIN || rc == -EACCES); i++) {
		(void)nanosleep(&pause, NULL);
		rc = set_lock(fd, F_WRLCK);
	}
	if (rc == -EAGAIN || rc == -EACCES)
		return errmsg_set(
			err, EAGAIN, "%s: another process keeps the audit log locked", path);
	if (rc)
		return errmsg_set(
			err, -rc, "%s: the audit log cannot be locked: %s", path, strerror(-rc));
	return 0;
}

static bool still_named(const struct audit_file *f)
{
	struct stat ours, named;
	return !fstat(f->fd, &ours) && !lstat(f->path, &named) && ours.st_dev == named.st_dev &&
	       ours.st_ino == named.st_ino;
}

// What a file that was taken away ends in matters only if it can be told there.
static int look(struct audit_file *f, struct errmsg *err)
{
	f->renamed = !still_named(f);
	int rc = read_end(f, err);
	if (!rc || !f->renamed)
		return rc;
	f->cut = 0;
	return 0;
}

int audit_file_lock(struct audit_file *f, struct errmsg *err)
{
	int rc = lock_fd(f->fd, f->path, err);
	if (rc)
		return rc;
	rc = look(f, err);
	if (rc)
		audit_file_unlock(f);
	return rc;
}

// Nobody appends to a renamed file any more once its lock was held. It stays locked until the new
// one is, so that lines that others added to it are not left out of the chain.
int audit_file_follow(struct audit_file *f, struct errmsg *err)
{
	autoclose int new = -1;
	int rc = open_checked(f->path, &new, err);
	if (!rc)
		rc = lock_fd(new, f->path, err);
	if (rc)
		return rc;
	int old = f->fd;
	f->fd = TAKE_FD(new);
	(void)close(old);
	return look(f, err);
}

void audit_file_unlock(struct audit_file *f)
{
	(void)!set_lock(f->fd, F_UNLCK);
}

// Half a line is taken back; where even this fails, the next line tells what stands there. A file
// that was cut meanwhile, as by copytruncate, is not made longer again.
static void take_back(const struct audit_file *f, size_t len)
{
	struct stat st;
	const uint64_t before = f->size;
	if (fstat(f->fd, &st))
		return;
	uint64_t now = (uint64_t)st.st_size;
	if (now > before && now - before <= len)
		(void)!ftruncate(f->fd, (off_t)before);
}

int audit_file_append(struct audit_file *f, const char *bytes, size_t len, struct errmsg *err)
{
	int rc = write_full(f->fd, bytes, len);
	if (!rc)
		return 0;
	take_back(f, len);
	return errmsg_set(
		err, -rc, "%s: the audit log cannot be written: %s", f->path, strerror(-rc));
}

int audit_file_sync(struct audit_file *f, struct errmsg *err)
{
	if (!fdatasync(f->fd))
		return 0;
	return errmsg_set(
		err, errno, "%s: the audit log does not reach stable storage: %m", f->path);
}
