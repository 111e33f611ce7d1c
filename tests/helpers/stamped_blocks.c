// SPDX-License-Identifier: MIT
// Writers that remember what was acknowledged, and a check that it is there.
//
//   stamped_blocks write FILE STATE SEED THREADS   until standard input ends, or FILE fails with
//                                                  another error than EIO or ENOSPC
//   stamped_blocks check FILE STATE                every record of FILE against STATE
//
// FILE is divided into records of 512 bytes, each made of its number, a generation and the seed.
// Writes are runs of records, aligned to nothing larger; neighbouring stripes belong to different
// threads, so these meet in sectors of 4096 bytes. A record on the disk must be of the generation
// last acknowledged, or, when one write was never answered, of that one. A refused write (EIO,
// ENOSPC) is put again until it is acknowledged. "ready" is said when every record was written
// once; the last line is what was met, as JSON.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD 512u
#define STRIPE 1061u // records; a prime, so that stripes end anywhere in a sector
#define THREADS_MAX 8u
#define SAID_MAX 5u // wrong records that are told one by one

struct state_head {
	uint64_t seed, records;
};

// Of one record. Both are 0 until it is first written; touched by its stripe's thread only.
struct promise {
	uint32_t acked, tried;
};

struct job {
	int fd;
	uint32_t threads;
	struct state_head head;
	struct promise *promises;
	atomic_bool stop, broken; // broken: a read was wrong
	atomic_int ended_by;	  // errno
	atomic_uint filled;	  // threads that have written every record once
	atomic_ullong writes, reads, syncs, eio, enospc;
};

struct worker {
	struct job *job;
	pthread_t thread;
	uint32_t number, generation;
	uint64_t random;
	uint8_t buf[STRIPE * RECORD];
};

static uint64_t next_random(uint64_t *s)
{
	uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void make_record(uint64_t seed, uint64_t number, uint32_t generation, uint64_t out[64])
{
	uint64_t s = seed ^ (number << 24) ^ generation;

	out[0] = number;
	out[1] = generation;
	for (size_t i = 2; i < 64; i++)
		out[i] = next_random(&s);
}

// 0 or what is wrong with what was read.
static const char *wrong(const struct state_head *h, const struct promise *p, uint64_t number,
	const uint8_t *is, uint32_t *generation)
{
	uint64_t want[64], got[64];

	*generation = 0;
	if (p->acked == 0)
		return NULL; // nothing was promised
	memcpy(got, is, RECORD);
	*generation = (uint32_t)got[1];
	make_record(h->seed, number, *generation, want);
	if (memcmp(got, want, RECORD) != 0)
		return "is no record of this place";
	if (*generation < p->acked)
		return "is older than what was acknowledged";
	return *generation > p->tried ? "is newer than what was written" : NULL;
}

// True if the caller should try again.
static bool refused(struct job *j, int errnum)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	if (errnum != EIO && errnum != ENOSPC) {
		int none = 0;
		(void)atomic_compare_exchange_strong(&j->ended_by, &none, errnum);
		atomic_store(&j->stop, true);
		return false;
	}
	(void)atomic_fetch_add(errnum == EIO ? &j->eio : &j->enospc, 1);
	(void)nanosleep(&pause, NULL);
	return !atomic_load(&j->stop);
}

static void write_run(struct worker *w, uint64_t first, uint64_t count)
{
	struct job *j = w->job;
	uint32_t generation = ++w->generation;
	size_t done = 0, len = count * RECORD;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t record[64];
		make_record(j->head.seed, first + i, generation, record);
		memcpy(w->buf + i * RECORD, record, RECORD);
		j->promises[first + i].tried = generation;
	}
	while (done < len) {
		ssize_t n =
			pwrite(j->fd, w->buf + done, len - done, (off_t)(first * RECORD + done));
		if (n < 0 && !refused(j, errno))
			return;
		done += n > 0 ? (size_t)n : 0;
	}
	for (uint64_t i = 0; i < count; i++)
		j->promises[first + i].acked = generation;
	(void)atomic_fetch_add(&j->writes, 1);
}

static void read_run(struct worker *w, uint64_t first, uint64_t count)
{
	struct job *j = w->job;
	ssize_t n = pread(j->fd, w->buf, count * RECORD, (off_t)(first * RECORD));

	if (n < 0) {
		(void)refused(j, errno);
		return;
	}
	for (uint64_t i = 0; i < (uint64_t)n / RECORD; i++) {
		uint32_t g;
		const char *what = wrong(
			&j->head, &j->promises[first + i], first + i, w->buf + i * RECORD, &g);
		if (!what)
			continue;
		(void)fprintf(stderr, "while writing: record %llu, generation %u, %s\n",
			(unsigned long long)(first + i), g, what);
		atomic_store(&j->broken, true);
		atomic_store(&j->stop, true);
	}
	(void)atomic_fetch_add(&j->reads, 1);
}

// The records of a stripe; the last one may be short.
static uint64_t stripe_len(const struct job *j, uint64_t stripe)
{
	uint64_t left = j->head.records - stripe * STRIPE;
	return left < STRIPE ? left : STRIPE;
}

struct run {
	uint64_t first, count;
};

// Small runs mostly, up to whole stripes sometimes.
static struct run any_run(struct worker *w, uint64_t own, uint64_t turn)
{
	uint64_t s = w->number + next_random(&w->random) % own * w->job->threads;
	uint64_t len = stripe_len(w->job, s), from = next_random(&w->random) % len;
	uint64_t most = turn % 16 ? 24 : len;
	uint64_t count = 1 + next_random(&w->random) % (len - from);
	return (struct run){s * STRIPE + from, count > most ? most : count};
}

// At an end of the thread's first stripe, over and over: there it meets its neighbours in one
// sector of 4096 bytes.
static struct run edge_run(struct worker *w)
{
	uint64_t first = (uint64_t)w->number * STRIPE, count = 1 + next_random(&w->random) % 3;
	bool end = next_random(&w->random) & 1;
	return (struct run){end ? first + STRIPE - count : first, count};
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	uint64_t stripes = (j->head.records + STRIPE - 1) / STRIPE;
	uint64_t own = (stripes - w->number + j->threads - 1) / j->threads;

	for (uint64_t s = w->number; s < stripes && !atomic_load(&j->stop); s += j->threads)
		write_run(w, s * STRIPE, stripe_len(j, s));
	(void)atomic_fetch_add(&j->filled, 1);
	for (uint64_t turn = 1; !atomic_load(&j->stop); turn++) {
		struct run r = turn % 2 ? edge_run(w) : any_run(w, own, turn);
		if (turn % 4 == 0)
			read_run(w, r.first, r.count);
		else
			write_run(w, r.first, r.count);
		if (turn % 64)
			continue;
		if (fdatasync(j->fd) == 0)
			(void)atomic_fetch_add(&j->syncs, 1);
		else
			(void)refused(j, errno);
	}
	return NULL;
}

static int state_io(const char *path, bool save, struct job *j)
{
	FILE *f = fopen(path, save ? "we" : "re");
	bool ok = f != NULL;

	ok = ok && (save ? fwrite(&j->head, sizeof(j->head), 1, f)
			 : fread(&j->head, sizeof(j->head), 1, f)) == 1;
	if (ok && !save)
		j->promises = calloc(j->head.records, sizeof(*j->promises));
	size_t n = j->head.records;
	ok = ok && j->promises &&
	     (save ? fwrite(j->promises, sizeof(*j->promises), n, f)
		   : fread(j->promises, sizeof(*j->promises), n, f)) == n;
	ok = f && fclose(f) == 0 && ok;
	if (!ok)
		perror(path);
	return ok ? 0 : 74;
}

static void wait_for_end_of_input(struct job *j)
{
	char byte;

	while (atomic_load(&j->filled) < j->threads) {
		const struct timespec pause = {.tv_nsec = 1000000};
		(void)nanosleep(&pause, NULL);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	atomic_store(&j->stop, true);
}

static int write_all(struct job *j, const char *state)
{
	struct worker *w = calloc(j->threads, sizeof(*w));
	struct stat st;

	if (!w || fstat(j->fd, &st) || st.st_size < (off_t)(STRIPE * RECORD * j->threads))
		return 65;
	j->head.records = (uint64_t)st.st_size / RECORD;
	j->promises = calloc(j->head.records, sizeof(*j->promises));
	if (!j->promises)
		return 71;
	for (uint32_t i = 0; i < j->threads; i++) {
		w[i].job = j;
		w[i].number = i;
		w[i].random = j->head.seed + i * UINT64_C(0x51ed2701);
		if (pthread_create(&w[i].thread, NULL, worker_main, &w[i]))
			return 71;
	}
	wait_for_end_of_input(j);
	for (uint32_t i = 0; i < j->threads; i++)
		(void)pthread_join(w[i].thread, NULL);
	free(w);
	(void)printf("{\"writes\":%llu,\"reads\":%llu,\"syncs\":%llu,\"eio\":%llu,\"enospc\":%llu,"
		     "\"endedBy\":%d}\n",
		atomic_load(&j->writes), atomic_load(&j->reads), atomic_load(&j->syncs),
		atomic_load(&j->eio), atomic_load(&j->enospc), atomic_load(&j->ended_by));
	int r = state_io(state, true, j);
	return atomic_load(&j->broken) ? 1 : r;
}

struct verdict {
	unsigned long long promised, unanswered, newer, bad;
};

static void check_record(
	struct verdict *v, const struct job *j, uint64_t number, const uint8_t *record)
{
	const struct promise *p = &j->promises[number];
	uint32_t g;
	const char *what = wrong(&j->head, p, number, record, &g);

	if (what && v->bad++ < SAID_MAX)
		(void)fprintf(stderr, "record %llu: generation %u (%u to %u) %s\n",
			(unsigned long long)number, g, p->acked, p->tried, what);
	v->promised += p->acked > 0;
	v->unanswered += p->tried > p->acked;
	v->newer += p->acked > 0 && g > p->acked;
}

static int check_all(struct job *j, const char *state)
{
	static uint8_t buf[STRIPE * RECORD];
	struct verdict v = {0};
	int r = state_io(state, false, j);

	for (uint64_t i = 0; !r && i < j->head.records; i += STRIPE) {
		uint64_t count = stripe_len(j, i / STRIPE);
		ssize_t n = pread(j->fd, buf, count * RECORD, (off_t)(i * RECORD));
		if (n != (ssize_t)(count * RECORD)) {
			perror("read");
			r = 74;
			break;
		}
		for (uint64_t k = 0; k < count; k++)
			check_record(&v, j, i + k, buf + k * RECORD);
	}
	(void)printf("{\"records\":%llu,\"promised\":%llu,\"unanswered\":%llu,\"newer\":%llu,"
		     "\"wrong\":%llu}\n",
		(unsigned long long)j->head.records, v.promised, v.unanswered, v.newer, v.bad);
	return v.bad ? 1 : r;
}

int main(int argc, char **argv)
{
	static struct job j;
	bool write = argc == 6 && strcmp(argv[1], "write") == 0;
	bool check = argc == 4 && strcmp(argv[1], "check") == 0;

	if (write) {
		j.head.seed = strtoull(argv[4], NULL, 10);
		j.threads = (uint32_t)strtoul(argv[5], NULL, 10);
	}
	if ((!write && !check) || (write && (j.threads < 1 || j.threads > THREADS_MAX))) {
		(void)fprintf(stderr, "usage: stamped_blocks write FILE STATE SEED THREADS\n"
				      "       stamped_blocks check FILE STATE\n");
		return 64;
	}
	j.fd = open(argv[2], (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (j.fd < 0) {
		perror(argv[2]);
		return 66;
	}
	int r = write ? write_all(&j, argv[3]) : check_all(&j, argv[3]);
	free(j.promises);
	(void)close(j.fd);
	return r;
}
