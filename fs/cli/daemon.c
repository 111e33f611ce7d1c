// SPDX-License-Identifier: MIT
// Daemonising, fork first: threads, agents and FUSE are started by the child.
#include "daemon.h"
#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct verdict {
	int rc;
	struct errmsg err;
};

static int wait_for_child(pid_t pid, int fd, struct errmsg *err)
{
	struct verdict v = {0};
	int rc = read_full(fd, &v, sizeof(v));
	if (!rc) {
		*err = v.err;
		return v.rc;
	}
	int status = 0;
	(void)waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return errmsg_set(err, EIO,
			"the daemon was ended by signal %d (%s) before it was ready",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	return errmsg_set(err, EIO, "the daemon ended with status %d before it was ready",
		WEXITSTATUS(status));
}

int daemon_fork(int *report, int *child, struct errmsg *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return errmsg_set(err, errno, "no pipe: %m");
	pid_t pid = fork();
	if (pid < 0) {
		int rc = errmsg_set(err, errno, "cannot fork: %m");
		(void)close(fds[0]);
		(void)close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		(void)close(fds[0]);
		(void)setsid();
		*report = fds[1];
		*child = true;
		return 0;
	}
	(void)close(fds[1]);
	int fd autoclose = fds[0];
	*child = false;
	return wait_for_child(pid, fd, err);
}

void daemon_report(int *report, int rc, const struct errmsg *err)
{
	if (*report < 0)
		return;
	struct verdict v = {.rc = rc};
	if (rc)
		v.err = *err;
	if (rc == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; null >= 0 && fd < 3; fd++)
			(void)dup2(null, fd);
		if (null > 2)
			(void)close(null);
		(void)!chdir("/"); // keeps no other filesystem busy
	}
	// A parent that is gone does not matter to the mount.
	(void)!write_full(*report, &v, sizeof(v));
	(void)close(TAKE_FD(*report));
}
