// SPDX-License-Identifier: MIT
// See disk_case.h.
#include "disk_case.h"

#include "scope.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

uint8_t *case_pattern(size_t len, unsigned salt)
{
	uint8_t *p = malloc(len + 1);
	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 131 + i / 256 + salt);
	return p;
}

void case_fill(struct disk_rig *rig, const uint8_t *bytes)
{
	for (uint64_t off = 0; off < CASE_SIZE; off += CASE_LARGE)
		assert_int_equal(disk_write(rig->disk, off, bytes + off, CASE_LARGE), 0);
}

void case_assert_disk(struct disk_rig *rig, const uint8_t *bytes)
{
	uint8_t *got autofree = malloc(CASE_LARGE);
	for (uint64_t off = 0; off < CASE_SIZE; off += CASE_LARGE) {
		assert_int_equal(disk_read(rig->disk, off, got, CASE_LARGE), 0);
		assert_memory_equal(got, bytes + off, CASE_LARGE);
	}
}

void case_assert_all(const uint8_t *p, uint8_t value, size_t len)
{
	assert_int_equal(p[0], value);
	assert_memory_equal(p, p + 1, len - 1);
}

struct disk_counters case_counters(struct disk_rig *rig)
{
	struct disk_counters c;
	disk_counters(rig->disk, &c);
	return c;
}

unsigned case_store_calls(struct disk_rig *rig)
{
	unsigned n = 0;
	for (unsigned op = 0; op < MEM_OPS; op++)
		n += rig->mem->calls[op];
	return n;
}

static int rig_up(void **state, uint32_t sector, bool thin, unsigned helpers)
{
	*state = rig_new(CASE_SIZE, sector, thin, helpers);
	return 0;
}

int plain_4096(void **state)
{
	return rig_up(state, 4096, false, 0);
}

int plain_512(void **state)
{
	return rig_up(state, 512, false, 0);
}

int plain_helped(void **state)
{
	return rig_up(state, 4096, false, 3);
}

int thin_4096(void **state)
{
	return rig_up(state, 4096, true, 0);
}

int thin_512_helped(void **state)
{
	return rig_up(state, 512, true, 3);
}

int case_down(void **state)
{
	rig_free((struct disk_rig **)state);
	return 0;
}
