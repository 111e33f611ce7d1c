// SPDX-License-Identifier: MIT
#include "hooks_rig.h"

#include "../helpers/open_fds.h"

#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

char rig_dir[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rig_result results[RIG_RESULTS];
static size_t result_count;
static int fds_before;

int rig_begin(void **state)
{
	(void)state;
	(void)snprintf(rig_dir, sizeof(rig_dir), "/tmp/cmkdisk-hooks-XXXXXX");
	assert_non_null(mkdtemp(rig_dir));
	result_count = 0;
	fds_before = open_fds();
	return 0;
}

static void remove_all(void)
{
	DIR *d = opendir(rig_dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)remove(rig_path(e->d_name));
	(void)closedir(d);
	(void)rmdir(rig_dir);
}

int rig_end(void **state)
{
	(void)state;
	remove_all();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // neither alive nor a zombie
	assert_int_equal(errno, ECHILD);
	assert_int_equal(open_fds(), fds_before);
	return 0;
}

const char *rig_path(const char *name)
{
	static char paths[8][512];
	static size_t next;
	char *p = paths[next++ % 8];
	(void)snprintf(p, sizeof(paths[0]), "%s/%s", rig_dir, name);
	return p;
}

const char *rig_script(const char *name, const char *body)
{
	const char *path = rig_path(name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\nexport D=%s\n%s\n", rig_dir, body) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

bool rig_exists(const char *name)
{
	return access(rig_path(name), F_OK) == 0;
}

char *rig_text(const char *name)
{
	FILE *f = fopen(rig_path(name), "re");
	assert_non_null(f);
	char *text = NULL;
	size_t room = 0;
	if (getdelim(&text, &room, -1, f) < 0) {
		free(text);
		text = strdup("");
	}
	(void)fclose(f);
	assert_non_null(text);
	return text;
}

static void keep(void *ctx, const struct hook_result *r)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	if (result_count < RIG_RESULTS) {
		struct rig_result *k = &results[result_count];
		(void)snprintf(k->program, sizeof(k->program), "%s", r->program);
		(void)snprintf(k->event, sizeof(k->event), "%s", r->event);
		(void)snprintf(k->disk, sizeof(k->disk), "%s", r->disk);
		(void)snprintf(k->sentence, sizeof(k->sentence), "%s", r->sentence);
		k->status = r->status;
		k->timed_out = r->timed_out;
		k->took_ms = r->took_ms;
	}
	result_count++;
	(void)pthread_mutex_unlock(&lock);
}

struct hooks *rig_hooks(const char *program, const char *other, uint32_t timeout_ms)
{
	struct hooks *h = NULL;
	struct errmsg err = {""};
	char *programs[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)other};
	int r = hooks_new(&(struct hooks_config){.programs = programs,
				  .count = other ? 2 : 1,
				  .timeout_ms = timeout_ms,
				  .ended = keep},
		&h, &err);
	if (r)
		fail_msg("hooks_new: %s", err.text);
	return h;
}

void rig_post(struct hooks *h, enum event_kind k, const char *disk, int64_t number)
{
	struct event e;
	char *text = NULL;
	event_begin(&e, k, clock_real(), disk);
	event_int(&e, "number", number);
	if (k == EVENT_BEFORE_STOP)
		event_int(&e, "secondsLeft", number);
	assert_int_equal(
		event_text(&e, "\"host\":\"h\",\"mountpoint\":\"/m n\",\"pid\":7", &text), 0);
	hooks_post(h, &e, text);
	event_end(&e);
	free(text);
}

size_t rig_results(void)
{
	(void)pthread_mutex_lock(&lock);
	size_t n = result_count;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

const struct rig_result *rig_wait(size_t wanted)
{
	uint64_t until = rig_now_ms() + 60000;
	while (rig_results() < wanted) {
		if (rig_now_ms() > until)
			fail_msg("%zu results after a minute, expected %zu", rig_results(), wanted);
		rig_pause_ms(5);
	}
	return results;
}

uint64_t rig_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void rig_pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}
