// SPDX-License-Identifier: MIT
// Mount points, looked up without touching the filesystem that is mounted there.
#include "mountpoint.h"
#include "ctl.h"
#include "path.h"
#include "scope.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int mountpoint_resolve(const char *path, char *out, struct errmsg *err)
{
	// realpath() asks the filesystem itself and fails with ENOTCONN when its daemon is dead.
	if (realpath(path, out))
		return 0;
	if (errno != ENOTCONN && errno != EACCES)
		return path_failed(path, errno, err);
	char dir[PATH_MAX], base[PATH_MAX], parent[PATH_MAX];
	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
		return errmsg_set(err, ENAMETOOLONG, "the path of the mount point is too long");
	memcpy(base, dir, sizeof(base));
	if (!realpath(dirname(dir), parent))
		return path_failed(path, errno, err);
	int n = snprintf(out, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "", basename(base));
	if (n < 0 || n >= PATH_MAX)
		return errmsg_set(err, ENAMETOOLONG, "the path of the mount point is too long");
	return 0;
}

// mountinfo(5) writes blanks, tabs, line breaks and backslashes as \ooo.
static void unescape(char *s)
{
	char *to = s;
	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)(((s[1] - '0') << 6) | ((s[2] - '0') << 3) | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

// The mounts of this user that have the type fuse.cmkdisk; fields as in mountinfo(5).
static bool is_mine(const char *after_dash)
{
	const char *id = strstr(after_dash, "user_id=");
	return !strncmp(after_dash, "fuse.cmkdisk ", 13) && id &&
	       strtoul(id + 8, NULL, 10) == geteuid();
}

void mountpoint_each_mine(void (*fn)(void *ctx, const char *at), void *ctx)
{
	FILE *f autofclose = fopen("/proc/self/mountinfo", "re");
	char *line autofree = NULL;
	size_t room = 0;
	while (f && getline(&line, &room, f) > 0) {
		char at[PATH_MAX];
		const char *rest = strstr(line, " - ");
		if (!rest || !is_mine(rest + 3) || sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			continue;
		unescape(at);
		fn(ctx, at);
	}
}

bool mountpoint_is_ours(const char *resolved)
{
	FILE *f autofclose = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return false;
	char *line autofree = NULL;
	size_t room = 0;
	bool ours = false;
	while (getline(&line, &room, f) > 0) {
		char at[PATH_MAX];
		const char *rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			continue;
		unescape(at);
		if (!strcmp(at, resolved)) // the last line for a path is the topmost mount
			ours = !strncmp(rest + 3, "fuse.cmkdisk ", 13);
	}
	return ours;
}

bool mountpoint_is_dead(const char *resolved)
{
	int rc = ctl_probe(resolved);
	if (rc == -ECONNREFUSED)
		return true;
	// Its socket was elsewhere. Not stat(): the kernel answers that from its cache for a while.
	struct statfs fs;
	return rc == -ENOENT && statfs(resolved, &fs) && errno == ENOTCONN;
}

int mountpoint_prepare(const char *path, char *out, struct errmsg *err)
{
	int rc = mountpoint_resolve(path, out, err);
	if (rc == -ENOENT)
		return errmsg_set(err, ENOENT,
			"%s: the mount point does not exist; make it with mkdir", path);
	if (rc)
		return rc;
	struct stat st;
	if (mountpoint_is_ours(out)) {
		if (mountpoint_is_dead(out))
			return path_failed(out, ENOTCONN, err);
		return errmsg_set(err, EBUSY,
			"%s: cmkdisk serves disks there already; unmount it, or choose another "
			"directory",
			out);
	}
	if (stat(out, &st))
		return path_failed(out, errno, err);
	if (!S_ISDIR(st.st_mode))
		return errmsg_set(
			err, ENOTDIR, "%s: not a directory; a mount point must be one", out);
	return 0;
}
