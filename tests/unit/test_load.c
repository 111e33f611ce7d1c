// SPDX-License-Identifier: MIT
// The load of a rehearsal: that a store that lies is told from one that fails, and that no request
// is lost from the record.
#include "clock.h"
#include "fileio.h"
#include "load.h"
#include "load_block.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCKS 64u
#define SIZE ((uint64_t)BLOCKS * LOAD_BLOCK)
#define PATIENCE_MS 20000u

// The linker hands every whole read and write of this program to us: no file here fails on request.
int __real_pread_full(int fd, void *buf, size_t len, uint64_t off);
int __wrap_pread_full(int fd, void *buf, size_t len, uint64_t off);
int __real_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);
int __wrap_pwrite_full(int fd, const void *buf, size_t len, uint64_t off);

static struct {
	atomic_int read_error, write_error; // 0 none
	atomic_bool writes_land;	    // of those that fail
	atomic_bool lose_writes;	    // they are said to succeed
} store;

int __wrap_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	int e = atomic_load(&store.read_error);
	return e ? -e : __real_pread_full(fd, buf, len, off);
}

int __wrap_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	int e = atomic_load(&store.write_error);
	if (atomic_load(&store.lose_writes))
		return 0;
	int r = !e || atomic_load(&store.writes_land) ? __real_pwrite_full(fd, buf, len, off) : 0;
	return e ? -e : r;
}

struct ground {
	char path[64];
	int fd;
	struct load *load;
};

static uint64_t now_us(void)
{
	return clock_boot_ns(clock_real()) / 1000;
}

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));
	(void)snprintf(g->path, sizeof(g->path), "/tmp/test-load-XXXXXX");
	g->fd = mkstemp(g->path);
	atomic_store(&store.read_error, 0);
	atomic_store(&store.write_error, 0);
	atomic_store(&store.writes_land, false);
	atomic_store(&store.lose_writes, false);
	*state = g;
	return g->fd < 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;
	load_free(&g->load);
	(void)unlink(g->path);
	(void)close(g->fd);
	free(g);
	return 0;
}

static void start(struct ground *g, unsigned readers, unsigned writers)
{
	struct load_config c = {.path = g->path,
		.size = SIZE,
		.readers = readers,
		.writers = writers,
		.slice_us = 10000};
	struct errmsg err = {""};
	if (load_start(&c, &g->load, &err) < 0)
		fail_msg("%s", err.text);
}

static struct load_view view(struct ground *g)
{
	struct load_view v;
	load_view(g->load, &v);
	return v;
}

// Until the condition of the view v holds.
#define WAIT_FOR(g, v, condition)                                                       \
	do {                                                                            \
		uint64_t until_ = now_us() + PATIENCE_MS * 1000u;                       \
		while (load_view((g)->load, &(v)), !(condition)) {                      \
			if (now_us() > until_)                                          \
				fail_msg("not within %u ms: " #condition, PATIENCE_MS); \
			(void)usleep(1000);                                             \
		}                                                                       \
	} while (0)

static void verify(struct ground *g, uint64_t want_wrong)
{
	uint64_t verified, bad;
	struct errmsg err = {""};
	if (load_verify(g->load, &verified, &bad, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(bad, want_wrong);
	assert_int_equal(verified + bad, SIZE);
}

static void read_block(struct ground *g, uint64_t number, uint8_t *buf)
{
	assert_int_equal(__real_pread_full(g->fd, buf, LOAD_BLOCK, number * LOAD_BLOCK), 0);
}

static void write_block(struct ground *g, uint64_t number, const uint8_t *buf)
{
	assert_int_equal(__real_pwrite_full(g->fd, buf, LOAD_BLOCK, number * LOAD_BLOCK), 0);
	assert_int_equal(fdatasync(g->fd), 0);
}

static void a_good_store_is_found_good_and_nothing_is_lost_from_the_record(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	uint64_t before = now_us();
	start(g, 2, 2);
	WAIT_FOR(g, v, v.reads > 500 && v.writes > 500);
	verify(g, 0);
	load_view(g->load, &v);
	assert_int_equal(v.failed, 0);
	assert_int_equal(v.wrong, 0);
	assert_string_equal(v.errors, "");
	assert_int_equal(v.bytes_read, v.reads * LOAD_BLOCK);
	assert_int_equal(v.bytes_written, v.writes * LOAD_BLOCK);
	assert_int_equal(v.first_failed, 0);
	assert_int_equal(v.first_good, 0);
	assert_int_equal(v.last_good, v.last_ok_ended);
	assert_in_range(v.last_good, before, now_us());

	struct io_slice *slices autofree = NULL, sum = {0};
	size_t count;
	uint64_t first;
	assert_int_equal(load_slices(g->load, &slices, &count, &first), 0);
	for (size_t i = 0; i < count; i++) {
		sum.reads += slices[i].reads;
		sum.writes += slices[i].writes;
	}
	assert_int_equal(sum.reads, v.reads);
	assert_int_equal(sum.writes, v.writes);
	assert_in_range(v.last_ok_ended, first + (count - 1) * 10000, first + count * 10000 - 1);
}

static void a_corrupted_block_is_told(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	uint8_t buf[LOAD_BLOCK];
	start(g, 2, 0);
	read_block(g, 7, buf);
	buf[LOAD_BLOCK - 1] ^= 1;
	write_block(g, 7, buf);
	WAIT_FOR(g, v, v.wrong > 0);
	assert_string_equal(v.first_wrong, "block 7 holds no block of this load");
	verify(g, LOAD_BLOCK);
	assert_int_equal(view(g).wrong, 1);
}

static void a_stale_block_is_told(void **state)
{
	struct ground *g = *state;
	uint8_t buf[LOAD_BLOCK];
	start(g, 0, 2);
	load_release(g->load);
	read_block(g, 3, buf);
	struct load_block old, now = {0};
	assert_true(load_block_parse(buf, &old));
	assert_int_equal(load_reopen(g->load, NULL), 0);
	bool newer = false;
	while (!newer) {
		uint8_t fresh[LOAD_BLOCK];
		read_block(g, 3, fresh); // may meet a write
		newer = load_block_parse(fresh, &now) && now.generation > old.generation;
	}
	load_release(g->load);
	write_block(g, 3, buf);
	verify(g, LOAD_BLOCK);
	assert_non_null(strstr(view(g).first_wrong, "block 3 holds generation "));
}

static void a_write_that_is_lost_though_acknowledged_is_told(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	start(g, 2, 2);
	atomic_store(&store.lose_writes, true);
	WAIT_FOR(g, v, v.wrong > 0);
}

static void a_swapped_pair_is_told(void **state)
{
	struct ground *g = *state;
	uint8_t a[LOAD_BLOCK], b[LOAD_BLOCK];
	start(g, 1, 0);
	load_release(g->load);
	read_block(g, 10, a);
	read_block(g, 11, b);
	write_block(g, 10, b);
	write_block(g, 11, a);
	verify(g, 2 * LOAD_BLOCK);
	assert_string_equal(view(g).first_wrong,
		"block 10 holds generation 1 of block 11, expected its own 1 to 1");
}

static void a_block_of_an_earlier_load_is_told(void **state)
{
	struct ground *g = *state;
	uint8_t buf[LOAD_BLOCK];
	start(g, 1, 0);
	read_block(g, 5, buf);
	load_free(&g->load);
	start(g, 1, 0);
	write_block(g, 5, buf);
	verify(g, LOAD_BLOCK);
}

static void a_failed_write_may_have_landed_or_not(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	start(g, 2, 2);
	for (int land = 0; land < 2; land++) {
		uint64_t failed = view(g).failed;
		atomic_store(&store.writes_land, land);
		atomic_store(&store.write_error, ENOSPC);
		WAIT_FOR(g, v, v.failed > failed + 20);
		atomic_store(&store.write_error, 0);
	}
	verify(g, 0);
	assert_int_equal(view(g).wrong, 0);
}

// What is judged then is all that there was.
static void after_it_was_stopped_nothing_is_added(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	start(g, 2, 2);
	WAIT_FOR(g, v, v.reads > 20 && v.writes > 20);
	load_stop(g->load);
	load_view(g->load, &v);
	atomic_store(&store.write_error, EIO);
	atomic_store(&store.read_error, EIO);
	(void)usleep(20000);
	struct load_view later = view(g);
	assert_memory_equal(&later, &v, sizeof(v));
	atomic_store(&store.write_error, 0);
	atomic_store(&store.read_error, 0);
	verify(g, 0);
}

static void failures_are_counted_by_errno_and_timed(void **state)
{
	struct ground *g = *state;
	struct load_view v, w;
	start(g, 2, 2);
	WAIT_FOR(g, v, v.writes > 50);
	uint64_t before = now_us();
	atomic_store(&store.read_error, EIO);
	WAIT_FOR(g, v, v.failed > 10);
	assert_in_range(v.first_failed, before, now_us());
	assert_int_equal(strncmp(v.errors, "EIO ", 4), 0);
	atomic_store(&store.write_error, EIO);
	WAIT_FOR(g, w, w.failed > v.failed + 10);
	assert_int_equal(w.first_failed, v.first_failed);
	(void)usleep(50000); // what was begun before has ended
	load_view(g->load, &v);
	assert_int_equal(v.first_good, 0);
	uint64_t back = now_us();
	atomic_store(&store.read_error, 0);
	atomic_store(&store.write_error, 0);
	WAIT_FOR(g, v, v.first_good > 0);
	assert_in_range(v.first_good, back, now_us());
	assert_true(v.last_good_begun < v.first_failed);
	assert_true(v.longest_gap_us >= 50000);
	load_mark(g->load);
	WAIT_FOR(g, v, v.last_good > back);
	assert_int_equal(v.first_failed, 0);
	assert_int_equal(v.first_good, 0);
	assert_true(v.failed > 0);
}

static void a_released_file_is_not_touched_until_it_is_opened_again(void **state)
{
	struct ground *g = *state;
	struct load_view v;
	start(g, 2, 2);
	load_release(g->load);
	struct load_view before = view(g);
	char other[80];
	(void)snprintf(other, sizeof(other), "%s.moved", g->path);
	assert_int_equal(rename(g->path, other), 0);
	(void)usleep(30000);
	load_view(g->load, &v);
	assert_int_equal(
		v.reads + v.writes + v.failed, before.reads + before.writes + before.failed);
	struct errmsg err = {""};
	assert_int_equal(load_reopen(g->load, &err), -ENOENT);
	assert_non_null(strstr(err.text, g->path));
	assert_int_equal(rename(other, g->path), 0);
	assert_int_equal(load_reopen(g->load, NULL), 0);
	WAIT_FOR(g, v, v.writes > before.writes && v.reads > before.reads);
	verify(g, 0);
}

static void no_thread_goes_faster_than_it_may(void **state)
{
	struct ground *g = *state;
	struct load_config c = load_light;
	c.path = g->path;
	c.size = SIZE;
	c.slice_us = 1000000;
	assert_int_equal(load_start(&c, &g->load, NULL), 0);
	uint64_t began = now_us();
	struct load_view v;
	WAIT_FOR(g, v, v.reads + v.writes >= 20);
	assert_true(now_us() - began >= 4 * 20000);
}

static void a_load_that_cannot_be_is_refused(void **state)
{
	struct ground *g = *state;
	struct errmsg err = {""};
	struct load_config c = {.path = g->path, .size = SIZE + 1, .readers = 1, .slice_us = 1};
	assert_int_equal(load_start(&c, &g->load, &err), -EINVAL);
	c.size = LOAD_BLOCK;
	c.writers = 2;
	assert_int_equal(load_start(&c, &g->load, &err), -EINVAL);
	c.writers = 1;
	atomic_store(&store.write_error, ENOSPC);
	assert_int_equal(load_start(&c, &g->load, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "cannot be filled"));
	atomic_store(&store.write_error, 0);
	atomic_store(&store.lose_writes, true);
	assert_int_equal(ftruncate(g->fd, (off_t)SIZE), 0);
	assert_int_equal(load_start(&c, &g->load, &err), -EIO);
	assert_non_null(strstr(err.text, "not what was written"));
	assert_null(g->load);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_good_store_is_found_good_and_nothing_is_lost_from_the_record),
		TEST(a_corrupted_block_is_told),
		TEST(a_stale_block_is_told),
		TEST(a_write_that_is_lost_though_acknowledged_is_told),
		TEST(a_swapped_pair_is_told),
		TEST(a_block_of_an_earlier_load_is_told),
		TEST(a_failed_write_may_have_landed_or_not),
		TEST(after_it_was_stopped_nothing_is_added),
		TEST(failures_are_counted_by_errno_and_timed),
		TEST(a_released_file_is_not_touched_until_it_is_opened_again),
		TEST(no_thread_goes_faster_than_it_may),
		TEST(a_load_that_cannot_be_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
