// SPDX-License-Identifier: MIT
// Which programs may be run. Whoever can replace the program acts as the daemon's user; so does
// whoever can replace a directory above it. Hence both must be that user's or root's. Between the
// look and the start nobody else can change anything.
#include "hooks_internal.h"

#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

int hook_program_find(const char *path, char **out, struct errmsg *err)
{
	if (path[0] != '/')
		return errmsg_set(err, EINVAL,
			"hook %s: expected an absolute path, such as "
			"/etc/cmkdisk/hook-notify",
			path);
	char *real autofree = realpath(path, NULL);
	if (!real)
		return errmsg_set(
			err, errno, "hook %s: %m; expected a program that may be executed", path);
	*out = TAKE(real);
	return 0;
}

static int check_owner(
	const char *path, const char *what, const struct stat *st, struct errmsg *err)
{
	const uid_t us = geteuid();
	char expected[48] = "root";
	if (us != 0)
		(void)snprintf(expected, sizeof(expected), "root or user %u", (unsigned)us);
	if (st->st_uid != 0 && st->st_uid != us)
		return errmsg_set(err, EPERM,
			"hook %s: %s belongs to user %u, who could change what is run; make it "
			"root's with 'chown root', or put the hook elsewhere",
			path, what, (unsigned)st->st_uid);
	if (st->st_mode & OTHERS_WRITE)
		return errmsg_set(err, EPERM,
			"hook %s: others than %s may write to %s and so change what is run; use "
			"'chmod go-w' on it, or put the hook elsewhere",
			path, expected, what);
	return 0;
}

// Others may write to a directory farther up if its sticky bit keeps them from renaming what is not
// theirs in it: so it is with /tmp.
static int check_directories(const char *path, struct errmsg *err)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof(dir))
		return errmsg_set(err, ENAMETOOLONG,
			"hook %s: the path is too long; use a shorter one", path);
	memcpy(dir, path, len + 1);
	for (bool nearest = true; strcmp(dir, "/") != 0; nearest = false) {
		struct stat st;
		char *slash = strrchr(dir, '/');
		slash[slash == dir] = '\0';
		if (stat(dir, &st))
			return errmsg_set(err, errno, "hook %s: cannot look at %s: %m", path, dir);
		if (!nearest && (st.st_mode & S_ISVTX))
			st.st_mode &= ~(mode_t)OTHERS_WRITE;
		int r = check_owner(path, dir, &st, err);
		if (r)
			return r;
	}
	return 0;
}

int hook_program_check(const char *path, struct errmsg *err)
{
	struct stat st;
	if (lstat(path, &st))
		return errmsg_set(
			err, errno, "hook %s: %m; put the program back, or mount without it", path);
	if (!S_ISREG(st.st_mode))
		return errmsg_set(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
			"hook %s: not a regular file; name a program", path);
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return errmsg_set(
			err, errno, "hook %s may not be executed: %m; use 'chmod +x' on it", path);
	int r = check_owner(path, path, &st, err);
	return r ? r : check_directories(path, err);
}
