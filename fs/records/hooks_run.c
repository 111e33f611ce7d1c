// SPDX-License-Identifier: MIT
// One run of a hook's program: start, watch, read its last words, end it when its time is over.
#include "hooks_internal.h"

#include "clock.h"
#include "fileio.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LAST_WORDS 256
#define DRAIN_READS 32 // after its end: what a pipe holds, and not what others add for ever
#define BURY_MS 1000

struct run {
	const struct hook_task *task;
	struct child child;
	int out; // what it says; -1 once it has closed that
	char said[LAST_WORDS + 1];
	size_t said_len;
};

enum ending { ENDED, TOO_SLOW, STOPPED };

uint64_t hook_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * MS_PER_S + (uint64_t)t.tv_nsec / NS_PER_MS;
}

// A file and no pipe: a program that does not read it keeps nobody waiting.
static int make_input(const char *text, int *out)
{
	int fd autoclose = memfd_create("cmkdisk-event", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t len = strlen(text);
	int r = pwrite_full(fd, text, len, 0);
	if (r == 0)
		r = pwrite_full(fd, "\n", 1, len);
	if (r == 0)
		*out = TAKE_FD(fd);
	return r;
}

static int start(struct run *r, struct errmsg *err)
{
	const struct hook_task *t = r->task;
	char **env scoped(hook_env_free) = NULL;
	int in autoclose = -1, fds[2];
	int rc = hook_env_new(t->text, clock_boot_ns(clock_real()) / 1000, &env);
	if (rc)
		return errmsg_set(err, -rc, "hook %s: no variables can be made of the event: %s",
			t->program, strerror(-rc));
	rc = make_input(t->text, &in);
	if (rc)
		return errmsg_set(err, -rc, "hook %s: no file can be made for the event: %s",
			t->program, strerror(-rc));
	if (pipe2(fds, O_CLOEXEC))
		return errmsg_set(err, errno, "hook %s: no pipe: %m", t->program);
	int its autoclose = fds[1];
	r->out = fds[0];
	(void)fcntl(r->out, F_SETFL, O_NONBLOCK);
	char *argv[] = {(char *)(uintptr_t)t->path, NULL};
	return child_start(&(struct child_spec){.argv = argv,
				   .environment = env,
				   .in = in,
				   .out = its,
				   .err = its,
				   .line = -1},
		&r->child, err);
}

static void keep_last(struct run *r, const char *data, size_t len)
{
	if (len >= LAST_WORDS) {
		data += len - LAST_WORDS;
		len = LAST_WORDS;
	}
	size_t kept = r->said_len + len > LAST_WORDS ? LAST_WORDS - len : r->said_len;
	memmove(r->said, r->said + r->said_len - kept, kept);
	memcpy(r->said + kept, data, len);
	r->said_len = kept + len;
}

// False when there is nothing more to read now; r->out is -1 then if there never will be.
static bool listen_once(struct run *r)
{
	char data[4096];
	if (r->out < 0)
		return false;
	ssize_t n = read(r->out, data, sizeof(data));
	if (n > 0) {
		keep_last(r, data, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	(void)close(r->out);
	r->out = -1;
	return false;
}

// stop_fd: -1 if it is being ended already.
static enum ending watch(struct run *r, uint64_t until_ms, int stop_fd)
{
	for (;;) {
		uint64_t now = hook_now_ms();
		if (now >= until_ms)
			return child_ended(&r->child, 0) ? ENDED : TOO_SLOW;
		uint64_t left = until_ms - now;
		struct pollfd p[] = {
			{.fd = r->child.pidfd, .events = POLLIN},
			{.fd = stop_fd, .events = POLLIN},
			{.fd = r->out, .events = POLLIN},
		};
		if (poll(p, 3, left < INT32_MAX ? (int)left : INT32_MAX) < 0)
			continue;
		if (p[2].revents)
			(void)listen_once(r);
		if (p[0].revents)
			return ENDED;
		if (p[1].revents)
			return STOPPED;
	}
}

// One line for a log: what it said last, from its first whole character on.
static const char *last_words(struct run *r)
{
	for (int i = 0; i < DRAIN_READS && listen_once(r); i++)
		;
	r->said[r->said_len] = '\0';
	while (r->said_len > 0 && strchr(" \t\r\n", r->said[r->said_len - 1]))
		r->said[--r->said_len] = '\0';
	for (size_t i = 0; i < r->said_len; i++)
		if (!r->said[i] || strchr("\t\r\n", r->said[i]))
			r->said[i] = ' ';
	char *s = r->said;
	while (((unsigned char)*s & 0xc0) == 0x80)
		s++;
	text_sanitise(s);
	return s;
}

static void tell(struct run *r, enum ending how, bool gone, struct hook_outcome *out)
{
	const struct hook_task *t = r->task;
	char what[160], time[32];
	format_duration_ms(t->timeout_ms, time, sizeof(time));
	if (how == ENDED && out->status == 0)
		return;
	if (how == ENDED)
		child_status_text(out->status, what, sizeof(what));
	else if (how == TOO_SLOW)
		(void)snprintf(what, sizeof(what), "was not done within %s and was ended", time);
	else
		(void)snprintf(what, sizeof(what), "was ended with the mount");
	const char *said = last_words(r);
	(void)errmsg_set(&out->sentence, 0, "hook %s for %s%s%s: %s%s%s%s%s", t->program, t->event,
		*t->disk ? " of " : "", t->disk, what,
		gone ? "" : ", but is stuck in the kernel and keeps its place",
		*said ? "; it last said: \"" : "", said, *said ? "\"" : "");
}

static void finish(struct run *r, enum ending how, struct hook_outcome *out)
{
	if (how != ENDED) {
		(void)kill(-r->child.pid, SIGTERM);
		(void)watch(r, hook_now_ms() + HOOK_TERM_PATIENCE_MS, -1);
	}
	int status = -1;
	bool gone = child_end(&r->child, 0, &status);
	out->timed_out = how == TOO_SLOW;
	out->status = how == ENDED && gone ? status : -1;
	out->stuck = r->child;
	tell(r, how, gone, out);
}

void hook_run(const struct hook_task *t, struct hook_outcome *out)
{
	struct run r = {.task = t, .child = CHILD_NONE, .out = -1};
	uint64_t begun = hook_now_ms();
	*out = (struct hook_outcome){.status = -1, .stuck = CHILD_NONE};
	int rc = hook_program_check(t->path, &out->sentence);
	if (rc == 0)
		rc = start(&r, &out->sentence);
	if (rc == 0)
		finish(&r, watch(&r, begun + t->timeout_ms, t->stop_fd), out);
	scope_close(&r.out);
	out->took_ms = (uint32_t)(hook_now_ms() - begun);
}

void hook_bury(struct child *stuck, int stop_fd)
{
	int status = 0;
	while (!child_end(stuck, 0, &status)) {
		struct pollfd p = {.fd = stop_fd, .events = POLLIN};
		if (poll(&p, 1, BURY_MS) > 0)
			break;
	}
	scope_close(&stuck->pidfd);
}
