// SPDX-License-Identifier: MIT
// Helpers for large requests. A helper is asked only if it is idle at that moment and the machine
// has not been crowded lately; the one who asks works too, takes piece after piece, and calls off
// a helper that has not come when nothing is left. So a request never waits for a helper to start,
// only for one piece to end.
#include "crew.h"

#include "disk.h"
#include "scope.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define HELPERS_MAX 63u
#define HELPERS_PER_TASK 3u // beyond that, memory is the limit
#define CROWDED_FOR_MS 20u  // parallel streams are not always inside at the same instant
#define YIELDS_BEFORE_SLEEP 64u

enum helper_state { IDLE, ASKED, WORKING, DONE, QUIT };

struct helper {
	atomic_bool claimed; // by the one who runs a task; the rest is guarded by lock
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic enum helper_state state; // read without the lock only to spin
	struct crew_task *task;
	pthread_t thread;
};

struct crew {
	unsigned count;	    // of helpers
	atomic_uint inside; // requests
	atomic_uint
		crowded_at; // coarse milliseconds; when there last were more requests than helpers
	struct bufpool buffers;
	struct helper helpers[];
};

// Coarse on purpose: a few nanoseconds, and it only has to tell 20 ms.
static unsigned now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (unsigned)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static void task_work(struct crew_task *t)
{
	for (;;) {
		size_t i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
		if (i >= t->count)
			return;
		int r = t->piece(t->arg, i);
		if (!r)
			continue;
		int none = 0;
		(void)atomic_compare_exchange_strong(&t->error, &none, r);
		atomic_store_explicit(&t->next, t->count, memory_order_relaxed);
	}
}

static void *helper_main(void *arg)
{
	struct helper *h = arg;
	(void)pthread_mutex_lock(&h->lock);
	while (h->state != QUIT) {
		if (h->state != ASKED) {
			(void)pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		h->state = WORKING;
		struct crew_task *t = h->task;
		(void)pthread_mutex_unlock(&h->lock);
		task_work(t);
		(void)pthread_mutex_lock(&h->lock);
		h->state = DONE;
		(void)pthread_cond_broadcast(&h->changed);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return NULL;
}

static bool helper_claim(struct helper *h)
{
	return !atomic_load_explicit(&h->claimed, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&h->claimed, true, memory_order_acquire);
}

static void helper_ask(struct helper *h, struct crew_task *t)
{
	with_lock(&h->lock);
	h->task = t;
	h->state = ASKED;
	(void)pthread_cond_broadcast(&h->changed);
}

// Afterwards the helper does not touch the task any more.
static void helper_dismiss(struct helper *h)
{
	for (unsigned i = 0; i < YIELDS_BEFORE_SLEEP && h->state == WORKING; i++)
		(void)sched_yield();
	{
		with_lock(&h->lock);
		while (h->state == WORKING)
			(void)pthread_cond_wait(&h->changed, &h->lock);
		h->state = IDLE;
		h->task = NULL;
	}
	atomic_store_explicit(&h->claimed, false, memory_order_release);
}

static unsigned helpers_wanted(struct crew *c, size_t pieces)
{
	unsigned inside = atomic_load_explicit(&c->inside, memory_order_relaxed);
	if (pieces < 2 || inside > c->count)
		return 0;
	unsigned crowded_at = atomic_load_explicit(&c->crowded_at, memory_order_relaxed);
	if (now_ms() - crowded_at < CROWDED_FOR_MS)
		return 0;
	unsigned idle = c->count + 1 - inside;
	unsigned most = pieces - 1 < HELPERS_PER_TASK ? (unsigned)pieces - 1 : HELPERS_PER_TASK;
	return idle < most ? idle : most;
}

int crew_run(struct crew *c, struct crew_task *t)
{
	struct helper *asked[HELPERS_PER_TASK];
	unsigned wanted = helpers_wanted(c, t->count), n = 0;
	for (unsigned i = 0; i < c->count && n < wanted; i++) {
		if (!helper_claim(&c->helpers[i]))
			continue;
		helper_ask(&c->helpers[i], t);
		asked[n++] = &c->helpers[i];
	}
	task_work(t);
	while (n > 0)
		helper_dismiss(asked[--n]);
	return atomic_load(&t->error);
}

void crew_enter(struct crew *c)
{
	if (c->count == 0)
		return;
	unsigned before = atomic_fetch_add_explicit(&c->inside, 1, memory_order_relaxed);
	if (before >= c->count)
		atomic_store_explicit(&c->crowded_at, now_ms(), memory_order_relaxed);
}

void crew_leave(struct crew *c)
{
	if (c->count)
		(void)atomic_fetch_sub_explicit(&c->inside, 1, memory_order_relaxed);
}

struct bufpool *crew_buffers(struct crew *c)
{
	return &c->buffers;
}

static int helper_start(struct helper *h)
{
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_cond_init(&h->changed, NULL);
	int r = pthread_create(&h->thread, NULL, helper_main, h);
	if (r) {
		(void)pthread_cond_destroy(&h->changed);
		(void)pthread_mutex_destroy(&h->lock);
		return -r;
	}
	(void)pthread_setname_np(h->thread, "cmkdisk-crew");
	return 0;
}

// Signals are for the threads that expect them.
static int helpers_start(struct crew *c, unsigned threads)
{
	sigset_t all, old;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = 0;
	while (c->count < threads && !r) {
		r = helper_start(&c->helpers[c->count]);
		c->count += r == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int crew_new(unsigned threads, struct crew **out)
{
	if (threads > HELPERS_MAX)
		threads = HELPERS_MAX;
	struct crew *c = calloc(1, sizeof(*c) + threads * sizeof(c->helpers[0]));
	if (!c)
		return -ENOMEM;
	int r = bufpool_init(&c->buffers, CREW_BUFFER);
	if (r) {
		free(c);
		return r;
	}
	c->crowded_at = now_ms() - CROWDED_FOR_MS;
	r = helpers_start(c, threads);
	if (r) {
		crew_free(&c);
		return r;
	}
	*out = c;
	return 0;
}

static void helper_stop(struct helper *h)
{
	{
		with_lock(&h->lock);
		h->state = QUIT;
		(void)pthread_cond_broadcast(&h->changed);
	}
	(void)pthread_join(h->thread, NULL);
	(void)pthread_cond_destroy(&h->changed);
	(void)pthread_mutex_destroy(&h->lock);
}

void crew_free(struct crew **c)
{
	if (!*c)
		return;
	for (unsigned i = 0; i < (*c)->count; i++)
		helper_stop(&(*c)->helpers[i]);
	bufpool_destroy(&(*c)->buffers);
	free(*c);
	*c = NULL;
}
