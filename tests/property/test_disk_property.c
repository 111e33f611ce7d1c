// SPDX-License-Identifier: MIT
// The disk against a plain array. Several threads make random requests; meanwhile the lease stops
// and comes back, and between rounds the disk is reopened.
//
// own bytes: each thread writes and reads bytes that no other touches, but the stripes begin and
//   end inside sectors, so that threads meet in sectors all the time. A model array says what each
//   byte must be. A request refused by the lease is made again: its bytes are undefined till then.
// shared sectors: all threads stamp ranges of whole sectors with who and when. Readers must find
//   each sector of one piece; in the end each must hold the last stamp that somebody gave it.
//
// CMKDISK_SEED=n repeats a run, CMKDISK_ROUNDS=n makes it longer.
#include "cipher.h"
#include "disk_rig.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THREADS 4u
#define SIZE (3u << 20)
#define NOISE (2u * DISK_IO_MAX)
#define STRIPE_SLACK 1234u // stripes are not aligned to anything
#define REQUESTS 300u
#define STOPS 12u

struct actor {
	struct disk_rig *rig;
	unsigned who;
	uint64_t random;
	uint64_t from, to; // own bytes
	uint8_t *model;	   // of the whole disk; only own bytes are touched
	uint8_t *buf;
	const uint8_t *noise; // where data to write comes from: NOISE bytes
	uint32_t *stamps;     // per sector: when this actor stamped it last
	uint32_t now;
	pthread_t thread;
};

// In a thread that is not the test's own: a failed check says where and ends the program.
#define require(a, cond)                                                                       \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			(void)fprintf(                                                         \
				stderr, "line %d: actor %u: " #cond "\n", __LINE__, (a)->who); \
			abort();                                                               \
		}                                                                              \
	} while (0)

// splitmix64
static uint64_t next(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *s, uint64_t n)
{
	return next(s) % n;
}

// Many small ones, some that span pieces, few of the largest size.
static size_t some_length(uint64_t *s, uint64_t most)
{
	static const uint64_t scales[] = {16, 600, 4097, 9000, 70000, 300000, DISK_IO_MAX + 1};
	uint64_t len = below(s, scales[below(s, sizeof(scales) / sizeof(scales[0]))]);
	if (len > DISK_IO_MAX)
		len = DISK_IO_MAX;
	return (size_t)(len < most ? len : most);
}

enum kind { READ, WRITE, ZERO };

// Until the lease allows it.
static void request(struct actor *a, enum kind kind, uint64_t off, size_t len)
{
	for (;;) {
		struct disk *d = a->rig->disk;
		int r = kind == READ	? disk_read(d, off, a->buf, len)
			: kind == WRITE ? disk_write(d, off, a->buf, len)
					: disk_zero(d, off, len);
		if (r == 0)
			return;
		require(a, r == -EIO);
		(void)sched_yield();
	}
}

static void own_request(struct actor *a)
{
	uint64_t off = a->from + below(&a->random, a->to - a->from);
	size_t len = some_length(&a->random, a->to - off);
	uint64_t what = below(&a->random, 8);
	if (what < 3) {
		request(a, READ, off, len);
		require(a, memcmp(a->buf, a->model + off, len) == 0);
		return;
	}
	if (what == 7 && a->rig->config.thin) {
		request(a, ZERO, off, len);
		memset(a->model + off, 0, len);
		return;
	}
	memcpy(a->buf, a->noise + below(&a->random, NOISE - DISK_IO_MAX), len);
	request(a, WRITE, off, len);
	memcpy(a->model + off, a->buf, len);
}

static void *act_alone(void *arg)
{
	struct actor *a = arg;
	for (unsigned i = 0; i < REQUESTS; i++)
		own_request(a);
	return NULL;
}

static uint64_t stamp_of(const struct actor *a)
{
	return ((uint64_t)(a->who + 1) << 32) | a->now;
}

static void stamp(struct actor *a, uint64_t off, size_t len)
{
	a->now++;
	uint64_t *words = (uint64_t *)(void *)a->buf;
	for (size_t i = 0; i < len / sizeof(*words); i++)
		words[i] = stamp_of(a);
	request(a, WRITE, off, len);
	for (size_t i = 0; i < len; i += a->rig->sector_size)
		a->stamps[(off + i) / a->rig->sector_size] = a->now;
}

// The stamp of a sector, which must be the same all over it.
static uint64_t stamp_in(struct actor *a, const uint8_t *sector)
{
	uint64_t first;
	const size_t rest = a->rig->sector_size - sizeof(first);
	memcpy(&first, sector, sizeof(first));
	require(a, memcmp(sector, sector + sizeof(first), rest) == 0);
	return first;
}

static void *act_together(void *arg)
{
	struct actor *a = arg;
	const uint32_t sector = a->rig->sector_size;
	for (unsigned i = 0; i < REQUESTS; i++) {
		// Half of the requests meet in a quarter of a MiB.
		uint64_t room = below(&a->random, 2) ? SIZE : 256u << 10;
		uint64_t off = below(&a->random, room / sector) * sector;
		size_t len = some_length(&a->random, SIZE - off) / sector * sector;
		if (below(&a->random, 2)) {
			stamp(a, off, len);
			continue;
		}
		request(a, READ, off, len);
		for (size_t at = 0; at < len; at += sector)
			(void)stamp_in(a, a->buf + at);
	}
	return NULL;
}

static uint64_t seed(void)
{
	static uint64_t chosen; // one for the whole run
	const char *given = getenv("CMKDISK_SEED");
	if (chosen)
		return chosen;
	chosen = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	print_message("repeat with CMKDISK_SEED=%" PRIu64 "\n", chosen);
	return chosen;
}

static unsigned rounds(void)
{
	const char *given = getenv("CMKDISK_ROUNDS");
	return given ? (unsigned)strtoul(given, NULL, 10) : 3;
}

static uint8_t *noise_new(void)
{
	uint64_t s = ~seed(), *words = malloc(NOISE);
	assert_non_null(words);
	for (size_t i = 0; i < NOISE / sizeof(*words); i++)
		words[i] = next(&s);
	return (uint8_t *)words;
}

static void actors_make(struct actor *actors, struct disk_rig *rig, uint8_t *model)
{
	const uint64_t stripe = SIZE / THREADS;
	const uint8_t *noise = noise_new();
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){
			.rig = rig,
			.who = i,
			.random = seed() * THREADS + i,
			.from = i == 0 ? 0 : i * stripe + STRIPE_SLACK * i,
			.to = i == THREADS - 1 ? SIZE : (i + 1) * stripe + STRIPE_SLACK * (i + 1),
			.model = model,
			.buf = malloc(DISK_IO_MAX),
			.stamps = calloc(SIZE / rig->sector_size, sizeof(uint32_t)),
		};
		assert_true(actors[i].buf && actors[i].stamps);
		actors[i].noise = noise;
	}
}

static void actors_free(struct actor *actors)
{
	free((void *)(uintptr_t)actors[0].noise);
	for (unsigned i = 0; i < THREADS; i++) {
		free(actors[i].buf);
		free(actors[i].stamps);
	}
}

static uint64_t refused(struct disk_rig *rig)
{
	struct disk_counters c;
	disk_counters(rig->disk, &c);
	return c.refused;
}

static void stop(struct disk_rig *rig, unsigned turn)
{
	if (turn % 2)
		lease_lock(rig->lease, "locked by a test");
	else
		rig_wait_ms(rig, RIG_GRACE_MS);
	(void)lease_tick(rig->lease);
	rig_wait_ms(rig, 1);
}

// Runs all actors, and stops and restarts the lease under them. They begin with it stopped, so
// that at least one stop has certainly been met.
static void play(struct actor *actors, void *(*act)(void *))
{
	struct disk_rig *rig = actors[0].rig;
	stop(rig, 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&actors[i].thread, NULL, act, &actors[i]), 0);
	while (refused(rig) < THREADS)
		(void)sched_yield();
	rig_unlock(rig);
	for (unsigned i = 1; i < STOPS; i++) {
		unsigned before = rig->mem->calls[MEM_PREAD];
		for (unsigned k = 0; k < 2000 && rig->mem->calls[MEM_PREAD] < before + 20; k++)
			(void)sched_yield();
		uint64_t met = refused(rig);
		stop(rig, i);
		for (unsigned k = 0; k < 200 && refused(rig) == met; k++)
			(void)sched_yield();
		rig_unlock(rig);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(actors[i].thread, NULL), 0);
}

static void assert_disk_is(struct disk_rig *rig, const uint8_t *model)
{
	uint8_t *got autofree = malloc(DISK_IO_MAX);
	for (uint64_t off = 0; off < SIZE; off += DISK_IO_MAX) {
		assert_int_equal(disk_read(rig->disk, off, got, DISK_IO_MAX), 0);
		assert_memory_equal(got, model + off, DISK_IO_MAX);
	}
}

static void zero_fill(struct disk_rig *rig)
{
	uint8_t *zeros autofree = calloc(1, DISK_IO_MAX);
	for (uint64_t off = 0; off < SIZE; off += DISK_IO_MAX)
		assert_int_equal(disk_write(rig->disk, off, zeros, DISK_IO_MAX), 0);
}

static void threads_with_bytes_of_their_own_agree_with_an_array(void **state)
{
	struct disk_rig *rig = *state;
	struct actor actors[THREADS];
	uint8_t *model autofree = calloc(1, SIZE);
	actors_make(actors, rig, model);
	if (!rig->config.thin) // a thin one reads as zeros from the start
		zero_fill(rig);
	for (unsigned round = 0; round < rounds(); round++) {
		play(actors, act_alone);
		assert_disk_is(rig, model);
		rig_reopen(rig);
		assert_disk_is(rig, model);
	}
	actors_free(actors);
}

static void the_last_writer_of_each_sector_wins(void **state)
{
	struct disk_rig *rig = *state;
	struct actor actors[THREADS];
	uint8_t *got autofree = malloc(DISK_IO_MAX);
	actors_make(actors, rig, NULL);
	zero_fill(rig);
	for (unsigned round = 0; round < rounds(); round++) {
		play(actors, act_together);
		rig_reopen(rig);
		for (uint64_t off = 0; off < SIZE; off += DISK_IO_MAX) {
			assert_int_equal(disk_read(rig->disk, off, got, DISK_IO_MAX), 0);
			for (size_t at = 0; at < DISK_IO_MAX; at += rig->sector_size) {
				uint64_t s = stamp_in(&actors[0], got + at);
				uint64_t n = (off + at) / rig->sector_size, who = s >> 32;
				assert_true(who <= THREADS);
				for (unsigned i = 0; i < THREADS && who == 0; i++)
					assert_int_equal(actors[i].stamps[n], 0);
				if (who)
					assert_int_equal(actors[who - 1].stamps[n], (uint32_t)s);
			}
		}
	}
	actors_free(actors);
}

// A disk that loses one write must not pass: the predicates can fail.
static void a_lost_write_is_noticed(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t *got autofree = malloc(DISK_IO_MAX), *model autofree = calloc(1, SIZE);
	uint8_t old[4096];
	zero_fill(rig);
	memcpy(old, rig_ciphertext(rig, 8192), sizeof(old));
	memset(got, 1, 4096);
	assert_int_equal(disk_write(rig->disk, 8192, got, 4096), 0);
	memset(model + 8192, 1, 4096);
	assert_disk_is(rig, model);
	memcpy(rig_ciphertext(rig, 8192), old, sizeof(old));
	assert_int_equal(disk_read(rig->disk, 0, got, DISK_IO_MAX), 0);
	assert_memory_not_equal(got, model, DISK_IO_MAX);
}

static int rig_up(void **state, uint32_t sector, bool thin, unsigned helpers)
{
	*state = rig_new(SIZE, sector, thin, helpers);
	return 0;
}

static int plain_4096(void **state)
{
	return rig_up(state, 4096, false, 3);
}

static int plain_512(void **state)
{
	return rig_up(state, 512, false, 0);
}

static int thin_4096(void **state)
{
	return rig_up(state, 4096, true, 0);
}

static int thin_512(void **state)
{
	return rig_up(state, 512, true, 7);
}

static int rig_down(void **state)
{
	rig_free((struct disk_rig **)state);
	return 0;
}

#define ON(rig, f)                                       \
	{                                                \
#f " [" #rig "]", f, rig, rig_down, NULL \
	}
#define ON_ALL(f) ON(plain_4096, f), ON(plain_512, f), ON(thin_4096, f), ON(thin_512, f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(plain_4096, a_lost_write_is_noticed),
		ON_ALL(threads_with_bytes_of_their_own_agree_with_an_array),
		ON_ALL(the_last_writer_of_each_sector_wins),
	};
	if (cipher_init_process())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
