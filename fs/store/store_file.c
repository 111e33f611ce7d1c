// SPDX-License-Identifier: MIT
// The store that is a regular file or a block device: opening it safely, and its six operations.
// Who holds it is answered in store_holder.c.
#include "store.h"

#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIZE_HOLDS_MS 20u

struct file_store {
	struct store base; // first, so that a struct store * is one of these
	int fd;
	int claim; // a block device in use for writing: the kernel lets nobody else have it, or -1
	bool block;
	bool read_only;

	atomic_uint_fast64_t size_seen;	   // bytes
	atomic_uint_fast64_t size_seen_ms; // when, on the coarse clock

	atomic_uint_fast64_t flush_asked; // tickets handed out
	pthread_mutex_t flush_lock;
	uint64_t flush_done; // under flush_lock: the tickets that a completed fdatasync covers
	bool flush_failed;   // under flush_lock: never goes back to false
};

static struct file_store *file_of(struct store *s)
{
	return (struct file_store *)s;
}

static int size_of(const struct file_store *f, uint64_t *bytes)
{
	struct stat st;

	if (f->block)
		return ioctl(f->fd, BLKGETSIZE64, bytes) < 0 ? -errno : 0;
	if (fstat(f->fd, &st) < 0)
		return -errno;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static int file_size(struct store *s, uint64_t *bytes)
{
	return size_of(file_of(s), bytes);
}

static int file_pread(struct store *s, void *buf, size_t len, uint64_t off)
{
	int rc = pread_full(file_of(s)->fd, buf, len, off);

	return rc == -ENODATA ? -EIO : rc; // the file became shorter than the disk on it
}

static uint64_t coarse_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// A write beyond the end would make a file longer again that somebody had cut off, and the loss
// would be noticed only when its zeros are read. To look before every write is a system
// call more for each, so what was seen holds for SIZE_HOLDS_MS. A block device refuses by itself.
static int check_within(struct file_store *f, size_t len, uint64_t off)
{
	if (f->block)
		return 0;
	uint64_t now = coarse_ms(), size = atomic_load(&f->size_seen);
	bool within = off <= size && len <= size - off;
	if (within && now - atomic_load(&f->size_seen_ms) < SIZE_HOLDS_MS)
		return 0;
	int rc = size_of(f, &size);
	if (rc < 0)
		return rc;
	atomic_store(&f->size_seen, size);
	atomic_store(&f->size_seen_ms, now);
	return off <= size && len <= size - off ? 0 : -EIO;
}

static int file_pwrite(struct store *s, const void *buf, size_t len, uint64_t off)
{
	struct file_store *f = file_of(s);

	if (f->read_only)
		return -EROFS;
	int rc = check_within(f, len, off);
	return rc < 0 ? rc : pwrite_full(f->fd, buf, len, off);
}

// One fdatasync serves every caller who asked before it began. They may not run side by side: the
// kernel reports a lost write to one of them only, and the other would call it success.
//
// Once one has failed, all later ones must: the kernel marks the pages that it could not write as
// clean, may drop them, and forgets the error, so the next fdatasync succeeds though the data is
// on no medium. Only a new start, which reads what is really there, may hope again.
static int file_flush(struct store *s)
{
	struct file_store *f = file_of(s);

	if (f->read_only)
		return 0;
	uint64_t ticket = atomic_fetch_add(&f->flush_asked, 1) + 1;
	with_lock(&f->flush_lock);
	if (f->flush_failed)
		return -EIO;
	if (f->flush_done >= ticket)
		return 0;
	uint64_t covers = atomic_load(&f->flush_asked);
	int rc;
	do
		rc = fdatasync(f->fd) < 0 ? -errno : 0;
	while (rc == -EINTR);
	if (rc < 0)
		f->flush_failed = true;
	else
		f->flush_done = covers;
	return rc;
}

static int change_space(struct file_store *f, int mode, uint64_t off, uint64_t len)
{
	if (f->read_only)
		return -EROFS;
	if (off > INT64_MAX || len > (uint64_t)INT64_MAX - off)
		return -EINVAL;
	if (len == 0)
		return 0;
	for (;;) {
		if (fallocate(f->fd, mode, (off_t)off, (off_t)len) == 0)
			return 0;
		if (errno == ENOSYS || errno == ENODEV || errno == ENOTSUP)
			return -EOPNOTSUPP;
		if (errno != EINTR)
			return -errno;
	}
}

// Afterwards the range must read as zeros. Of a block device the kernel promises that for a
// punched hole (it zeroes or answers EOPNOTSUPP), and not for BLKDISCARD.
static int file_discard(struct store *s, uint64_t off, uint64_t len)
{
	return change_space(file_of(s), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
}

static int file_allocate(struct store *s, uint64_t off, uint64_t len)
{
	return change_space(file_of(s), FALLOC_FL_KEEP_SIZE, off, len);
}

static void file_free(struct file_store *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); // ends the lock, too
	if (f->claim >= 0)
		(void)close(f->claim);
	(void)pthread_mutex_destroy(&f->flush_lock);
	free(f);
}

static void file_close(struct store *s)
{
	file_free(file_of(s));
}

static const struct store_ops file_ops = {
	.pread = file_pread,
	.pwrite = file_pwrite,
	.flush = file_flush,
	.discard = file_discard,
	.allocate = file_allocate,
	.size = file_size,
	.close = file_close,
};

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a fifo";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	default:
		return "no ordinary file";
	}
}

static int explain_open(const char *path, bool read_only, int errnum, struct errmsg *err)
{
	const char *verb = read_only ? "read" : "write to";
	const char *hint = read_only ? "" : ", or mount with -o ro";

	switch (errnum) {
	case ENOENT:
		return errmsg_set(err, errnum,
			"%s: no such backing file; check the path, or make it with cmkdisk create",
			path);
	case EROFS:
		return errmsg_set(err, errnum,
			"%s: is read-only, or lies on a read-only filesystem; make it writable, or "
			"mount with -o ro",
			path);
	case EACCES:
	case EPERM:
		return errmsg_set(err, errnum,
			"%s: this user (uid %u) may not %s it; change its permissions, run as its "
			"owner%s",
			path, (unsigned)geteuid(), verb, hint);
	default:
		return errmsg_set(err, errnum, "%s: cannot be opened: %s", path, strerror(errnum));
	}
}

// Looks first (O_PATH has no effect on a fifo or a tape drive) and then opens exactly what it saw.
static int open_checked(const char *path, bool read_only, bool *block, int *out, struct errmsg *err)
{
	char self[64];
	struct stat st;
	autoclose int seen = open(path, O_PATH | O_CLOEXEC);

	if (seen < 0 || fstat(seen, &st) < 0)
		return explain_open(path, true, errno, err);
	*block = S_ISBLK(st.st_mode);
	if (!S_ISREG(st.st_mode) && !*block)
		return errmsg_set(err, EINVAL,
			"%s: is %s; a backing file is a regular file or a block device", path,
			kind_name(st.st_mode));
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", seen);
	int fd = open(self, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return errmsg_set(err, ENOSYS,
			"%s: cannot be opened because /proc is not mounted; mount it first", path);
	if (fd < 0)
		return explain_open(path, read_only, errno, err);
	*out = fd;
	return 0;
}

// What a lock on the device node cannot see, or keep away: a filesystem, dm-crypt, RAID or swap on
// the device. *claim is held as long as the store; -1 where the kernel gives none.
static int claim_block(const char *path, int fd, bool read_only, int *claim, struct errmsg *err)
{
	char self[64];
	int ro = 0;

	if (read_only)
		return 0;
	if (ioctl(fd, BLKROGET, &ro) == 0 && ro)
		return explain_open(path, false, EROFS, err);
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	*claim = open(self, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (*claim < 0 && errno == EBUSY)
		return errmsg_set(err, EBUSY,
			"%s: this device is in use by the kernel (mounted, or under dm-crypt, LVM, "
			"RAID or swap); release it first",
			path);
	return 0;
}

static int explain_busy(const char *path, struct errmsg *err)
{
	int pid = store_file_holder(path);

	if (pid == getpid())
		return errmsg_set(err, EBUSY,
			"%s: is open in this very command already; name each backing file once",
			path);
	if (pid)
		return errmsg_set(err, EBUSY,
			"%s: in use by process %d; unmount it there first (cmkdisk umount)", path,
			pid);
	return errmsg_set(err, EBUSY,
		"%s: in use by another process (cmkdisk status shows the mounts of this user); "
		"unmount it "
		"there first (cmkdisk umount)",
		path);
}

static int lock_whole(const char *path, int fd, bool read_only, struct errmsg *err)
{
	struct flock lk = {.l_type = (short)(read_only ? F_RDLCK : F_WRLCK), .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lk) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return explain_busy(path, err);
	return errmsg_set(err, errno,
		"%s: cannot be locked (%s), so a second mount of it could not be refused; put it "
		"on a filesystem with file locks",
		path, strerror(errno));
}

int store_file_open(
	const char *path, bool read_only, struct store **out, int *fd, struct errmsg *err)
{
	bool block = false;
	autoclose int opened = -1;
	autoclose int claim = -1;

	int rc = open_checked(path, read_only, &block, &opened, err);
	if (rc == 0)
		rc = lock_whole(path, opened, read_only, err);
	if (rc == 0 && block)
		rc = claim_block(path, opened, read_only, &claim, err);
	if (rc < 0)
		return rc;

	struct file_store *f = calloc(1, sizeof *f);
	if (!f)
		return errmsg_set(err, ENOMEM, "%s: not enough memory to open it", path);
	f->base.ops = &file_ops;
	(void)pthread_mutex_init(&f->flush_lock, NULL);
	f->block = block;
	f->read_only = read_only;
	if (fd)
		*fd = opened;
	f->fd = TAKE_FD(opened);
	f->claim = TAKE_FD(claim);
	*out = &f->base;
	return 0;
}
