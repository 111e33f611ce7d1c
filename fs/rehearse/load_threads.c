// SPDX-License-Identifier: MIT
// The threads of a load: each puts one request after the other, records what became of it, and the
// readers judge what they read. Writers own disjoint parts, so a block's generations have an order.
#include "errmsg.h"
#include "fileio.h"
#include "load_block.h"
#include "load_internal.h"
#include "scope.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// After a failure: a stopped disk answers at once, and a loop on it would only be busy.
#define PAUSE_US 5000u

static struct timespec in_us(uint64_t us)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ns = (uint64_t)t.tv_nsec + us * 1000;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	return t;
}

// Waits for the time, and for the file. *fd stays open until leave(). False: the load ends.
static bool enter(struct load *l, uint64_t at_us, int *fd)
{
	with_lock(&l->lock);
	while (!l->ending) {
		uint64_t now = load_now_us();
		if (l->fd >= 0 && now >= at_us) {
			l->inside++;
			*fd = l->fd;
			return true;
		}
		struct timespec until = in_us(now < at_us ? at_us - now : 0);
		if (now < at_us)
			(void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
		else
			(void)pthread_cond_wait(&l->changed, &l->lock);
	}
	return false;
}

static void leave(struct load *l)
{
	with_lock(&l->lock);
	if (--l->inside == 0)
		(void)pthread_cond_broadcast(&l->changed);
}

static int read_one(struct worker *w, int fd, uint64_t number, struct load_request *q)
{
	struct load *l = w->load;
	struct history *h = &l->history[number];
	uint64_t least = atomic_load(&h->good), ended = atomic_load(&h->ended);
	q->begun = load_now_us();
	int r = pread_full(fd, w->buf, LOAD_BLOCK, number * LOAD_BLOCK);
	q->ended = load_now_us();
	uint64_t most = atomic_load(&h->begun);
	struct load_block whole;
	// A read that met a write of the same block may see a mix of both: it proves nothing.
	if (!r && (most == ended || load_block_parse(w->buf, &whole)))
		(void)load_judge(l, number, w->buf, least, most);
	return r;
}

static int write_one(struct worker *w, int fd, uint64_t number, struct load_request *q)
{
	struct history *h = &w->load->history[number];
	uint64_t generation = atomic_load(&h->begun) + 1;
	struct load_block b = {w->load->run, number, generation, load_now_us()};
	load_block_make(&b, w->buf);
	atomic_store(&h->begun, generation);
	q->begun = load_now_us();
	int r = pwrite_full(fd, w->buf, LOAD_BLOCK, number * LOAD_BLOCK);
	q->ended = load_now_us();
	if (!r)
		atomic_store(&h->good, generation);
	atomic_store(&h->ended, generation);
	return r;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct load *l = w->load;
	uint64_t period = l->config.per_second ? 1000000u / l->config.per_second : 0;
	uint64_t next = load_now_us();
	int fd;
	while (enter(l, next, &fd)) {
		uint64_t number = w->first + load_random(&w->random) % w->count;
		struct load_request q = {.thread = w->index, .write = w->writes};
		q.rc = w->writes ? write_one(w, fd, number, &q) : read_one(w, fd, number, &q);
		load_record_put(&l->record, &q);
		leave(l);
		next = q.begun + period;
		if (q.rc && next < q.ended + PAUSE_US)
			next = q.ended + PAUSE_US;
	}
	return NULL;
}

int load_workers_make(struct load *l)
{
	const struct load_config *c = &l->config;
	l->workers = calloc(c->readers + c->writers + 1u, sizeof(*l->workers));
	if (!l->workers)
		return -ENOMEM;
	for (; l->count < c->readers + c->writers; l->count++) {
		struct worker *w = &l->workers[l->count];
		unsigned part = l->count - c->readers; // of a writer
		*w = (struct worker){.load = l,
			.index = l->count,
			.writes = l->count >= c->readers,
			.count = l->blocks,
			.random = l->run + l->count,
			.buf = aligned_alloc(LOAD_BLOCK, LOAD_BLOCK)};
		if (!w->buf)
			return -ENOMEM;
		if (w->writes) {
			w->first = l->blocks * part / c->writers;
			w->count = l->blocks * (part + 1) / c->writers - w->first;
		}
	}
	return 0;
}

// Signals are for the threads that expect them.
int load_workers_start(struct load *l, struct errmsg *err)
{
	sigset_t all, old;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = 0;
	for (unsigned i = 0; i < l->count && !r; i++) {
		r = pthread_create(&l->workers[i].thread, NULL, worker_main, &l->workers[i]);
		l->workers[i].running = !r;
		if (!r)
			(void)pthread_setname_np(l->workers[i].thread, "cmkdisk-load");
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? errmsg_set(err, r, "cannot start the load's threads: %s", strerror(r)) : 0;
}

void load_workers_stop(struct load *l)
{
	{
		with_lock(&l->lock);
		l->ending = true;
		(void)pthread_cond_broadcast(&l->changed);
	}
	for (unsigned i = 0; i < l->count; i++) {
		if (l->workers[i].running)
			(void)pthread_join(l->workers[i].thread, NULL);
		l->workers[i].running = false;
	}
	load_record_stop(&l->record, load_now_us());
}
