// SPDX-License-Identifier: MIT
// Daemonising, fork first: threads, agents and FUSE are started by the child.
#include "daemon.h"
#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
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

static void *watch_main(void *arg)
{
	struct daemon_watch *w = arg;
	// A pipe's writing end has nothing but this to tell: nobody reads any more.
	struct pollfd p = {.fd = w->report, .events = 0};
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	// Held for good: what would show a mount waits, until the process is gone.
	(void)pthread_mutex_lock(&w->lock);
	if (!w->mounting)
		_exit(EXIT_FAILURE);
	bool told = w->told;
	(void)pthread_mutex_unlock(&w->lock);
	if (!told)
		(void)kill(getpid(), SIGTERM);
	(void)close(w->report);
	return NULL;
}

int daemon_watch(struct daemon_watch *w, int report, struct errmsg *err)
{
	*w = (struct daemon_watch){.lock = PTHREAD_MUTEX_INITIALIZER, .report = -1};
	w->report = fcntl(report, F_DUPFD_CLOEXEC, 0);
	if (w->report < 0)
		return errmsg_set(err, errno, "no descriptor: %m");
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, watch_main, w);
	if (rc)
		return errmsg_set(err, rc, "cannot start a thread: %s", strerror(rc));
	(void)pthread_detach(thread);
	return 0;
}

void daemon_mounting(struct daemon_watch *w)
{
	with_lock(&w->lock);
	w->mounting = true;
}

void daemon_told(struct daemon_watch *w)
{
	with_lock(&w->lock);
	w->mounting = true; // also if it failed before: the parent has its verdict
	w->told = true;
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
	(void)!write_full(*report, &v, sizeof(v));
	(void)close(TAKE_FD(*report));
}
