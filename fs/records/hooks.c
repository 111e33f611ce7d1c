// SPDX-License-Identifier: MIT
// The queue of the hooks and the threads that serve it. Each thread runs one program at a time: one
// that hangs where nobody can end it, or lies on a store that hangs, keeps one place and no more.
#include "hooks.h"

#include "clock.h"
#include "hooks_internal.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif
#define STACK_BYTES (512 * 1024)
#define KILLED_PATIENCE_MS 2000 // for threads to bury what was killed

struct program {
	char *name; // as given
	char *path; // links resolved
};

struct hooks {
	pthread_mutex_t lock;
	pthread_cond_t news; // of anything below
	struct hook_queue queue;
	size_t idle, workers, references;
	size_t reporting;  // in the listener's call or the log
	bool closed;	   // nothing is taken any more
	bool quit;	   // threads are to end
	bool abandoned;	   // nothing is reported any more
	bool told_of_drop; // since the queue was last empty
	bool told_of_threads;
	char notice[sizeof(struct errmsg)]; // to be logged by a thread of ours; "" none
	struct hooks_stats counts;
	int stop_fd; // readable when programs are to be ended
	struct program *programs;
	size_t program_count;
	uint32_t timeout_ms;
	struct logger *log;
	void (*ended)(void *ctx, const struct hook_result *r);
	void *ctx;
};

static void destroy(struct hooks **hooks)
{
	struct hooks *h = *hooks;
	if (!h)
		return;
	(void)hook_queue_clear(&h->queue);
	for (size_t i = 0; i < h->program_count; i++) {
		free(h->programs[i].name);
		free(h->programs[i].path);
	}
	free(h->programs);
	scope_close(&h->stop_fd);
	(void)pthread_cond_destroy(&h->news);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
	*hooks = NULL;
}

// With the lock held, which is then gone. Whoever lets go of it last frees it: a thread that hangs
// may be that.
static void let_go(struct hooks *h)
{
	bool last = --h->references == 0;
	(void)pthread_mutex_unlock(&h->lock);
	if (last)
		destroy(&h);
}

static int take_programs(struct hooks *h, const struct hooks_config *c, struct errmsg *err)
{
	if (c->count > HOOKS_PROGRAMS_MAX)
		return errmsg_set(err, E2BIG,
			"%zu hooks; at most %d can be run for one mount, and one program may "
			"start others",
			c->count, HOOKS_PROGRAMS_MAX);
	h->programs = calloc(c->count ? c->count : 1, sizeof(*h->programs));
	if (!h->programs)
		return errmsg_set(err, ENOMEM, "out of memory");
	for (h->program_count = 0; h->program_count < c->count;) {
		struct program *p = &h->programs[h->program_count++];
		p->name = strdup(c->programs[h->program_count - 1]);
		if (!p->name)
			return errmsg_set(err, ENOMEM, "out of memory");
		int r = hook_program_find(p->name, &p->path, err);
		if (r == 0)
			r = hook_program_check(p->path, err);
		if (r)
			return r;
	}
	return 0;
}

static void count_outcome(struct hooks *h, const struct hook_outcome *o)
{
	bool failed = o->sentence.text[0] != '\0';
	h->counts.run++;
	h->counts.failed += failed;
	h->counts.timed_out += o->timed_out;
	if (failed)
		memcpy(h->counts.last_failure, o->sentence.text, sizeof(h->counts.last_failure));
}

// Nobody hears of it when the others have gone without this thread.
static void report(struct hooks *h, const struct hook_job *j, const struct hook_outcome *o)
{
	const struct program *p = &h->programs[j->program];
	(void)pthread_mutex_lock(&h->lock);
	count_outcome(h, o);
	bool heard = !h->abandoned;
	h->reporting += heard;
	(void)pthread_mutex_unlock(&h->lock);
	if (!heard)
		return;
	if (o->sentence.text[0])
		log_warning(h->log, "%s", o->sentence.text);
	else
		log_debug(h->log, "hook %s for %s of %s: done in %u ms", p->name,
			event_name(j->kind), j->disk, o->took_ms);
	if (h->ended)
		h->ended(h->ctx, &(struct hook_result){.program = p->name,
					 .event = event_name(j->kind),
					 .disk = j->disk,
					 .status = o->status,
					 .timed_out = o->timed_out,
					 .took_ms = o->took_ms,
					 .sentence = o->sentence.text});
	(void)pthread_mutex_lock(&h->lock);
	h->reporting--;
	(void)pthread_cond_broadcast(&h->news);
	(void)pthread_mutex_unlock(&h->lock);
}

static uint32_t time_for(const struct hooks *h, const struct hook_job *j)
{
	uint64_t now = hook_now_ms();
	uint64_t useful = j->useful_until_ms > now ? j->useful_until_ms - now : 0;
	if (useful > UINT32_MAX)
		useful = UINT32_MAX;
	return useful > h->timeout_ms ? (uint32_t)useful : h->timeout_ms;
}

static void serve(struct hooks *h, const struct hook_job *j)
{
	struct hook_outcome o;
	hook_run(&(struct hook_task){.program = h->programs[j->program].name,
			 .path = h->programs[j->program].path,
			 .event = event_name(j->kind),
			 .disk = j->disk,
			 .text = j->text,
			 .timeout_ms = time_for(h, j),
			 .stop_fd = h->stop_fd},
		&o);
	report(h, j, &o);
	if (o.stuck.pid > 0)
		hook_bury(&o.stuck, h->stop_fd);
}

// With the lock held, which is not while it is logged.
static void tell_notice(struct hooks *h)
{
	char sentence[sizeof(h->notice)];
	memcpy(sentence, h->notice, sizeof(sentence));
	h->notice[0] = '\0';
	if (h->abandoned)
		return;
	h->reporting++;
	(void)pthread_mutex_unlock(&h->lock);
	log_warning(h->log, "%s", sentence);
	(void)pthread_mutex_lock(&h->lock);
	h->reporting--;
}

// Programs of the operator's are no helpers of the kernel's I/O, as the daemon is; what a thread
// is, its children are.
static void *worker_main(void *hooks)
{
	struct hooks *h = hooks;
	(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	(void)pthread_mutex_lock(&h->lock);
	while (!h->quit) {
		struct hook_job *j = hook_queue_take(&h->queue);
		if (h->queue.waiting_count == 0)
			h->told_of_drop = false;
		if (h->notice[0] && !j) {
			tell_notice(h);
			continue;
		}
		if (!j) {
			h->idle++;
			(void)pthread_cond_wait(&h->news, &h->lock);
			h->idle--;
			continue;
		}
		(void)pthread_mutex_unlock(&h->lock);
		serve(h, j);
		(void)pthread_mutex_lock(&h->lock);
		hook_queue_done(&h->queue, j);
		(void)pthread_cond_broadcast(&h->news);
		if (h->notice[0])
			tell_notice(h);
	}
	h->workers--;
	(void)pthread_cond_broadcast(&h->news);
	let_go(h);
	return NULL;
}

static int start_worker(struct hooks *h)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int r = pthread_attr_init(&attr);
	if (r)
		return -r;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, worker_main, h);
	if (r == 0) {
		h->workers++;
		h->references++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int hooks_new(const struct hooks_config *c, struct hooks **out, struct errmsg *err)
{
	struct hooks *h scoped(destroy) = calloc(1, sizeof(*h));
	if (!h)
		return errmsg_set(err, ENOMEM, "out of memory");
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&h->news, &attr);
	(void)pthread_condattr_destroy(&attr);
	(void)pthread_mutex_init(&h->lock, NULL);
	hook_queue_init(&h->queue);
	h->references = 1;
	h->timeout_ms = c->timeout_ms ? c->timeout_ms : HOOK_TIMEOUT_MS;
	h->log = c->log;
	h->ended = c->ended;
	h->ctx = c->ctx;
	h->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->stop_fd < 0)
		return errmsg_set(err, errno, "cannot make an event descriptor: %m");
	int r = take_programs(h, c, err);
	if (r)
		return r;
	(void)pthread_mutex_lock(&h->lock);
	r = start_worker(h);
	(void)pthread_mutex_unlock(&h->lock);
	if (r)
		return errmsg_set(err, -r, "cannot start a thread for hooks: %s", strerror(-r));
	*out = TAKE(h);
	return 0;
}

// A thread's, which logs it with no lock held: whoever posts must not wait for a log.
static void note(struct hooks *h, const char *sentence)
{
	(void)snprintf(h->counts.last_failure, sizeof(h->counts.last_failure), "%s", sentence);
	(void)snprintf(h->notice, sizeof(h->notice), "%s", sentence);
}

// The first is started with the hooks, so that there is always one to serve what waits.
static void want_worker(struct hooks *h)
{
	char sentence[128];
	if (h->queue.waiting_count <= h->idle || h->workers == HOOKS_AT_ONCE)
		return;
	int r = start_worker(h);
	if (r && !h->told_of_threads) {
		(void)snprintf(sentence, sizeof(sentence),
			"hooks: no thread to run more of them at once: %s", strerror(-r));
		note(h, sentence);
	}
	h->told_of_threads = r != 0;
}

static void drop(struct hooks *h, struct hook_job *j, const char *why)
{
	struct errmsg sentence;
	h->counts.dropped++;
	if (!h->told_of_drop) {
		h->told_of_drop = true;
		(void)errmsg_set(&sentence, 0, "hook %s is not run for %s of %s: %s",
			h->programs[j->program].name, event_name(j->kind), j->disk, why);
		note(h, sentence.text);
	}
	free(j);
}

static void put(struct hooks *h, struct hook_job *j)
{
	struct hook_job *other;
	while ((other = hook_queue_overtaken(&h->queue, j)))
		drop(h, other,
			"something later was told before its turn came; the hook is too slow, or "
			"too many disks need it at once");
	other = hook_queue_put(&h->queue, j);
	if (other)
		drop(h, other,
			"as many runs wait as may; it is too slow, or something holds it up");
	want_worker(h);
	(void)pthread_cond_broadcast(&h->news);
}

void hooks_post(struct hooks *h, const struct event *e, const char *text)
{
	if (!event_has_hook(e->kind))
		return;
	for (size_t i = 0; i < h->program_count; i++) {
		struct hook_job *j = hook_job_new(e, text, i);
		with_lock(&h->lock);
		if (j && !h->closed) {
			put(h, j);
			continue;
		}
		h->counts.dropped++;
		free(j);
	}
}

static void wait_until(struct hooks *h, uint64_t until_ms)
{
	struct timespec at = {.tv_sec = (time_t)(until_ms / MS_PER_S),
		.tv_nsec = (long)(until_ms % MS_PER_S * NS_PER_MS)};
	(void)pthread_cond_timedwait(&h->news, &h->lock, &at);
}

int hooks_end(struct hooks **hooks, uint32_t waiting_ms, uint32_t running_ms)
{
	struct hooks *h = TAKE(*hooks);
	if (!h)
		return 0;
	(void)pthread_mutex_lock(&h->lock);
	h->closed = true;
	const uint64_t begun = hook_now_ms();
	while (h->queue.waiting_count + h->queue.running_count > 0 &&
		hook_now_ms() < begun + waiting_ms)
		wait_until(h, begun + waiting_ms);
	h->counts.dropped += hook_queue_clear(&h->queue);
	while (h->queue.running_count > 0 && hook_now_ms() < begun + running_ms)
		wait_until(h, begun + running_ms);
	h->quit = true;
	(void)eventfd_write(h->stop_fd, 1);
	(void)pthread_cond_broadcast(&h->news);
	const uint64_t until = hook_now_ms() + HOOK_TERM_PATIENCE_MS + KILLED_PATIENCE_MS;
	while (h->workers > 0 && hook_now_ms() < until)
		wait_until(h, until);
	if (h->notice[0])
		tell_notice(h);
	h->abandoned = true;
	int r = h->reporting > 0 ? -EBUSY : 0;
	let_go(h);
	return r;
}

void hooks_stats(struct hooks *h, struct hooks_stats *out)
{
	with_lock(&h->lock);
	*out = h->counts;
	out->running = (unsigned)h->queue.running_count;
	out->waiting = (unsigned)h->queue.waiting_count;
}
