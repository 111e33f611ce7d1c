// SPDX-License-Identifier: MIT
// A disk over a real file whose system calls fail, once or from then on: the error reaches the
// caller as it is, is counted, and spares the neighbours. And what a disk is made of, made without
// memory or threads.
#include "nth_fault.h"

#include "cipher.h"
#include "disk_rig.h"
#include "scope.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SIZE (1u << 20)

// A rig whose disk stands on a file instead of the rig's memory.
struct bench {
	struct disk_rig *rig;
	char path[64];
	struct store *store;
	struct disk *disk;
	enum { READS, WRITES, ZEROES, ALLOCATES, FLUSHES } what;
	uint64_t off;
	size_t len;
	uint8_t *model, *buf;
	struct disk_counters before;
	int errnum;
};

static struct disk_counters counters(const struct bench *b)
{
	struct disk_counters c;
	disk_counters(b->disk, &c);
	return c;
}

static void close_disk(struct bench *b)
{
	disk_free(&b->disk);
	store_close(&b->store);
}

static void open_disk(struct bench *b)
{
	struct errmsg err = {.text = ""};
	if (store_file_open(b->path, false, &b->store, NULL, &err))
		fail_msg("%s", err.text);
	struct disk_config c = b->rig->config;
	c.store = b->store;
	assert_int_equal(disk_new(&c, &b->disk), 0);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->rig = rig_new(SIZE, 4096, true, 0);
	(void)snprintf(b->path, sizeof(b->path), "/tmp/cmkdisk-fault-XXXXXX");
	int fd autoclose = mkstemp(b->path);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, RIG_OFFSET + SIZE), 0);
	b->model = malloc(SIZE);
	b->buf = malloc(SIZE);
	assert_true(b->model && b->buf);
	for (size_t i = 0; i < SIZE; i++)
		b->model[i] = (uint8_t)(i * 131 + i / 256);
	open_disk(b);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	close_disk(b);
	rig_free(&b->rig);
	int r = unlink(b->path);
	free(b->model);
	free(b->buf);
	free(b);
	return r;
}

static int ask(void *ctx, struct errmsg *err)
{
	struct bench *b = ctx;
	(void)err;
	b->before = counters(b);
	memset(b->buf, 0x6e, b->len);
	switch (b->what) {
	case READS:
		return disk_read(b->disk, b->off, b->buf, b->len);
	case WRITES:
		return disk_write(b->disk, b->off, b->buf, b->len);
	case ZEROES:
		return disk_zero(b->disk, b->off, b->len);
	case ALLOCATES:
		return disk_allocate(b->disk, b->off, b->len);
	default:
		return disk_flush(b->disk);
	}
}

static void assert_counted(const struct bench *b, int result)
{
	struct disk_counters now = counters(b);
	assert_int_equal(now.refused, b->before.refused);
	assert_int_equal(now.store_errors, b->before.store_errors + (result != 0));
	if (result)
		assert_int_equal(now.last_store_error, -result);
	assert_int_equal(now.reads, b->before.reads + (!result && b->what == READS));
	assert_int_equal(now.writes, b->before.writes + (!result && b->what == WRITES));
	assert_int_equal(now.flushes, b->before.flushes + (!result && b->what == FLUSHES));
}

static void neighbours_are_intact(void *ctx, int result)
{
	struct bench *b = ctx;
	uint64_t end = b->off + b->len, from = b->off / 4096 * 4096,
		 to = (end + 4095) / 4096 * 4096;
	uint8_t want = b->what == WRITES ? 0x6e : 0;
	bool changes = b->what == WRITES || b->what == ZEROES;
	assert_counted(b, result);
	if (b->what == READS && result)
		for (size_t i = 0; i < b->len; i++)
			assert_int_equal(b->buf[i], 0);
	assert_int_equal(disk_read(b->disk, 0, b->buf, SIZE), 0);
	assert_memory_equal(b->buf, b->model, from);
	assert_memory_equal(b->buf + to, b->model + to, SIZE - to);
	// No call here writes a part of what it was given, so each sector is old or new.
	for (uint64_t i = from; i < to; i++) {
		bool asked = i >= b->off && i < end && changes;
		bool is_new = asked && b->buf[i] == want;
		assert_true(is_new || (b->buf[i] == b->model[i] && !(asked && !result)));
	}
	assert_int_equal(disk_write(b->disk, 0, b->model, SIZE), 0);
}

static void each(struct bench *b, const char *name, int what, uint64_t off, size_t len, int errnum)
{
	b->what = what;
	b->off = off;
	b->len = len;
	assert_int_equal(disk_write(b->disk, 0, b->model, SIZE), 0);
	FAULT_EVERY(name, FAULT_FILE, ask, .ctx = b, .errnum = errnum, .no_sentence = true,
		.after = neighbours_are_intact);
}

static void the_error_of_the_file_is_the_error_of_the_caller(void **state)
{
	struct bench *b = *state;
	each(b, "read", READS, 8200, 300000, EIO);
	each(b, "read, odd error", READS, 8192, 4096, ENXIO);
	each(b, "write, medium", WRITES, 8200, 300000, EIO);
	each(b, "write, space", WRITES, 8200, 300000, ENOSPC);
	each(b, "write, quota", WRITES, 8192, 4096, EDQUOT);
	each(b, "zeroing, medium", ZEROES, 8200, 20000, EIO);
	each(b, "zeroing, space", ZEROES, 8200, 20000, ENOSPC);
	each(b, "zeroing within a sector", ZEROES, 8200, 100, ENOSPC);
	each(b, "allocation", ALLOCATES, 8192, 40000, ENOSPC);
}

static void zeroing_on_a_store_without_holes_changes_nothing(void **state)
{
	struct bench *b = *state;
	assert_int_equal(disk_write(b->disk, 0, b->model, SIZE), 0);
	struct disk_counters before = counters(b);
	fault_arm(FAULT_FILE, 1, false, EOPNOTSUPP);
	int r = disk_zero(b->disk, 8200, 20000);
	assert_int_equal(fault_disarm(), 1);
	assert_int_equal(r, -EOPNOTSUPP);
	assert_int_equal(counters(b).store_errors, before.store_errors);
	assert_int_equal(disk_read(b->disk, 0, b->buf, SIZE), 0);
	assert_memory_equal(b->buf, b->model, SIZE);
}

// The kernel forgets the error, and the data with it: a later success would be a lie.
static void after_a_failed_flush_every_later_one_fails(void **state)
{
	struct bench *b = *state;
	fault_arm(FAULT_FILE, 1, false, EDQUOT);
	int first = disk_flush(b->disk), second = disk_flush(b->disk);
	assert_int_equal(fault_disarm(), 1);
	assert_int_equal(first, -EDQUOT);
	assert_int_equal(second, -EIO);
	assert_int_equal(counters(b).store_errors, 2);
	assert_int_equal(counters(b).flushes, 0);
	close_disk(b);
	open_disk(b);
	assert_int_equal(disk_flush(b->disk), 0);
}

static int open_store(void *ctx, struct errmsg *err)
{
	struct store *s scoped(store_close) = NULL;
	return store_file_open(((struct bench *)ctx)->path, false, &s, NULL, err);
}

static void a_file_is_opened_whole_or_not_at_all(void **state)
{
	struct bench *b = *state;
	close_disk(b);
	FAULT_EVERY("backing file, memory", FAULT_MEMORY, open_store, .ctx = b);
	FAULT_EVERY("backing file, medium", FAULT_FILE, open_store, .ctx = b, .errnum = EIO);
	open_disk(b);
}

static int new_disk(void *ctx, struct errmsg *err)
{
	struct disk *d scoped(disk_free) = NULL;
	struct disk_config c = ((struct bench *)ctx)->rig->config;
	(void)err;
	c.crew = NULL;
	return disk_new(&c, &d);
}

static int new_crew(void *ctx, struct errmsg *err)
{
	struct crew *c scoped(crew_free) = NULL;
	(void)ctx;
	(void)err;
	return crew_new(3, &c);
}

static void a_disk_and_its_crew_are_made_whole_or_not_at_all(void **state)
{
	static const int short_of_memory[] = {ENOMEM, 0};
	FAULT_EVERY("disk", FAULT_MALLOC, new_disk, .ctx = *state, .no_sentence = true);
	FAULT_EVERY("crew", FAULT_MALLOC, new_crew, .no_sentence = true);
	FAULT_EVERY("crew, threads", FAULT_START, new_crew, .errnum = EAGAIN, .no_sentence = true);
	// That a page cannot be left out of core dumps does not end a mount.
	FAULT_EVERY("crew, pages", FAULT_PAGES, new_crew, .errors = short_of_memory,
		.no_sentence = true);
}

#define ON_FILE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FILE(the_error_of_the_file_is_the_error_of_the_caller),
		ON_FILE(zeroing_on_a_store_without_holes_changes_nothing),
		ON_FILE(after_a_failed_flush_every_later_one_fails),
		ON_FILE(a_file_is_opened_whole_or_not_at_all),
		ON_FILE(a_disk_and_its_crew_are_made_whole_or_not_at_all),
	};
	if (cipher_init_process())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
