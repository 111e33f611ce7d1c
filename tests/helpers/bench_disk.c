// SPDX-License-Identifier: MIT
// How fast is the disk without FUSE: GiB/s of disk_read and disk_write over a file in memory
// (memfd), beside the bare cipher call, and GiB per second of processor time with one thread, which
// says more on a machine that does other things too. Not a test.
// Usage: bench_disk [seconds per figure]
#include "cipher.h"
#include "clock.h"
#include "crew.h"
#include "disk.h"
#include "fileio.h"
#include "lease.h"
#include "scope.h"
#include "secret.h"
#include "store.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define DISK_BYTES (64ull << 20)
#define SECTOR 4096u
#define THREADS_MAX 8u

struct fdstore {
	struct store store;
	int fd;
};

static int fd_pread(struct store *s, void *buf, size_t len, uint64_t off)
{
	return pread_full(((struct fdstore *)s)->fd, buf, len, off);
}

static int fd_pwrite(struct store *s, const void *buf, size_t len, uint64_t off)
{
	return pwrite_full(((struct fdstore *)s)->fd, buf, len, off);
}

static const struct store_ops fd_ops = {.pread = fd_pread, .pwrite = fd_pwrite};

enum work { WORK_EVP, WORK_CIPHER, WORK_STORE, WORK_READ, WORK_WRITE };
static const char *const work_names[] = {
	"bare EVP", "cipher", "store pread", "disk read", "disk write"};

struct bench {
	struct disk *disk;
	struct store *store;
	struct cipher *cipher;
	const struct secret *dek;
	enum work work;
	size_t size;
	atomic_bool stop;
	atomic_uint_fast64_t bytes;
	atomic_uint next;
	struct timespec cpu_from, cpu_to; // processor time of the last figure
};

static void check(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "bench_disk: %s: %s\n", what, strerror(-r));
	exit(1);
}

static int one(struct bench *b, EVP_CIPHER_CTX *ctx, uint64_t off, uint8_t *buf)
{
	int n;
	switch (b->work) {
	case WORK_EVP: // one tweak for all: what `openssl speed` measures
		for (size_t i = 0; i < b->size; i += SECTOR)
			if (EVP_CipherUpdate(ctx, buf + i, &n, buf + i, (int)SECTOR) != 1)
				return -EIO;
		return 0;
	case WORK_CIPHER:
		return cipher_decrypt(b->cipher, off, buf, buf, b->size);
	case WORK_STORE:
		return store_pread(b->store, buf, b->size, off);
	case WORK_READ:
		return disk_read(b->disk, off, buf, b->size);
	default:
		return disk_write(b->disk, off, buf, b->size);
	}
}

static void *worker(void *arg)
{
	struct bench *b = arg;
	const uint64_t slots = DISK_BYTES / b->size;
	uint64_t at = atomic_fetch_add(&b->next, 1) * slots / THREADS_MAX, bytes = 0;
	uint8_t *buf = aligned_alloc(SECTOR, b->size);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!buf || !ctx)
		exit(1);
	memset(buf, 1, b->size);
	const uint8_t tweak[16] = {0};
	if (EVP_DecryptInit_ex2(ctx, EVP_aes_256_xts(), b->dek->data, tweak, NULL) != 1)
		exit(1);
	while (!atomic_load_explicit(&b->stop, memory_order_relaxed)) {
		check(one(b, ctx, at % slots * b->size, buf), "request");
		bytes += b->size;
		at += b->size == SECTOR ? 4099 : 1; // small requests jump about
	}
	atomic_fetch_add(&b->bytes, bytes);
	EVP_CIPHER_CTX_free(ctx);
	free(buf);
	return NULL;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static double figure(struct bench *b, unsigned threads, double seconds)
{
	pthread_t t[THREADS_MAX];
	struct timespec from, to;
	b->stop = false;
	b->bytes = 0;
	b->next = 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b->cpu_from);
	for (unsigned i = 0; i < threads; i++)
		check(-pthread_create(&t[i], NULL, worker, b), "thread");
	(void)usleep((useconds_t)(seconds * 1e6));
	b->stop = true;
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b->cpu_to);
	double took = seconds_between(&from, &to);
	return (double)b->bytes / took / (double)(1 << 30);
}

static void table(struct bench *b, double seconds)
{
	static const size_t sizes[] = {SECTOR, 128 << 10, 1 << 20};
	(void)printf(
		"%-12s %8s %10s %10s %10s\n", "GiB/s", "bytes", "1 thread", "2 threads", "cpu");
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		b->size = sizes[s];
		for (b->work = WORK_EVP; b->work <= WORK_WRITE; b->work++) {
			double one_thread = figure(b, 1, seconds);
			double cpu = (double)b->bytes / (double)(1 << 30) /
				     seconds_between(&b->cpu_from, &b->cpu_to);
			double two_threads = figure(b, 2, seconds);
			(void)printf("%-12s %8zu %10.2f %10.2f %10.2f\n", work_names[b->work],
				b->size, one_thread, two_threads, cpu);
		}
	}
}

static int make_key(void *ctx, const struct secret *dek, void **key)
{
	(void)ctx;
	return cipher_new(dek, SECTOR, (struct cipher **)key);
}

static void destroy_key(void **key)
{
	cipher_free((struct cipher **)key);
}

int main(int argc, char **argv)
{
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
	const unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	const struct clock_source *clock = clock_real();
	const struct lease_policy policy = {
		.grace_denied_ms = 3600000, .grace_unreachable_ms = 3600000};
	const struct lease_key_ops ops = {make_key, destroy_key, NULL};
	struct lease_verdict granted = {.verdict = CMK_GRANTED};
	struct fdstore store = {.store = {&fd_ops}, .fd = memfd_create("bench", MFD_CLOEXEC)};
	struct secret *dek scoped(secret_free) = NULL;
	struct lease *lease scoped(lease_free) = NULL;
	struct crew *crew scoped(crew_free) = NULL;
	struct disk *disk scoped(disk_free) = NULL;
	struct cipher *cipher scoped(cipher_free) = NULL;
	uint8_t *zeros autofree = calloc(1, 1 << 20);

	check(cipher_init_process(), "cipher_init_process");
	check(secret_random(CIPHER_KEY_LEN, &dek), "secret_random");
	check(cipher_new(dek, SECTOR, &cipher), "cipher_new");
	check(lease_new(clock, &policy, &ops, NULL, NULL, &lease), "lease_new");
	granted.asked_ns = clock_boot_ns(clock);
	check(lease_unlock(lease, dek, &granted, true), "lease_unlock");
	check(crew_new(cpus - 1, &crew), "crew_new");
	for (uint64_t off = 0; off < DISK_BYTES; off += 1 << 20)
		check(pwrite_full(store.fd, zeros, 1 << 20, off), "memfd");
	const struct disk_config config = {.store = &store.store,
		.lease = lease,
		.crew = crew,
		.size = DISK_BYTES,
		.sector_size = SECTOR};
	check(disk_new(&config, &disk), "disk_new");
	struct bench b = {.disk = disk, .store = &store.store, .cipher = cipher, .dek = dek};
	table(&b, seconds);
	(void)close(store.fd);
	return 0;
}
