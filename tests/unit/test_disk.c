// SPDX-License-Identifier: MIT
// The disk on a memory store, with the real cipher and the real lease: where which bytes go, thin
// disks, what a disk costs.
#include "cipher.h"
#include "disk_case.h"
#include "memscan.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ciphertext_lies_at_the_data_offset_with_tweaks_from_zero(void **state)
{
	struct disk_rig *rig = *state;
	struct cipher *c scoped(cipher_free) = NULL;
	uint8_t *plain autofree = case_pattern(CASE_LARGE, 1), *want autofree = malloc(CASE_LARGE);
	assert_int_equal(cipher_new(rig->dek, rig->sector_size, &c), 0);
	assert_int_equal(disk_write(rig->disk, 8192, plain, CASE_LARGE), 0);
	assert_int_equal(cipher_encrypt(c, 8192, plain, want, CASE_LARGE), 0);
	assert_memory_equal(rig_ciphertext(rig, 8192), want, CASE_LARGE);
	case_assert_all(rig->mem->data, 0, RIG_OFFSET);
}

static void unaligned_writes_leave_their_neighbours_alone(void **state)
{
	static const struct {
		uint64_t off;
		size_t len;
	} rows[] = {{1, 1}, {4095, 2}, {100, 4096}, {8192, 1}, {12287, 1}, {511, 1026},
		{4097, 300000}, {128 * 1024 - 1, 2}, {131072, 131073}, {7, CASE_LARGE - 1},
		{CASE_SIZE - 1, 1}, {CASE_SIZE - 70000, 70000}, {33, CASE_LARGE}};
	struct disk_rig *rig = *state;
	uint8_t *model autofree = case_pattern(CASE_SIZE, 0), *got autofree = malloc(CASE_LARGE);
	case_fill(rig, model);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t *data autofree = case_pattern(rows[i].len, i + 5);
		uint8_t *before autofree = case_pattern(rows[i].len, i + 5);
		assert_int_equal(disk_write(rig->disk, rows[i].off, data, rows[i].len), 0);
		assert_memory_equal(data, before, rows[i].len); // the caller's buffer is only read
		memcpy(model + rows[i].off, data, rows[i].len);
		case_assert_disk(rig, model);
		assert_int_equal(disk_read(rig->disk, rows[i].off, got, rows[i].len), 0);
		assert_memory_equal(got, data, rows[i].len);
	}
}

static void requests_of_no_bytes_succeed(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t byte = 7;
	assert_int_equal(disk_read(rig->disk, 5, &byte, 0), 0);
	assert_int_equal(disk_write(rig->disk, CASE_SIZE, &byte, 0), 0);
	assert_int_equal(byte, 7);
	assert_int_equal(case_store_calls(rig), 0);
}

static void an_ordinary_disk_reads_unwritten_sectors_as_dm_crypt_does(void **state)
{
	struct disk_rig *rig = *state;
	struct cipher *c scoped(cipher_free) = NULL;
	uint8_t got[4096], want[4096] = {0};
	assert_int_equal(cipher_new(rig->dek, rig->sector_size, &c), 0);
	assert_int_equal(cipher_decrypt(c, 4096, want, want, sizeof(want)), 0);
	assert_int_equal(disk_read(rig->disk, 4096, got, sizeof(got)), 0);
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(disk_zero(rig->disk, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(rig->mem->calls[MEM_DISCARD], 0);
	assert_int_equal(case_counters(rig).store_errors, 0);
}

static void ranges_beyond_the_end_are_refused(void **state)
{
	struct disk_rig *rig = *state;
	assert_int_equal(disk_zero(rig->disk, CASE_SIZE - 1, 2), -EINVAL);
	assert_int_equal(disk_zero(rig->disk, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(disk_allocate(rig->disk, CASE_SIZE, 1), -EINVAL);
	assert_int_equal(disk_allocate(rig->disk, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(disk_allocate(rig->disk, 5, CASE_SIZE - 5), 0);
	assert_int_equal(rig->mem->calls[MEM_ALLOCATE], 1);
	memstore_fail(rig->mem, MEM_ALLOCATE, 0, ENOSPC);
	assert_int_equal(disk_allocate(rig->disk, 0, 4096), -ENOSPC);
}

static void a_thin_disk_reads_holes_as_zeros(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t *model autofree = calloc(1, CASE_SIZE);
	case_assert_disk(rig, model);
	uint8_t *data autofree = case_pattern(300000, 9);
	assert_int_equal(disk_write(rig->disk, 70001, data, 300000), 0);
	memcpy(model + 70001, data, 300000);
	assert_int_equal(disk_write(rig->disk, 1000000, data, 1), 0);
	model[1000000] = data[0];
	case_assert_disk(rig, model);
}

static void zeroing_a_thin_disk_discards_whole_sectors_and_writes_the_rest(void **state)
{
	static const struct {
		uint64_t off, len;
		unsigned discards;
	} rows[] = {{4096, 8192, 1}, {4097, 10, 0}, {4095, 2, 0}, {100, 8192, 1}, {4000, 4192, 1},
		{8192, 4097, 1}, {CASE_SIZE - 1, 1, 0}, {1, CASE_SIZE - 2, 1}, {0, CASE_SIZE, 1},
		{9, 0, 0}};
	struct disk_rig *rig = *state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t *model autofree = case_pattern(CASE_SIZE, i);
		unsigned before = rig->mem->calls[MEM_DISCARD];
		case_fill(rig, model);
		assert_int_equal(disk_zero(rig->disk, rows[i].off, rows[i].len), 0);
		memset(model + rows[i].off, 0, rows[i].len);
		case_assert_disk(rig, model);
		if (rig->sector_size == 4096)
			assert_int_equal(rig->mem->calls[MEM_DISCARD] - before, rows[i].discards);
	}
}

static void a_store_that_cannot_punch_holes_is_left_unchanged(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t *model autofree = case_pattern(CASE_SIZE, 0);
	case_fill(rig, model);
	memstore_fail(rig->mem, MEM_DISCARD, 0, EOPNOTSUPP);
	assert_int_equal(disk_zero(rig->disk, 100, 20000), -EOPNOTSUPP);
	assert_int_equal(case_counters(rig).store_errors, 0);
	case_assert_disk(rig, model);
	rig_wait_ms(rig, RIG_GRACE_MS);
	assert_int_equal(disk_zero(rig->disk, 0, 4096), -EIO);
}

static void counters_count_what_succeeded(void **state)
{
	struct disk_rig *rig = *state;
	uint8_t *buf autofree = case_pattern(CASE_LARGE, 0);
	assert_int_equal(disk_write(rig->disk, 0, buf, CASE_LARGE), 0);
	assert_int_equal(disk_write(rig->disk, 3, buf, 10), 0);
	assert_int_equal(disk_read(rig->disk, 1, buf, 100), 0);
	struct disk_counters c = case_counters(rig);
	assert_int_equal(c.writes, 2);
	assert_int_equal(c.bytes_written, CASE_LARGE + 10);
	assert_int_equal(c.reads, 1);
	assert_int_equal(c.bytes_read, 100);
	assert_int_equal(disk_size(rig->disk), CASE_SIZE);
	assert_int_equal(disk_sector_size(rig->disk), rig->sector_size);
}

static void a_disk_of_impossible_shape_is_refused(void **state)
{
	struct disk_rig *rig = *state;
	const struct disk_config good = rig->config;
	struct disk_config bad[7];
	struct disk *d = NULL;
	for (unsigned i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].size = 0;
	bad[1].size = CASE_SIZE + 1;
	bad[2].sector_size = 1024;
	bad[3].sector_size = 0;
	bad[4].data_offset = 100;
	bad[5].size = (uint64_t)INT64_MAX + 1;
	bad[6].data_offset = UINT64_MAX - 511;
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(disk_new(&bad[i], &d), -EINVAL);
	assert_null(d);
	assert_int_equal(disk_new(&good, &d), 0);
	disk_free(&d);
	disk_free(&d);
}

static void a_disk_without_a_crew_works_alone(void **state)
{
	struct disk_rig *rig = *state;
	struct disk_config alone = rig->config;
	struct disk *d scoped(disk_free) = NULL;
	uint8_t *data autofree = case_pattern(CASE_LARGE, 4), *got autofree = malloc(CASE_LARGE);
	alone.crew = NULL;
	assert_int_equal(disk_new(&alone, &d), 0);
	assert_int_equal(disk_write(d, 77, data, CASE_LARGE), 0);
	assert_int_equal(disk_read(d, 77, got, CASE_LARGE), 0);
	assert_memory_equal(got, data, CASE_LARGE);
}

#define MANY 200u

static void an_idle_disk_costs_at_most_32_KiB(void **state)
{
	struct disk_rig *rig = *state;
	static struct disk_rig many[MANY];
	const struct lease_verdict granted = {
		.verdict = CMK_GRANTED, .asked_ns = rig->now_ns + NS_PER_MS};
	size_t before = memscan_resident_kib();
	rig_wait_ms(rig, 1);
	for (unsigned i = 0; i < MANY; i++) {
		many[i].config = rig->config;
		assert_int_equal(rig_lease(rig, &many[i].lease), 0);
		many[i].config.lease = many[i].lease;
		assert_int_equal(disk_new(&many[i].config, &many[i].disk), 0);
		assert_int_equal(lease_unlock(many[i].lease, rig->dek, &granted, true), 0);
	}
	size_t kib = memscan_resident_kib() - before;
	print_message("%u idle disks: %zu KiB, %zu bytes each\n", MANY, kib, kib * 1024 / MANY);
	for (unsigned i = 0; i < MANY; i++) {
		disk_free(&many[i].disk);
		lease_free(&many[i].lease);
	}
	assert_true(kib <= MANY * 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ALL_PLAIN(ciphertext_lies_at_the_data_offset_with_tweaks_from_zero),
		ON_ALL_PLAIN(unaligned_writes_leave_their_neighbours_alone),
		ON_ALL_THIN(unaligned_writes_leave_their_neighbours_alone),
		ON_ALL_PLAIN(requests_of_no_bytes_succeed),
		ON_ALL_PLAIN(an_ordinary_disk_reads_unwritten_sectors_as_dm_crypt_does),
		ON(plain_4096, ranges_beyond_the_end_are_refused),
		ON_ALL_THIN(a_thin_disk_reads_holes_as_zeros),
		ON_ALL_THIN(zeroing_a_thin_disk_discards_whole_sectors_and_writes_the_rest),
		ON_ALL_THIN(a_store_that_cannot_punch_holes_is_left_unchanged),
		ON(plain_helped, counters_count_what_succeeded),
		ON(plain_4096, a_disk_of_impossible_shape_is_refused),
		ON(plain_512, a_disk_without_a_crew_works_alone),
		ON(plain_4096, an_idle_disk_costs_at_most_32_KiB),
	};
	if (cipher_init_process())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
