// SPDX-License-Identifier: MIT
// Mount points, looked up without touching the filesystem that is mounted there.
#include "mountpoint.h"
#include "ctl.h"
#include "path.h"
#include "scope.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 2000

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

// What stands behind the dash, as in mountinfo(5): whether it is a mount of cmkdisk, and whose.
static bool is_cmkdisk(const char *after_dash, uid_t *owner)
{
	const char *id = strstr(after_dash, "user_id=");
	if (strncmp(after_dash, "fuse.cmkdisk ", 13) || !id)
		return false;
	*owner = (uid_t)strtoul(id + 8, NULL, 10);
	return true;
}

// Calls fn for every mount that process pid (0: this one) sees.
static void each_mount(
	pid_t pid, void (*fn)(void *ctx, const char *at, bool cmkdisk, uid_t owner), void *ctx)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid ? (int)pid : (int)getpid());
	FILE *f autofclose = fopen(path, "re");
	char *line autofree = NULL;
	size_t room = 0;
	while (f && getline(&line, &room, f) > 0) {
		char at[PATH_MAX];
		const char *rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			continue;
		unescape(at);
		uid_t owner = (uid_t)-1;
		bool cmkdisk = is_cmkdisk(rest + 3, &owner);
		fn(ctx, at, cmkdisk, owner);
	}
}

struct mine {
	void (*fn)(void *ctx, const char *at);
	void *ctx;
};

static void if_mine(void *ctx, const char *at, bool cmkdisk, uid_t owner)
{
	const struct mine *m = ctx;
	if (cmkdisk && owner == geteuid())
		m->fn(m->ctx, at);
}

void mountpoint_each_mine(void (*fn)(void *ctx, const char *at), void *ctx)
{
	each_mount(0, if_mine, &(struct mine){fn, ctx});
}

struct topmost {
	const char *at;
	bool cmkdisk;
	uid_t owner;
};

// The last line for a path is the topmost mount there.
static void if_there(void *ctx, const char *at, bool cmkdisk, uid_t owner)
{
	struct topmost *t = ctx;
	if (strcmp(at, t->at))
		return;
	t->cmkdisk = cmkdisk;
	t->owner = owner;
}

bool mountpoint_seen_by(pid_t pid, const char *resolved, uid_t *owner)
{
	struct topmost t = {.at = resolved};
	each_mount(pid, if_there, &t);
	if (t.cmkdisk && owner)
		*owner = t.owner;
	return t.cmkdisk;
}

bool mountpoint_is_ours(const char *resolved)
{
	return mountpoint_seen_by(0, resolved, NULL);
}

int mountpoint_or_backing(const char *path, bool *is_mount, struct errmsg *err)
{
	char resolved[PATH_MAX];
	struct stat st;
	int rc = mountpoint_resolve(path, resolved, err);
	if (rc)
		return rc;
	*is_mount = mountpoint_is_ours(resolved);
	if (*is_mount)
		return 0;
	if (stat(path, &st))
		return path_failed(path, errno, err);
	*is_mount = S_ISDIR(st.st_mode);
	return 0;
}

// Asks the filesystem itself, in a child, since a daemon that is frozen keeps whoever asks.
static int ask_filesystem(const char *resolved)
{
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		struct statfs fs;
		// Not stat(): the kernel answers that from its cache for a while.
		_exit(statfs(resolved, &fs) && errno == ENOTCONN ? 1 : 0);
	}
	int process autoclose = pidfd_open(child, 0);
	struct pollfd p = {.fd = process, .events = POLLIN};
	bool ended = process >= 0 && poll(&p, 1, ANSWER_MS) == 1;
	if (!ended)
		(void)kill(child, SIGKILL);
	int status = 0;
	if (waitpid(child, &status, ended ? 0 : WNOHANG) != child || !ended)
		return -ETIMEDOUT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? -ENOTCONN : 0;
}

int mountpoint_answers(const char *resolved)
{
	switch (ctl_probe(resolved)) {
	case 0:
		return 0;
	case -ECONNREFUSED:
		return -ENOTCONN;
	case -ETIMEDOUT:
		return -ETIMEDOUT;
	default: // its socket is elsewhere
		return ask_filesystem(resolved);
	}
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
		if (mountpoint_answers(out) == -ENOTCONN)
			return path_failed(out, ENOTCONN, err);
		return errmsg_set(err, EEXIST,
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
