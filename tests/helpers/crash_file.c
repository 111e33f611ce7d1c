// SPDX-License-Identifier: MIT
// Power cuts for one file. The process-wide state is the point of it: it stands for the machine.
#include "crash_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNSYNCED_MAX 64

struct unsynced {
	off_t at;
	size_t len;
	char *before;
};

static struct {
	struct crash_plan plan;
	struct stat file;
	int fd; // of our own, without O_DIRECT and its rules
	unsigned writes;
	struct unsynced unsynced[UNSYNCED_MAX];
	size_t unsynced_count;
} machine = {.fd = -1};

void crash_arm(const struct crash_plan *plan)
{
	machine.plan = *plan;
	machine.fd = open(plan->path, O_RDWR | O_CLOEXEC);
	assert(machine.fd >= 0);
	int ret = fstat(machine.fd, &machine.file);
	assert(!ret);
}

unsigned crash_writes(void)
{
	return machine.writes;
}

static bool is_ours(int fd)
{
	struct stat st;

	return machine.fd >= 0 && fd != machine.fd && !fstat(fd, &st) &&
	       st.st_dev == machine.file.st_dev && st.st_ino == machine.file.st_ino;
}

static void store(const void *buf, size_t len, off_t at)
{
	long done = syscall(SYS_pwrite64, machine.fd, buf, len, at);
	if (done != (long)len)
		_exit(99);
}

static void crash(const void *buf, size_t len, off_t at)
{
	size_t arrived = machine.plan.half ? len / 2 : machine.plan.arrived;

	while (machine.plan.lose_unsynced && machine.unsynced_count > 0) {
		struct unsynced *u = &machine.unsynced[--machine.unsynced_count];
		store(u->before, u->len, u->at);
	}
	store(buf, arrived < len ? arrived : len, at);
	_exit(CRASH_STATUS);
}

static void remember(size_t len, off_t at)
{
	if (machine.unsynced_count == UNSYNCED_MAX)
		_exit(98);
	struct unsynced *u = &machine.unsynced[machine.unsynced_count++];
	*u = (struct unsynced){.at = at, .len = len, .before = malloc(len)};
	if (!u->before || pread(machine.fd, u->before, len, at) != (ssize_t)len)
		_exit(97);
}

static void before_write(const void *buf, size_t len, off_t at)
{
	if (++machine.writes == machine.plan.at)
		crash(buf, len, at);
	if (machine.plan.lose_unsynced)
		remember(len, at);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (is_ours(fd))
		before_write(buf, len, lseek(fd, 0, SEEK_CUR));
	return syscall(SYS_write, fd, buf, len);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	if (is_ours(fd))
		before_write(buf, len, at);
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

// Only what counts as synced matters here, and nothing when no machine was armed.
static int synced(int fd)
{
	if (is_ours(fd))
		for (; machine.unsynced_count > 0; machine.unsynced_count--)
			free(machine.unsynced[machine.unsynced_count - 1].before);
	return 0;
}

int fsync(int fd)
{
	return synced(fd);
}

int fdatasync(int fd)
{
	return synced(fd);
}
