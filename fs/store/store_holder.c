// SPDX-License-Identifier: MIT
// Who has a backing file in use. The kernel knows no owner of an OFD lock (F_OFD_GETLK and
// /proc/locks say pid -1), but /proc/PID/fdinfo/FD of the descriptor that holds it has a "lock:"
// line.
#include "store.h"

#include "scope.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void scope_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

// Asks no server: one that is gone would keep us waiting, and these two numbers are never news.
static bool identify(int fds, const char *name, struct statx *out)
{
	return statx(fds, name, AT_STATX_DONT_SYNC, STATX_INO, out) == 0;
}

static bool same_file(int fds, const char *name, const struct statx *want)
{
	struct statx st;

	return identify(fds, name, &st) && st.stx_ino == want->stx_ino &&
	       st.stx_dev_major == want->stx_dev_major && st.stx_dev_minor == want->stx_dev_minor;
}

// "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 EOF": device and inode as the filesystem knows
// them; st_dev may be another number (btrfs), so only the inode is compared here.
static bool names_inode(const char *line, uint64_t ino)
{
	unsigned long long found;

	return strncmp(line, "lock:", 5) == 0 && strstr(line, "OFDLCK") &&
	       sscanf(line, "lock: %*s %*s %*s %*s %*s %*x:%*x:%llu", &found) == 1 && found == ino;
}

static bool holds_ofd_lock(int proc, const char *name, uint64_t ino)
{
	char path[64], line[256];
	bool found = false;

	(void)snprintf(path, sizeof path, "fdinfo/%.20s", name);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	FILE *f autofclose = fdopen(fd, "r");
	if (!f) {
		(void)close(fd);
		return false;
	}
	while (!found && fgets(line, sizeof line, f))
		found = names_inode(line, ino);
	return found;
}

static bool process_holds(int proc, const struct statx *want)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false; // another user's, or gone meanwhile
	DIR *fds scoped(scope_closedir) = fdopendir(fd);
	if (!fds) {
		(void)close(fd);
		return false;
	}
	// The lock first: to look at just any open file of the host may mean to wait for a server
	// that is gone.
	for (const struct dirent *e; (e = readdir(fds));)
		if (e->d_name[0] != '.' && holds_ofd_lock(proc, e->d_name, want->stx_ino) &&
			same_file(fd, e->d_name, want))
			return true;
	return false;
}

int store_file_holder(const char *path)
{
	struct statx want;
	DIR *all scoped(scope_closedir) = opendir("/proc");

	if (!all || !identify(AT_FDCWD, path, &want))
		return 0;
	for (const struct dirent *e; (e = readdir(all));) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		autoclose int proc =
			openat(dirfd(all), e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc >= 0 && process_holds(proc, &want))
			return (int)strtol(e->d_name, NULL, 10); // the kernel's own number
	}
	return 0;
}
