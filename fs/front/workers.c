// SPDX-License-Identifier: MIT
// The threads that take requests from the kernel. A loop of our own on libfuse's interface for
// custom loops, for two reasons: libfuse's loop cannot be ended from another thread while files
// are open (nothing wakes its readers), and it has no answer to a pool whose threads are all
// stuck in one hung backing store.
#include "front_internal.h"

#include "disk.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// As many threads as cores serve requests that keep the processor busy best: more of them only
// take it from each other (4 KiB requests: a third slower with ten on two cores). When all are
// busy and the machine is idle nevertheless, they wait for a backing store, and more are added, up
// to this number; when it is busy again, the surplus ends one by one. Their buffers (2 MiB each)
// stay a third of the daemon's budget.
#define WORKERS_USUAL 10u
#define LOOK_NS 50000000l // how often that is looked at, while all are busy
#define SPARE_MS 20u	  // of a processor, in LOOK_NS: the machine is idle
// When nothing at all was answered for STALL_NS with all of them busy, more are added, so that the
// other disks go on while one store hangs. (admit.c sees to it that one disk cannot have them all.)
#define WORKERS_MOST 64u
#define STALL_NS 500000000l
// Between two attempts to receive a request when memory was short.
#define RETRY_NS 20000000l
// At the end: how long no request at all may come to its end before the rest is given up.
#define PATIENCE_MS 5000u
// A request is at most libfuse's FUSE_BUFFER_HEADER_SIZE and the data of a write. A worker's buffer
// is one huge page where the kernel has one: with 4 KiB pages each copy in and out of it costs
// more.
#define REQUEST_HEAD 4096u
#define BUFFER_SIZE (2u << 20)

static int make_buffer(struct worker *w)
{
	_Static_assert(REQUEST_HEAD + DISK_IO_MAX <= BUFFER_SIZE, "a request fits");
	w->in.mem = aligned_alloc(BUFFER_SIZE, BUFFER_SIZE);
	if (!w->in.mem)
		return -ENOMEM;
	if (!w->extra)
		(void)madvise(w->in.mem, BUFFER_SIZE, MADV_HUGEPAGE);
	return 0;
}

static void worker_free(struct worker *w)
{
	free(w->in.mem);
	free(w);
}

void *worker_reply_buffer(struct front *f)
{
	// A request that is answered with data has no data of its own: its words are in the head.
	const struct worker *w = pthread_getspecific(f->self);
	return (char *)w->in.mem + REQUEST_HEAD;
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
	int r = make_buffer(w);
	if (r) {
		free(w);
		return r;
	}
	// Signals are for the threads that expect them.
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	r = -pthread_create(&w->thread, NULL, worker_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		worker_free(w);
		return r;
	}
	w->next = f->workers;
	f->workers = w;
	f->worker_count++;
	return 0;
}

// The caller took the last idle thread's place.
static void relieve(struct front *f)
{
	int r = 0;
	if (atomic_load(&f->saturated))
		return;
	(void)pthread_mutex_lock(&f->lock);
	if (f->stopping || f->ended) {
		// no more threads
	} else if (f->worker_count >= f->cores) {
		atomic_store(&f->saturated, true);
		(void)pthread_cond_broadcast(&f->news);
	} else if (atomic_load(&f->idle) == 0) {
		r = add_worker(f);
	}
	(void)pthread_mutex_unlock(&f->lock);
	if (r)
		log_warning(f->log, "cannot start another thread: %s", strerror(-r));
}

// Whether this thread is not needed any more: one of those added while a store hung, with enough
// others idle, or one too many for a busy machine. It is not in the list then, and nobody waits
// for it.
static bool retire(struct worker *w)
{
	struct front *f = w->front;
	bool surplus = atomic_load(&f->surplus) && atomic_exchange(&f->surplus, false);
	if (!surplus && (!w->extra || atomic_load(&f->idle) < WORKERS_USUAL))
		return false;
	with_lock(&f->lock);
	if (f->stopping || f->ended || f->worker_count <= f->cores)
		return false;
	struct worker **at = &f->workers;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	f->worker_count--;
	(void)pthread_detach(w->thread);
	return true;
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
}

// The one place where a worker is cancelled: a request that was begun is always finished.
static int receive(struct worker *w)
{
	(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	int got = fuse_session_receive_buf(w->front->session, &w->in);
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return got;
}

// The kernel may be short of memory for a moment: no reason to end a mount under somebody's
// filesystem.
static bool passes(int got)
{
	return got == -EINTR || got == -EAGAIN || got == -ENOMEM;
}

static void pause_after(int got)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	if (got != -EINTR)
		(void)nanosleep(&pause, NULL);
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
		if (passes(got)) {
			pause_after(got);
			continue;
		}
		if (got <= 0) {
			r = got;
			break;
		}
		if (last)
			relieve(f);
		serve(w);
		if (fuse_session_exited(f->session))
			break;
		if (retire(w)) {
			worker_free(w);
			return NULL;
		}
	}
	end_loop(f, r);
	(void)atomic_fetch_add(&f->idle, 1);
	return NULL;
}

int workers_start(struct front *f)
{
	(void)pthread_mutex_lock(&f->lock);
	unsigned cores = machine_cores();
	f->cores = cores < 2 ? 2 : cores < WORKERS_USUAL ? cores : WORKERS_USUAL;
	int r = f->stopping ? 0 : add_worker(f);
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

static struct timespec after_ns(long ns)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000l;
	t.tv_nsec %= 1000000000l;
	return t;
}

// Waits, with the lock held. True if all threads are busy still.
static bool still_busy(struct front *f, long ns)
{
	struct timespec t = after_ns(ns);
	int r = 0;
	while (r == 0 && !f->stopping && !f->ended)
		r = pthread_cond_timedwait(&f->news, &f->lock, &t);
	if (f->stopping || f->ended)
		return false;
	// In this order: a thread that becomes busy in between reports it again.
	atomic_store(&f->saturated, false);
	if (atomic_load(&f->idle) > 0)
		return false;
	atomic_store(&f->saturated, true);
	return true;
}

static void add_workers(struct front *f, unsigned count, unsigned most)
{
	for (unsigned i = 0; i < count && f->worker_count < most; i++)
		if (add_worker(f))
			return;
}

// All threads, fewer than the usual number, were busy a moment ago. They wait for a store if the
// machine has time to spare, or if not one request came to its end: others may keep it busy.
static void watch_machine(struct front *f)
{
	unsigned long served = atomic_load(&f->served), spare = machine_idle_ms();
	if (!still_busy(f, LOOK_NS))
		return;
	unsigned long now = machine_idle_ms();
	if (!now || now - spare >= SPARE_MS || atomic_load(&f->served) == served)
		add_workers(f, f->cores, WORKERS_USUAL);
	else if (f->worker_count > f->cores)
		atomic_store(&f->surplus, true);
}

// All threads were busy a moment ago. Watches, with the lock held, until that is over, and returns
// how many there were if it had to add some.
static unsigned watch_stall(struct front *f)
{
	unsigned long served = atomic_load(&f->served), spare = machine_idle_ms();
	if (!still_busy(f, STALL_NS))
		return 0;
	unsigned before = f->worker_count;
	if (atomic_load(&f->served) == served && before < WORKERS_MOST) {
		add_workers(f, WORKERS_USUAL, WORKERS_MOST);
		return before;
	}
	if (machine_idle_ms() - spare < SPARE_MS)
		atomic_store(&f->surplus, true);
	return 0;
}

int workers_wait(struct front *f)
{
	(void)pthread_mutex_lock(&f->lock);
	while (!f->stopping && !f->ended) {
		if (!atomic_load(&f->saturated)) {
			(void)pthread_cond_wait(&f->news, &f->lock);
			continue;
		}
		unsigned stuck = 0;
		if (f->worker_count < WORKERS_USUAL)
			watch_machine(f);
		else
			stuck = watch_stall(f);
		if (!stuck)
			continue;
		(void)pthread_mutex_unlock(&f->lock);
		log_warning(f->log,
			"all %u threads wait for backing files that do not answer; adding more",
			stuck);
		(void)pthread_mutex_lock(&f->lock);
	}
	int r = f->error;
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

// A worker cancelled in receive() counts as idle for good, as does one that ended.
static int wait_until_idle(struct front *f)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned long served = atomic_load(&f->served);
	for (unsigned ms = 0; atomic_load(&f->idle) < f->worker_count; ms++) {
		if (ms == PATIENCE_MS)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
		unsigned long now = atomic_load(&f->served);
		if (now != served)
			ms = 0;
		served = now;
	}
	return 0;
}

int workers_join(struct front *f)
{
	// Nobody adds to the list any more, so it is walked without the lock.
	for (struct worker *w = f->workers; w; w = w->next)
		(void)pthread_cancel(w->thread);
	int r = wait_until_idle(f);
	if (r)
		return r;
	while (f->workers) {
		struct worker *w = f->workers;
		f->workers = w->next;
		(void)pthread_join(w->thread, NULL);
		worker_free(w);
	}
	f->worker_count = 0;
	return 0;
}
