// SPDX-License-Identifier: MIT
// The operations of the file store: nothing that it says is untrue.
#include "scope.h"
#include "store.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

// The linker hands every fdatasync() of this program to us.
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static struct {
	atomic_int calls;
	atomic_int fail; // errno for the next calls
	atomic_bool hold;
	sem_t entered, go;
} sync_probe;

int __wrap_fdatasync(int fd)
{
	atomic_fetch_add(&sync_probe.calls, 1);
	if (atomic_load(&sync_probe.hold)) {
		(void)sem_post(&sync_probe.entered);
		(void)sem_wait(&sync_probe.go);
	}
	errno = atomic_load(&sync_probe.fail);
	return errno ? -1 : __real_fdatasync(fd);
}

static void what_was_written_is_read_and_the_size_is_told(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = NULL;
	struct errmsg err;
	char buf[4] = "";
	uint64_t size = 0;
	int fd = -1;

	assert_int_equal(store_file_open(f->path, false, &s, &fd, &err), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(store_size(s, &size), 0);
	assert_int_equal(size, SIZE);
	assert_int_equal(store_pwrite(s, "abcd", 4, SIZE - 4), 0);
	assert_int_equal(store_pread(s, buf, 4, SIZE - 4), 0);
	assert_memory_equal(buf, "abcd", 4);
	assert_int_equal(store_flush(s), 0);
	assert_int_equal(atomic_load(&sync_probe.calls), 1);
}

static void a_read_only_store_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = NULL;
	char c;

	assert_int_equal(store_file_open(f->path, true, &s, NULL, NULL), 0);
	assert_int_equal(store_pread(s, &c, 1, 0), 0);
	assert_int_equal(store_pwrite(s, "x", 1, 0), -EROFS);
	assert_int_equal(store_discard(s, 0, 4096), -EROFS);
	assert_int_equal(store_allocate(s, 0, 4096), -EROFS);
	assert_int_equal(store_flush(s), 0);
}

static void a_file_cut_off_under_us_is_an_error_and_is_not_grown(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);
	struct stat st;
	char buf[8192];

	memset(buf, 7, sizeof buf);
	assert_int_equal(store_pread(s, buf, 8192, SIZE - 8192), 0);
	assert_int_equal(store_pwrite(s, buf, 8192, SIZE - 8192), 0);
	assert_int_equal(truncate(f->path, SIZE - 4096), 0);
	(void)usleep(40000); // for writes a size seen just now holds for 20 ms
	assert_int_equal(store_pread(s, buf, 8192, SIZE - 8192), -EIO);
	assert_int_equal(store_pread(s, buf, 4096, SIZE - 4096), -EIO);
	assert_int_equal(store_pwrite(s, buf, 8192, SIZE - 8192), -EIO);
	assert_int_equal(store_pwrite(s, buf, 4096, SIZE - 4096), -EIO);
	assert_int_equal(store_pwrite(s, buf, 4096, UINT64_MAX), -EIO);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, SIZE - 4096);
	assert_int_equal(store_pwrite(s, buf, 4096, SIZE - 8192), 0); // what is left can be used
}

static void after_a_failed_flush_none_succeeds_again(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);

	assert_int_equal(store_flush(s), 0);
	atomic_store(&sync_probe.fail, ENOSPC);
	assert_int_equal(store_flush(s), -ENOSPC); // the first failure as it is
	atomic_store(&sync_probe.fail, 0);
	assert_int_equal(store_flush(s), -EIO);
	assert_int_equal(store_pwrite(s, "x", 1, 0), 0);
	assert_int_equal(store_flush(s), -EIO);
	store_close(&s);
	s = open_rw(f->path); // a new start
	assert_int_equal(store_flush(s), 0);
}

static void *flush_thread(void *arg)
{
	return (void *)(intptr_t)store_flush(arg);
}

static void a_flush_that_waited_for_a_failing_one_fails_too(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);
	pthread_t t[4];
	void *rc;

	atomic_store(&sync_probe.hold, true);
	atomic_store(&sync_probe.fail, EIO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, flush_thread, s), 0);
	(void)sem_wait(&sync_probe.entered);
	(void)sem_post(&sync_probe.go);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], &rc), 0);
		assert_int_equal((intptr_t)rc, -EIO);
	}
	assert_int_equal(atomic_load(&sync_probe.calls), 1);
}

static void *write_and_flush(void *arg)
{
	struct store *s = arg;

	for (unsigned i = 0; i < 200; i++)
		if (store_pwrite(s, "y", 1, i) < 0 || store_flush(s) < 0)
			return s;
	return NULL;
}

static void parallel_flushes_all_succeed(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);
	pthread_t t[4];
	void *rc;

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, write_and_flush, s), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], &rc), 0);
		assert_null(rc);
	}
	assert_in_range(atomic_load(&sync_probe.calls), 200, 800);
}

static void discard_frees_space_and_leaves_zeros_and_the_size(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);
	autofree uint8_t *buf = malloc(SIZE);
	struct stat before, after;

	memset(buf, 0xa5, SIZE);
	assert_int_equal(store_pwrite(s, buf, SIZE, 0), 0);
	assert_int_equal(store_flush(s), 0);
	assert_int_equal(stat(f->path, &before), 0);
	int rc = store_discard(s, 0, SIZE / 2);
	if (rc == -EOPNOTSUPP)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(store_discard(s, 0, 0), 0);
	assert_int_equal(store_discard(s, UINT64_MAX - 5, 10), -EINVAL);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(before.st_blocks > after.st_blocks);
	assert_int_equal(after.st_size, SIZE);
	assert_int_equal(store_pread(s, buf, SIZE, 0), 0);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(buf[i], i < SIZE / 2 ? 0 : 0xa5);
}

static void allocate_reserves_space_and_keeps_the_size(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);
	struct stat before, after;

	assert_int_equal(stat(f->path, &before), 0);
	int rc = store_allocate(s, 0, SIZE);
	if (rc == -EOPNOTSUPP)
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(store_allocate(s, SIZE, SIZE), 0);
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_blocks > before.st_blocks);
	assert_int_equal(after.st_size, SIZE);
}

static int setup(void **state)
{
	atomic_store(&sync_probe.calls, 0);
	atomic_store(&sync_probe.fail, 0);
	atomic_store(&sync_probe.hold, false);
	return fixture_setup(state);
}

#define FLUSH_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLUSH_TEST(what_was_written_is_read_and_the_size_is_told),
		FLUSH_TEST(a_read_only_store_changes_nothing),
		FLUSH_TEST(a_file_cut_off_under_us_is_an_error_and_is_not_grown),
		FLUSH_TEST(after_a_failed_flush_none_succeeds_again),
		FLUSH_TEST(a_flush_that_waited_for_a_failing_one_fails_too),
		FLUSH_TEST(parallel_flushes_all_succeed),
		FLUSH_TEST(discard_frees_space_and_leaves_zeros_and_the_size),
		FLUSH_TEST(allocate_reserves_space_and_keeps_the_size),
	};
	(void)sem_init(&sync_probe.entered, 0, 0);
	(void)sem_init(&sync_probe.go, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
