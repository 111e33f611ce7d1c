// SPDX-License-Identifier: MIT
// The disk when the store fails or hangs, when the lease stops, and when requests meet.
#include "cipher.h"
#include "disk_case.h"
#include "memscan.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// Fails every call of the store in turn and looks at what is left.
static void fail_each(
	struct disk_rig *rig, enum memstore_op op, uint64_t off, size_t len, bool write)
{
	uint8_t *model autofree = case_pattern(CASE_SIZE, 0), *buf autofree = malloc(CASE_LARGE);
	unsigned failures = 0;
	case_fill(rig, model);
	for (;; failures++) {
		struct disk_counters before = case_counters(rig);
		memset(buf, 0x5c, len);
		memstore_fail(rig->mem, op, failures, write ? ENOSPC : ENXIO);
		int r = write ? disk_write(rig->disk, off, buf, len)
			      : disk_read(rig->disk, off, buf, len);
		if (!memstore_failed(rig->mem)) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, write ? -ENOSPC : -ENXIO);
		assert_int_equal(case_counters(rig).store_errors, before.store_errors + 1);
		assert_int_equal(case_counters(rig).last_store_error, -r);
		case_assert_all(buf, write ? 0x5c : 0, len);
		if (!write)
			continue;
		// Neighbours outside the sectors written are as they were; the same write succeeds.
		uint64_t from = off / 4096 * 4096, to = (off + len + 4095) / 4096 * 4096;
		assert_int_equal(disk_read(rig->disk, from - 4096, buf, 4096), 0);
		assert_memory_equal(buf, model + from - 4096, 4096);
		assert_int_equal(disk_read(rig->disk, to, buf, 4096), 0);
		assert_memory_equal(buf, model + to, 4096);
		case_fill(rig, model);
	}
	assert_true(failures > 0); // the loop did meet the failure
	memstore_fail(rig->mem, MEM_OPS, 0, 0);
	if (write)
		memset(model + off, 0x5c, len);
	case_assert_disk(rig, model);
}

static void each_failure_of_the_store_reaches_the_caller(void **state)
{
	struct disk_rig *rig = *state;
	fail_each(rig, MEM_PREAD, 8192, 4096, false);
	fail_each(rig, MEM_PREAD, 8200, 300000, false);
	fail_each(rig, MEM_PREAD, 8200, 300000, true);
	fail_each(rig, MEM_PWRITE, 8192, 4096, true);
	fail_each(rig, MEM_PWRITE, 8200, 300000, true);
	fail_each(rig, MEM_PWRITE, 65536, CASE_LARGE, true);
	fail_each(rig, MEM_PREAD, 65536, CASE_LARGE, false);
}

static void a_failed_merge_leaves_the_sector_as_it_was(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t *model autofree = case_pattern(CASE_SIZE, 0);
	case_fill(rig, model);
	memstore_fail(rig->mem, MEM_PREAD, 0, EIO);
	assert_int_equal(disk_write(rig->disk, 100, model + 900, 10), -EIO);
	assert_true(memstore_failed(rig->mem));
	case_assert_disk(rig, model);
}

static void a_flush_that_fails_tells_the_caller(void **state)
{
	struct disk_rig *rig = *state;
	assert_int_equal(disk_flush(rig->disk), 0);
	assert_int_equal(case_counters(rig).flushes, 1);
	memstore_fail(rig->mem, MEM_FLUSH, 0, EDQUOT);
	assert_int_equal(disk_flush(rig->disk), -EDQUOT);
	assert_int_equal(case_counters(rig).flushes, 1);
	assert_int_equal(rig->mem->calls[MEM_FLUSH], 2);
}

static void a_store_that_became_shorter_is_an_error_at_its_end_only(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t buf[4096];
	rig->mem->size = RIG_OFFSET + CASE_SIZE / 2;
	assert_int_equal(disk_read(rig->disk, 0, buf, sizeof(buf)), 0);
	assert_int_equal(disk_read(rig->disk, CASE_SIZE / 2, buf, sizeof(buf)), -EIO);
	assert_int_equal(case_counters(rig).last_store_error, EIO);
	assert_int_equal(disk_write(rig->disk, CASE_SIZE / 2, buf, sizeof(buf)), -ENOSPC);
	rig->mem->size = RIG_OFFSET + CASE_SIZE;
}

static void a_read_only_disk_refuses_every_change(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t buf[512] = {1};
	assert_int_equal(disk_write(rig->disk, 512, buf, sizeof(buf)), 0);
	rig_read_only(rig);
	assert_true(disk_read_only(rig->disk));
	unsigned writes = rig->mem->calls[MEM_PWRITE];
	assert_int_equal(disk_write(rig->disk, 0, buf, sizeof(buf)), -EROFS);
	assert_int_equal(disk_zero(rig->disk, 0, 4096), -EROFS);
	assert_int_equal(disk_allocate(rig->disk, 0, 4096), -EROFS);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(disk_read(rig->disk, 512, buf, sizeof(buf)), 0);
	assert_int_equal(buf[0], 1);
	assert_int_equal(rig->mem->calls[MEM_PWRITE], writes);
}

static void a_stopped_disk_fails_without_touching_the_store(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t buf[4096] = {0};
	assert_int_equal(disk_check(rig->disk), 0);
	assert_int_equal(disk_open_status(rig->disk), 0);
	rig_wait_ms(rig, RIG_GRACE_MS);
	assert_int_equal(disk_read(rig->disk, 0, buf, sizeof(buf)), -EIO);
	assert_int_equal(disk_write(rig->disk, 0, buf, sizeof(buf)), -EIO);
	assert_int_equal(disk_flush(rig->disk), -EIO);
	assert_int_equal(disk_allocate(rig->disk, 0, 4096), -EIO);
	assert_int_equal(disk_check(rig->disk), -EIO);
	assert_true(disk_open_status(rig->disk) < 0);
	assert_int_equal(case_store_calls(rig), 0);
	assert_int_equal(case_counters(rig).refused, 4);
	assert_int_equal(case_counters(rig).store_errors, 0);
	rig_unlock(rig);
	assert_int_equal(disk_read(rig->disk, 0, buf, sizeof(buf)), 0);
	assert_int_equal(disk_open_status(rig->disk), 0);
}

// Locks the lease when the store has been called often enough.
struct saboteur {
	struct disk_rig *rig;
	int calls;
};

static void lock_the_lease(void *ctx)
{
	struct saboteur *s = ctx;
	if (s->calls-- == 0)
		lease_lock(s->rig->lease, "locked by a test");
}

static void end_the_grace(void *ctx)
{
	struct saboteur *s = ctx;
	if (s->calls-- == 0)
		rig_wait_ms(s->rig, RIG_GRACE_MS);
}

static void stop_within(struct disk_rig *rig, void (*spy)(void *), int after, bool write)
{
	uint8_t *buf autofree = case_pattern(CASE_LARGE, 3);
	struct saboteur s = {rig, after};
	struct lease_view view;
	uint64_t refused = case_counters(rig).refused;
	rig->mem->spy = spy;
	rig->mem->spy_ctx = &s;
	int r = write ? disk_write(rig->disk, 4096, buf, CASE_LARGE)
		      : disk_read(rig->disk, 4096, buf, CASE_LARGE);
	rig->mem->spy = NULL;
	assert_int_equal(r, -EIO);
	assert_true(s.calls < 0);
	assert_int_equal(case_counters(rig).refused, refused + 1);
	if (!write)
		case_assert_all(buf, 0, CASE_LARGE);
	lease_view(rig->lease, &view);
	assert_false(view.key_present);
	rig_wait_ms(rig, 1);
	rig_unlock(rig);
}

static void a_stop_during_a_request_fails_it(void **state)
{
	struct disk_rig *rig = *state;
	for (int after = 0; after < 8; after++) {
		stop_within(rig, lock_the_lease, after, false);
		stop_within(rig, lock_the_lease, after, true);
		stop_within(rig, end_the_grace, after, false);
		stop_within(rig, end_the_grace, after, true);
	}
	assert_int_equal(case_counters(rig).store_errors, 0);
}

static void a_write_whose_store_hung_beyond_the_deadline_is_no_success(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t buf[4096] = {1};
	struct saboteur s = {rig, 0};
	assert_int_equal(disk_write(rig->disk, 0, buf, sizeof(buf)), 0);
	rig->mem->spy = end_the_grace;
	rig->mem->spy_ctx = &s;
	assert_int_equal(disk_write(rig->disk, 0, buf, sizeof(buf)), -EIO);
	rig->mem->spy = NULL;
	assert_int_equal(rig->mem->calls[MEM_PWRITE], 2); // it was in the store all the same
}

struct request {
	struct disk *disk;
	uint64_t off;
	size_t len;
	bool write;
	uint8_t fill;
	int result;
	pthread_t thread;
};

static void *carry_out(void *arg)
{
	struct request *q = arg;
	uint8_t *buf autofree = malloc(q->len);
	memset(buf, q->fill, q->len);
	q->result = q->write ? disk_write(q->disk, q->off, buf, q->len)
			     : disk_read(q->disk, q->off, buf, q->len);
	return NULL;
}

static void start(struct request *q)
{
	q->result = 1;
	assert_int_equal(pthread_create(&q->thread, NULL, carry_out, q), 0);
}

static int result(struct request *q)
{
	assert_int_equal(pthread_join(q->thread, NULL), 0);
	return q->result;
}

static void a_hung_store_does_not_keep_the_key_in_memory(void **state)
{
	struct disk_rig *rig = *state;
	struct lease_view view;
	struct request reads = {.disk = rig->disk, .off = 0, .len = 4096};
	struct request writes = {.disk = rig->disk, .off = 8192, .len = 4096, .write = true};
	struct request merges = {.disk = rig->disk, .off = 16385, .len = 9, .write = true};
	struct masked half;
	mask(&half, rig->dek->data, CIPHER_KEY_LEN / 2);
	size_t ours = memscan_count(&half); // the rig's own, and the cipher's
	memstore_hold(rig->mem, MEM_PREAD);
	memstore_hold(rig->mem, MEM_PWRITE);
	start(&reads);
	start(&writes);
	start(&merges);
	memstore_wait_hanging(rig->mem, 3);
	lease_lock(rig->lease, "locked by a test"); // returns while all three hang
	lease_view(rig->lease, &view);
	assert_false(view.key_present);
	assert_true(ours > 1);
	assert_int_equal(memscan_count(&half), 1);
	memstore_release(rig->mem);
	assert_int_equal(result(&reads), -EIO);
	assert_int_equal(result(&writes), -EIO);
	assert_int_equal(result(&merges), -EIO);
}

// As result(), within ten seconds.
static int prompt_result(struct request *q)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	assert_int_equal(pthread_timedjoin_np(q->thread, NULL, &until), 0);
	return q->result;
}

#define MANY_WRITES 100u // more than a process has threads to serve them

static void a_hung_store_takes_nothing_from_the_other_disks(void **state)
{
	struct disk_rig *rig = *state;
	struct disk_rig *other = rig_new(CASE_SIZE, 4096, false, 0);
	struct request hang[MANY_WRITES];
	struct request q = {.disk = NULL};
	other->config.crew = rig->crew; // as all disks of a process
	rig_reopen(other);
	memstore_hold(rig->mem, MEM_PWRITE);
	for (unsigned i = 0; i < MANY_WRITES; i++) {
		hang[i] = (struct request){
			.disk = rig->disk, .off = i * 4096, .len = 4096, .write = true, .fill = 7};
		start(&hang[i]);
	}
	memstore_wait_hanging(rig->mem, 16);
	for (unsigned i = 0; i < 4; i++) { // whole and partial sectors, written and read
		q = (struct request){
			.disk = other->disk, .off = 4096, .len = i & 1 ? 5 : 4096, .write = i & 2};
		start(&q);
		assert_int_equal(prompt_result(&q), 0);
	}
	memstore_wait_hanging(rig->mem, MANY_WRITES);
	memstore_release(rig->mem);
	for (unsigned i = 0; i < MANY_WRITES; i++)
		assert_int_equal(result(&hang[i]), 0);
	rig_free(&other);
}

static void disjoint_requests_run_in_parallel_and_conflicting_ones_wait(void **state)
{
	struct disk_rig *rig = *state;
	struct request q[4] = {
		{.disk = rig->disk, .off = 0, .len = 4096, .write = true, .fill = 1},
		{.disk = rig->disk, .off = 4096, .len = 4096, .write = true, .fill = 2},
		{.disk = rig->disk, .off = 1, .len = 1, .write = true, .fill = 3},
		{.disk = rig->disk, .off = 8192, .len = 4096},
	};
	uint8_t buf[2];
	memstore_hold(rig->mem, MEM_PWRITE);
	start(&q[0]);
	start(&q[1]);
	memstore_wait_hanging(rig->mem, 2);
	start(&q[2]); // waits for q[0]: it must not read what q[0] is about to replace
	start(&q[3]);
	assert_int_equal(result(&q[3]), 0);
	memstore_release(rig->mem);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(result(&q[i]), 0);
	assert_int_equal(disk_read(rig->disk, 0, buf, 2), 0);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[1], 3);
}

static void writers_of_different_bytes_of_one_sector_all_win(void **state)
{
	struct disk_rig *rig = *state;
	struct request q[16];
	uint8_t got[1600];
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 16; i++) {
			q[i] = (struct request){.disk = rig->disk,
				.off = 4000 + i * 100,
				.len = 100,
				.write = true,
				.fill = (uint8_t)(i + round + 1)};
			start(&q[i]);
		}
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(result(&q[i]), 0);
		assert_int_equal(disk_read(rig->disk, 4000, got, sizeof(got)), 0);
		for (unsigned i = 0; i < sizeof(got); i++)
			assert_int_equal(got[i], i / 100 + round + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL_PLAIN(each_failure_of_the_store_reaches_the_caller),
		ON_ALL_PLAIN(a_failed_merge_leaves_the_sector_as_it_was),
		ON(plain_4096, a_flush_that_fails_tells_the_caller),
		ON(plain_4096, a_store_that_became_shorter_is_an_error_at_its_end_only),
		ON(plain_4096, a_read_only_disk_refuses_every_change),
		ON(plain_4096, a_stopped_disk_fails_without_touching_the_store),
		ON_ALL_PLAIN(a_stop_during_a_request_fails_it),
		ON_ALL_PLAIN(a_write_whose_store_hung_beyond_the_deadline_is_no_success),
		ON(plain_4096, a_hung_store_does_not_keep_the_key_in_memory),
		ON(plain_4096, a_hung_store_takes_nothing_from_the_other_disks),
		ON(plain_4096, disjoint_requests_run_in_parallel_and_conflicting_ones_wait),
		ON_ALL_PLAIN(writers_of_different_bytes_of_one_sector_all_win),
	};
	if (cipher_init_process())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
