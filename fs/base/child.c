// SPDX-License-Identifier: MIT
// Starting and ending child processes. posix_spawn() has vfork semantics here: no page of ours, and
// hence no key, is ever mapped into a process that runs on.
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_PATIENCE_MS 500

// All that a child gets to see of our environment.
static const char *const passed_on[] = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"};
#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

struct surroundings {
	char **env; // NULL-terminated; its first `own` are owned
	size_t own;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	bool have_files, have_attr;
};

static void surroundings_end(struct surroundings *s)
{
	for (size_t i = 0; i < s->own; i++)
		free(s->env[i]);
	free(s->env);
	if (s->have_files)
		(void)posix_spawn_file_actions_destroy(&s->files);
	if (s->have_attr)
		(void)posix_spawnattr_destroy(&s->attr);
}

static bool names(char *const *environment, const char *name)
{
	size_t len = strlen(name);
	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return true;
	return false;
}

static int choose_env(struct surroundings *s, char *const *environment)
{
	size_t more = 0;
	while (environment && environment[more])
		more++;
	s->env = calloc(PASSED_ON + more + 1, sizeof(*s->env));
	if (!s->env)
		return -ENOMEM;
	for (size_t i = 0; i < PASSED_ON; i++) {
		const char *value = getenv(passed_on[i]);
		char *line = NULL;
		if (!value || names(environment, passed_on[i]))
			continue;
		if (asprintf(&line, "%s=%s", passed_on[i], value) < 0)
			return -ENOMEM; // line is anything now
		s->env[s->own++] = line;
	}
	if (more)
		memcpy(s->env + s->own, environment, more * sizeof(*environment));
	return 0;
}

static int place(posix_spawn_file_actions_t *f, int fd, int at, int flags)
{
	if (fd == CHILD_OURS)
		return 0;
	if (fd == CHILD_NULL)
		return posix_spawn_file_actions_addopen(f, at, "/dev/null", flags, 0);
	return posix_spawn_file_actions_adddup2(f, fd, at);
}

// The line first: were it 0, 1 or 2 here, what follows would close it.
static int choose_files(struct surroundings *s, const struct child_spec *spec)
{
	posix_spawn_file_actions_t *f = &s->files;
	int r = posix_spawn_file_actions_init(f);
	s->have_files = r == 0;
	if (r == 0 && spec->line >= 0)
		r = posix_spawn_file_actions_adddup2(f, spec->line, CHILD_LINE_FD);
	if (r == 0)
		r = place(f, spec->out, STDOUT_FILENO, O_WRONLY);
	if (r == 0)
		r = place(f, spec->err, STDERR_FILENO, O_WRONLY);
	if (r == 0)
		r = place(f, spec->in, STDIN_FILENO, O_RDONLY);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(
			f, spec->line >= 0 ? CHILD_LINE_FD + 1 : CHILD_LINE_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(f, "/");
	return -r;
}

static int choose_attr(struct surroundings *s)
{
	sigset_t all, none;
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	int r = posix_spawnattr_init(&s->attr);
	s->have_attr = r == 0;
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&s->attr, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&s->attr, &none);
	if (r == 0)
		r = posix_spawnattr_setflags(&s->attr,
			POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return -r;
}

int child_start(const struct child_spec *spec, struct child *c, struct errmsg *err)
{
	struct surroundings s scoped(surroundings_end) = {.own = 0};
	char *const *argv = spec->argv;
	int r = choose_env(&s, spec->environment);
	if (r == 0)
		r = choose_files(&s, spec);
	if (r == 0)
		r = choose_attr(&s);
	pid_t pid = 0;
	if (r == 0)
		r = -posix_spawn(&pid, argv[0], &s.files, &s.attr, argv, s.env);
	if (r)
		return errmsg_set(err, -r,
			"cannot start %s: %s; see whether it is there and may be executed", argv[0],
			strerror(-r));
	*c = (struct child){.pid = pid, .pidfd = pidfd_open(pid, 0)};
	if (c->pidfd >= 0)
		return 0;
	r = -errno;
	int status = 0;
	(void)child_end(c, 0, &status);
	return errmsg_set(err, -r, "cannot watch over process %d: %s", (int)pid, strerror(-r));
}

bool child_ended(const struct child *c, uint32_t ms)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	int r = 0;
	do
		r = poll(&p, 1, (int)ms);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

bool child_end(struct child *c, uint32_t patience_ms, int *status)
{
	if (c->pid <= 0)
		return true;
	if (patience_ms > 0)
		(void)child_ended(c, patience_ms);
	// Also when the leader is dead: until it is reaped, its number names this group and no
	// other, and what the provider may have forked is still in it. The leader by itself, too,
	// for the moment before it has become the leader.
	(void)kill(-c->pid, SIGKILL);
	(void)kill(c->pid, SIGKILL);
	if (c->pidfd >= 0 && !child_ended(c, KILL_PATIENCE_MS))
		return false;
	pid_t r = 0;
	do
		r = waitpid(c->pid, status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		*status = -1;
	if (c->pidfd >= 0)
		(void)close(c->pidfd);
	*c = CHILD_NONE;
	return true;
}

void child_status_text(int status, char *out, size_t room)
{
	if (status == -1)
		(void)snprintf(out, room, "ended");
	else if (WIFSIGNALED(status))
		(void)snprintf(out, room, "ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		(void)snprintf(out, room, "exit status %d", WEXITSTATUS(status));
}
