// SPDX-License-Identifier: MIT
// See status_watch.h.
#include "status_watch.h"
#include "clock.h"
#include "collect.h"
#include "json.h"
#include "print.h"
#include "scope.h"
#include "status_line.h"
#include "status_row.h"
#include "status_screen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// A daemon answers at once or is in trouble; the others' countdown goes on.
#define ANSWER_MS 1000

enum mode { MODE_JSON, MODE_SCREEN, MODE_PLAIN };

struct watch {
	enum mode mode;
	const char *mountpoint;
	struct status_rows rows; // as last shown
	bool shown;
	sigset_t signals, before;
};

// What somebody has chosen to ignore (nohup, a background job) stays ignored: a blocked signal
// would be kept for us all the same.
static void wait_for_signal(sigset_t *set, int signo)
{
	struct sigaction now;
	if (!sigaction(signo, NULL, &now) && now.sa_handler != SIG_IGN)
		(void)sigaddset(set, signo);
}

static void block_signals(struct watch *w)
{
	(void)sigemptyset(&w->signals);
	wait_for_signal(&w->signals, SIGINT);
	wait_for_signal(&w->signals, SIGTERM);
	wait_for_signal(&w->signals, SIGHUP);
	wait_for_signal(&w->signals, SIGQUIT);
	if (w->mode == MODE_SCREEN) {
		wait_for_signal(&w->signals, SIGTSTP);
		(void)sigaddset(&w->signals, SIGWINCH);
	}
	(void)sigprocmask(SIG_BLOCK, &w->signals, &w->before);
}

static void watch_end(struct watch *w)
{
	if (w->mode == MODE_SCREEN && w->shown)
		screen_leave(&w->rows, w->mountpoint, clock_wall_s(clock_real()));
	w->shown = false;
	status_rows_free(&w->rows);
	(void)sigprocmask(SIG_SETMASK, &w->before, NULL);
}

static int show_json(const struct json *list)
{
	char *text autofree = NULL;
	int rc = json_print(list, false, &text);
	return rc ? rc : puts(text) < 0 ? -EIO : 0;
}

static void show_changes(struct watch *w, const struct status_rows *now, int64_t wall_s)
{
	char time[32];
	if (!now->count && (!w->shown || w->rows.count)) {
		format_time(wall_s, time, sizeof(time));
		printf("%s no cmkdisk mounts\n", time);
	}
	for (size_t i = 0; i < now->count; i++) {
		const struct status_row *old = status_rows_find(&w->rows, &now->at[i]);
		if (!old || status_row_differs(old, &now->at[i]))
			status_plain_line(stdout, &now->at[i], wall_s);
	}
}

static int show(struct watch *w, const struct json *list)
{
	int64_t wall_s = clock_wall_s(clock_real());
	struct status_rows now scoped(status_rows_free) = {NULL, 0};
	if (w->mode == MODE_JSON)
		return show_json(list);
	int rc = status_rows_of(
		list, &w->rows, (int64_t)(clock_boot_ns(clock_real()) / NS_PER_S), &now);
	if (rc)
		return rc;
	if (w->mode == MODE_SCREEN) {
		status_rows_sort(&now);
		rc = w->shown ? 0 : screen_enter();
	} else {
		show_changes(w, &now, wall_s);
	}
	status_rows_free(&w->rows);
	w->rows = now;
	now = (struct status_rows){NULL, 0};
	w->shown = true;
	return rc || w->mode != MODE_SCREEN ? rc : screen_draw(&w->rows, w->mountpoint, wall_s);
}

static int look(struct watch *w, bool first, struct errmsg *err)
{
	struct json *list scoped(json_free) = NULL;
	struct errmsg why = {{0}};
	int silent, rc = json_array(&list);
	if (rc)
		return errmsg_set(err, -rc, "no memory for the status");
	// What is asked for by name must be there at first, or it was mistyped.
	rc = first ? collect_status(w->mountpoint, ANSWER_MS, list, &silent, err)
		   : collect_all_told(w->mountpoint, ANSWER_MS, list, &silent, &why);
	if (rc) {
		if (!first)
			*err = why;
		return rc;
	}
	rc = show(w, list);
	if (!rc && fflush(stdout) == EOF)
		rc = -errno;
	return rc ? errmsg_set(err, -rc, "standard output: %s", strerror(-rc)) : 0;
}

// Off the second screen while the process is stopped, and on it again.
static int pause_watch(const struct watch *w, struct errmsg *err)
{
	screen_leave(&w->rows, w->mountpoint, clock_wall_s(clock_real()));
	(void)raise(SIGSTOP);
	int rc = screen_enter();
	return rc ? errmsg_set(err, -rc, "standard output: %s", strerror(-rc)) : 0;
}

int status_watch(const char *mountpoint, bool json, struct errmsg *err)
{
	struct watch w = {.mountpoint = mountpoint};
	w.mode = json ? MODE_JSON : screen_usable() ? MODE_SCREEN : MODE_PLAIN;
	block_signals(&w);
	int rc = look(&w, true, err), signo = 0;
	while (!rc) {
		signo = sigtimedwait(&w.signals, NULL, &(struct timespec){.tv_sec = 1});
		if (signo == SIGTSTP)
			rc = pause_watch(&w, err);
		else if (signo > 0 && signo != SIGWINCH)
			break;
		if (!rc)
			rc = look(&w, false, err);
	}
	watch_end(&w);
	if (!rc)
		(void)raise(signo);
	return rc;
}
