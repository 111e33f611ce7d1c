// SPDX-License-Identifier: MIT
// cmkdisk umount: takes the mount away, also that of a dead daemon, and returns when the daemon has
// wiped its keys and gone.
#include "cli.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "remote.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_TIMEOUT_MS 2000
#define GONE_TIMEOUT_MS 30000

struct args {
	bool lazy;
};

static const struct cli_option options[] = {
	{'l', "lazy", NULL, "take it out of sight now, even if files are open"},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	(void)o;
	(void)value;
	(void)err;
	((struct args *)ctx)->lazy = true;
	return 0;
}

// What an ordinary user may do: fusermount3 is set-uid for this.
static int by_fusermount(const char *at, bool lazy)
{
	char quiet[] = "-quz", eager[] = "-qu", name[] = "fusermount3", dashes[] = "--";
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s", at);
	char *argv[] = {name, lazy ? quiet : eager, dashes, path, NULL};
	char *envp[] = {NULL};
	pid_t pid = 0;
	int status = 0;
	int rc = posix_spawnp(&pid, "fusermount3", NULL, NULL, argv, envp);
	if (rc)
		return -rc;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int take_away(const char *at, bool lazy, struct errmsg *err)
{
	int rc = umount2(at, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) ? -errno : 0;
	if (rc == -EPERM)
		rc = by_fusermount(at, lazy);
	if (rc == -EBUSY)
		return errmsg_set(err, EBUSY,
			"%s: in use; unmount the filesystems on its disks (and detach their loop "
			"devices) first, or use --lazy",
			at);
	return rc ? errmsg_set(err, -rc, "%s: cannot be unmounted: %s", at, strerror(-rc)) : 0;
}

// A descriptor that polls readable when the daemon behind the mount has ended; negative when it is
// gone already, or answers to somebody else only.
static int daemon_of(const char *at)
{
	struct json *reply scoped(json_free) = NULL;
	struct errmsg ignored;
	int64_t pid = 0;
	if (remote_call(at, "status", NULL, ASK_TIMEOUT_MS, &reply, &ignored) ||
		!json_int(reply, "pid", &pid))
		return -ENOENT;
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0u);
	return fd < 0 ? -errno : fd;
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	struct args a = {false};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, set, &a, 1, 1, &operands, err);
	if (rc)
		return rc;
	char at[PATH_MAX];
	rc = mountpoint_resolve(operands.at[0], at, err);
	if (rc)
		return rc;
	if (!mountpoint_is_ours(at))
		return errmsg_set(err, ENOENT,
			"%s: nothing of cmkdisk is mounted there; cmkdisk status lists the mounts",
			at);
	int daemon autoclose = daemon_of(at);
	// A mount without a daemon serves nobody: files that are open in it are not waited for.
	rc = take_away(at, a.lazy || (daemon < 0 && mountpoint_is_dead(at)), err);
	if (rc || a.lazy || daemon < 0)
		return rc;
	struct pollfd p = {.fd = daemon, .events = POLLIN};
	if (poll(&p, 1, GONE_TIMEOUT_MS) == 0)
		return errmsg_set(err, ETIMEDOUT,
			"%s: unmounted, but its daemon has not ended within %d s; its backing "
			"store may "
			"be stuck",
			at, GONE_TIMEOUT_MS / 1000);
	return 0;
}

const struct cli_command cmd_umount = {
	.name = "umount",
	.operands = "MOUNTPOINT",
	.summary = "Unmount and wait until the daemon has gone",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
