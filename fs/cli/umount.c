// SPDX-License-Identifier: MIT
// cmkdisk umount: takes the mount away, also that of a dead daemon, and returns when the daemon has
// wiped its keys and let go of the backing files.
#include "cli.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "remote.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_TIMEOUT_MS 5000
#define GONE_TIMEOUT_MS 30000

static const struct cli_option options[] = {
	{'l', "lazy", NULL, "take it out of sight now, even if files are open"},
};

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
	if (rc == -ENOENT)
		return errmsg_set(err, ENOSYS,
			"%s: an ordinary user needs fusermount3 to unmount, and it is not "
			"installed; install the package fuse3, or unmount as root",
			at);
	return rc ? errmsg_set(err, -rc, "%s: cannot be unmounted: %s", at, strerror(-rc)) : 0;
}

// Nobody has the mount any more, at least not here. But a file that was open when it was taken away
// lazily, or another mount namespace's copy, would keep the daemon, with its keys, for ever.
static int end_daemon(const char *at, struct ctl_daemon *d, struct errmsg *err)
{
	struct json *reply scoped(json_free) = NULL;
	struct errmsg ignored;
	const int pid = (int)d->peer.pid;
	// It may be ending already, and not listen any more.
	int rc = remote_call(at, "stop", NULL, ASK_TIMEOUT_MS, &reply, &ignored);
	if (rc == -ETIMEDOUT && ctl_daemon_listens(at, d) && ctl_daemon_wait(at, d, 1))
		return errmsg_set(err, ETIMEDOUT,
			"%s: unmounted, but its daemon, process %d, does not answer, and has its "
			"keys in memory; try again, or as the last resort end it with kill -9 %d",
			at, pid, pid);
	if (!ctl_daemon_wait(at, d, GONE_TIMEOUT_MS))
		return 0;
	// By its line it would have told that only its hooks still run.
	return errmsg_set(err, ETIMEDOUT,
		"%s: unmounted, and its keys are wiped, but its daemon, process %d, has not ended "
		"within %d s%s",
		at, pid, GONE_TIMEOUT_MS / 1000,
		d->line >= 0 ? "; its backing store may be stuck" : "");
}

// Nothing is mounted there; a daemon may be left of what was.
static int end_leftover(const char *at, struct ctl_daemon *d, struct errmsg *err)
{
	if (d->process < 0)
		return errmsg_set(err, ENOENT,
			"%s: nothing of cmkdisk is mounted there; cmkdisk status lists the mounts",
			at);
	if (mountpoint_seen_by(d->peer.pid, at, NULL))
		return errmsg_set(err, ENOENT,
			"%s: nothing of cmkdisk is mounted there in this mount namespace; its "
			"daemon, process %d, has it in another one: unmount it there",
			at, (int)d->peer.pid);
	return end_daemon(at, d, err);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	bool lazy = false;
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, cli_set_flag, &lazy, 1, 1, &operands, err);
	if (rc)
		return rc;
	char at[PATH_MAX];
	rc = mountpoint_resolve(operands.at[0], at, err);
	if (rc)
		return rc;
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	bool serves = ctl_daemon(at, &d) == 0;
	uid_t owner = 0;
	if (!mountpoint_seen_by(0, at, &owner))
		return end_leftover(at, &d, err);
	if (geteuid() != 0 && owner != geteuid())
		return errmsg_set(err, EPERM,
			"%s: the mount belongs to user %u; only that user and root may unmount it",
			at, owner);
	// A mount without a daemon serves nobody: files that are open in it are not waited for.
	rc = take_away(at, lazy || (!serves && mountpoint_answers(at) == -ENOTCONN), err);
	if (rc || lazy || !serves)
		return rc;
	return end_daemon(at, &d, err);
}

const struct cli_command cmd_umount = {
	.name = "umount",
	.operands = "MOUNTPOINT",
	.summary = "Unmount and wait until the backing files are free",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
