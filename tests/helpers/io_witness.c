// SPDX-License-Identifier: MIT
// io_witness FILE THREADS: opens FILE (O_DIRECT), says "ready", then reads (odd threads) and writes
// (even threads) 4 KiB pieces as fast as it can until SIGTERM, and prints what it saw as one JSON
// object. Times are CLOCK_BOOTTIME in ns. Each thread writes its own part of the
// file, the pattern "4 KiB of one byte", and readers read those parts.
//
//   ok, failed          requests
//   lastOkBegun         when the last successful request was put
//   lastOkEnded         when the last successful request had ended
//   firstFailed         end of the first failure; 0 none
//   errors              {"errno": count}
//   longestGapMs        between two successes of the same thread, to now included while none failed
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE 4096u
#define PIECES 64u // of one thread's part
#define THREADS_MAX 16u
#define ERRNO_MAX 200

struct witness {
	pthread_t thread;
	int fd;
	unsigned number;
	uint64_t ok, failed, last_ok_begun, last_ok_ended, first_failed, longest_gap;
	uint64_t errors[ERRNO_MAX];
};

static atomic_bool over;

static uint64_t now_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note(struct witness *w, bool ok, int error, uint64_t begun)
{
	uint64_t now = now_ns();
	if (ok) {
		uint64_t gap = w->last_ok_ended ? now - w->last_ok_ended : 0;
		w->longest_gap = gap > w->longest_gap ? gap : w->longest_gap;
		w->ok++;
		w->last_ok_begun = begun;
		w->last_ok_ended = now;
		return;
	}
	if (!w->first_failed)
		w->first_failed = now;
	w->failed++;
	w->errors[error < ERRNO_MAX ? error : 0]++;
	// A stopped disk answers at once; this leaves the cores to the others.
	(void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void *run(void *arg)
{
	struct witness *w = arg;
	void *buf = NULL;
	if (posix_memalign(&buf, PIECE, PIECE))
		abort();
	memset(buf, 'a' + (int)w->number, PIECE);
	off_t part = (off_t)(w->number / 2) * PIECES * PIECE;
	for (unsigned i = 0; !atomic_load(&over); i++) {
		off_t at = part + (off_t)(i % PIECES) * PIECE;
		uint64_t begun = now_ns();
		errno = 0;
		ssize_t n = w->number % 2 ? pread(w->fd, buf, PIECE, at)
					  : pwrite(w->fd, buf, PIECE, at);
		note(w, n == (ssize_t)PIECE, errno, begun);
	}
	free(buf);
	return NULL;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void print(const struct witness *w, unsigned count)
{
	struct witness all = {0};
	uint64_t now = now_ns();
	for (unsigned i = 0; i < count; i++) {
		all.ok += w[i].ok;
		all.failed += w[i].failed;
		all.last_ok_begun = max_u64(all.last_ok_begun, w[i].last_ok_begun);
		all.last_ok_ended = max_u64(all.last_ok_ended, w[i].last_ok_ended);
		all.longest_gap = max_u64(all.longest_gap, w[i].longest_gap);
		if (!w[i].failed)
			all.longest_gap = max_u64(all.longest_gap, now - w[i].last_ok_ended);
		if (w[i].first_failed &&
			(!all.first_failed || w[i].first_failed < all.first_failed))
			all.first_failed = w[i].first_failed;
		for (int e = 0; e < ERRNO_MAX; e++)
			all.errors[e] += w[i].errors[e];
	}
	printf("{\"ok\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"lastOkBegun\": %" PRIu64
	       ", \"lastOkEnded\": %" PRIu64 ", \"firstFailed\": %" PRIu64
	       ", \"longestGapMs\": %" PRIu64 ", \"errors\": {",
		all.ok, all.failed, all.last_ok_begun, all.last_ok_ended, all.first_failed,
		all.longest_gap / 1000000);
	const char *comma = "";
	for (int e = 0; e < ERRNO_MAX; e++)
		if (all.errors[e]) {
			printf("%s\"%d\": %" PRIu64, comma, e, all.errors[e]);
			comma = ", ";
		}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	static struct witness witnesses[THREADS_MAX];
	unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	if (count < 1 || count > THREADS_MAX) {
		(void)fprintf(stderr, "usage: io_witness FILE THREADS\n");
		return 64;
	}
	sigset_t term;
	int sig;
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &term, NULL);
	for (unsigned i = 0; i < count; i++) {
		witnesses[i].number = i;
		witnesses[i].fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
		if (witnesses[i].fd < 0) {
			perror(argv[1]);
			return 66;
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&witnesses[i].thread, NULL, run, &witnesses[i]))
			return 71;
	printf("ready\n");
	(void)fflush(stdout);
	(void)sigwait(&term, &sig);
	atomic_store(&over, true);
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(witnesses[i].thread, NULL);
	print(witnesses, count);
	return fflush(stdout) ? 74 : 0;
}
