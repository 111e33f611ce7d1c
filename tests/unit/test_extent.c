// SPDX-License-Identifier: MIT
// Offset arithmetic of the disk, as a table.
#include "extent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
	uint64_t off, len;
	uint32_t sector;
	uint64_t start, end;
	size_t head, tail;
	bool head_partial, tail_partial;
};

static const struct row rows[] = {
	{0, 0, 4096, 0, 0, 0, 0, false, false},
	{5000, 0, 4096, 4096, 4096, 0, 0, false, false},
	{0, 4096, 4096, 0, 4096, 0, 0, false, false},
	{0, 1, 4096, 0, 4096, 0, 4095, true, true},
	{4095, 1, 4096, 0, 4096, 4095, 0, true, true},
	{4095, 2, 4096, 0, 8192, 4095, 4095, true, true},
	{100, 200, 4096, 0, 4096, 100, 3796, true, true},
	{4096, 8192, 4096, 4096, 12288, 0, 0, false, false},
	{4097, 8191, 4096, 4096, 12288, 1, 0, true, false},
	{4096, 8191, 4096, 4096, 12288, 0, 1, false, true},
	{511, 2, 512, 0, 1024, 511, 511, true, true},
	{512, 512, 512, 512, 1024, 0, 0, false, false},
	{(1ull << 62) + 1, 4096, 4096, 1ull << 62, (1ull << 62) + 8192, 1, 4095, true, true},
	{1ull << 62, 1ull << 62, 4096, 1ull << 62, 1ull << 63, 0, 0, false, false},
};

static void an_extent_covers_the_range_with_whole_sectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct extent e = extent_of(r->off, r->len, r->sector);
		assert_int_equal(e.start, r->start);
		assert_int_equal(e.end, r->end);
		assert_int_equal(e.head, r->head);
		assert_int_equal(e.tail, r->tail);
		assert_int_equal(e.head_partial, r->head_partial);
		assert_int_equal(e.tail_partial, r->tail_partial);
	}
}

static void every_small_range_is_covered_exactly(void **state)
{
	(void)state;
	for (uint64_t off = 0; off < 24; off++) {
		for (uint64_t len = 1; len < 24; len++) {
			struct extent e = extent_of(off, len, 8);
			assert_int_equal(e.start + e.head, off);
			assert_int_equal(e.end - e.tail, off + len);
			assert_true(e.start % 8 == 0 && e.end % 8 == 0);
			assert_true(e.head < 8 && e.tail < 8);
			bool first_whole = off <= e.start && off + len >= e.start + 8;
			bool last_whole = off <= e.end - 8 && off + len >= e.end;
			assert_int_equal(e.head_partial, !first_whole);
			assert_int_equal(e.tail_partial, !last_whole);
		}
	}
}

static void a_clamped_range_ends_with_the_disk(void **state)
{
	(void)state;
	assert_int_equal(extent_clamp(0, 10, 100), 10);
	assert_int_equal(extent_clamp(90, 10, 100), 10);
	assert_int_equal(extent_clamp(91, 10, 100), 9);
	assert_int_equal(extent_clamp(100, 10, 100), 0);
	assert_int_equal(extent_clamp(101, 10, 100), 0);
	assert_int_equal(extent_clamp(UINT64_MAX, UINT64_MAX, 100), 0);
	assert_int_equal(extent_clamp(1, UINT64_MAX, 100), 99);
	assert_int_equal(extent_clamp(0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_extent_covers_the_range_with_whole_sectors),
		cmocka_unit_test(every_small_range_is_covered_exactly),
		cmocka_unit_test(a_clamped_range_ends_with_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
