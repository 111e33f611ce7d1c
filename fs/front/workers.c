// SPDX-License-Identifier: MIT
// The threads that take requests from the kernel. A loop of our own on libfuse's interface for
// custom loops, for two reasons: libfuse's loop cannot be ended from another thread while files
// are open (nothing wakes its readers), and it has no answer to a pool whose threads are all
// stuck in one hung backing store.
#include "front_internal.h"

#include "disk.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// More than the cores, so that requests waiting for a backing store leave some for the others;
// few enough that their buffers (2 MiB each once used) stay a third of the daemon's budget.
#define WORKERS_USUAL 10u
// When nothing at all was answered for STALL_NS with all of them busy, more are added, so that the
// other disks go on while one store hangs.
#define WORKERS_MOST 64u
#define STALL_NS 500000000l
#define REPLY_ALIGN 4096u

static void free_buffers(struct worker *w)
{
	free(w->in.mem);
	w->in = (struct fuse_buf){0};
	free(w->reply);
	w->reply = NULL;
}

void *worker_reply_buffer(struct front *f)
{
	struct worker *w = pthread_getspecific(f->self);
	if (!w->reply)
		w->reply = aligned_alloc(REPLY_ALIGN, DISK_IO_MAX);
	return w->reply;
}

static void end_loop(struct front *f, int error)
{
	(void)pthread_mutex_lock(&f->lock);
	if (!f->ended)
		f->error = error;
	f->ended = true;
	(void)pthread_cond_broadcast(&f->news);
	(void)pthread_mutex_unlock(&f->lock);
}

static void *worker_main(void *arg);

// Call with the lock held.
static int add_worker(struct front *f)
{
	struct worker *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->front = f;
	w->extra = f->worker_count >= WORKERS_USUAL;
	// Signals are for the threads that expect them.
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	int r = pthread_create(&w->thread, NULL, worker_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		free(w);
		return -r;
	}
	w->next = f->workers;
	f->workers = w;
	f->worker_count++;
	return 0;
}

// The caller took the last idle thread's place.
static void relieve(struct front *f)
{
	if (atomic_load(&f->saturated))
		return;
	(void)pthread_mutex_lock(&f->lock);
	if (f->stopping || f->ended) {
		// no more threads
	} else if (f->worker_count >= WORKERS_USUAL) {
		atomic_store(&f->saturated, true);
		(void)pthread_cond_broadcast(&f->news);
	} else if (atomic_load(&f->idle) == 0) {
		int r = add_worker(f);
		if (r)
			log_warning(f->log, "cannot start another thread: %s", strerror(-r));
	}
	(void)pthread_mutex_unlock(&f->lock);
}

static void serve(struct worker *w)
{
	struct front *f = w->front;
	fuse_session_process_buf(f->session, &w->in);
	(void)atomic_fetch_add(&f->served, 1);
	int said = 1;
	if (atomic_load(&f->hello) == 1 && atomic_compare_exchange_strong(&f->hello, &said, 2) &&
		f->ready)
		f->ready(f->ctx);
	if (w->extra)
		free_buffers(w);
}

// The one place where a worker is cancelled: a request that was begun is always finished.
static int receive(struct worker *w)
{
	(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	int got = fuse_session_receive_buf(w->front->session, &w->in);
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return got;
}

// AddressSanitizer does not know that a cancelled thread leaves its stack behind: the frames on it
// at that moment must hold nothing that it watches.
__attribute__((no_sanitize_address)) static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct front *f = w->front;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	int r = -pthread_setspecific(f->self, w);
	while (!r) {
		(void)atomic_fetch_add(&f->idle, 1);
		int got = receive(w);
		bool last = atomic_fetch_sub(&f->idle, 1) == 1;
		if (got == -EINTR)
			continue;
		if (got <= 0) {
			r = got;
			break;
		}
		if (last)
			relieve(f);
		serve(w);
		if (fuse_session_exited(f->session))
			break;
	}
	end_loop(f, r);
	return NULL;
}

int workers_start(struct front *f)
{
	(void)pthread_mutex_lock(&f->lock);
	int r = f->stopping ? 0 : add_worker(f);
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

// All threads were busy a moment ago. Watches, with the lock held, until that is over.
static void watch_stall(struct front *f)
{
	unsigned long served = atomic_load(&f->served);
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += STALL_NS;
	t.tv_sec += t.tv_nsec / 1000000000l;
	t.tv_nsec %= 1000000000l;
	int r = 0;
	while (r == 0 && !f->stopping && !f->ended)
		r = pthread_cond_timedwait(&f->news, &f->lock, &t);
	if (f->stopping || f->ended)
		return;
	// In this order: a thread that becomes busy in between reports it again.
	atomic_store(&f->saturated, false);
	if (atomic_load(&f->idle) > 0)
		return;
	atomic_store(&f->saturated, true);
	if (atomic_load(&f->served) != served || f->worker_count >= WORKERS_MOST)
		return;
	log_warning(f->log, "all %u threads wait for backing files that do not answer; adding more",
		f->worker_count);
	for (unsigned i = 0; i < WORKERS_USUAL && f->worker_count < WORKERS_MOST; i++)
		if (add_worker(f))
			return;
}

int workers_wait(struct front *f)
{
	(void)pthread_mutex_lock(&f->lock);
	while (!f->stopping && !f->ended) {
		if (atomic_load(&f->saturated))
			watch_stall(f);
		else
			(void)pthread_cond_wait(&f->news, &f->lock);
	}
	int r = f->error;
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

void workers_join(struct front *f)
{
	// Nobody adds to the list any more, so it is walked without the lock.
	for (struct worker *w = f->workers; w; w = w->next)
		(void)pthread_cancel(w->thread);
	while (f->workers) {
		struct worker *w = f->workers;
		f->workers = w->next;
		(void)pthread_join(w->thread, NULL);
		free_buffers(w);
		free(w);
	}
}
