// SPDX-License-Identifier: MIT
// What the tests of the disk have in common: a rig per shape of disk, patterns and comparisons.
#ifndef TEST_DISK_CASE_H
#define TEST_DISK_CASE_H

#include "disk_rig.h"

#define CASE_SIZE (2u << 20) // bytes of the disk
#define CASE_LARGE DISK_IO_MAX

// len bytes that differ from those of another salt; the caller frees them.
uint8_t *case_pattern(size_t len, unsigned salt);
// Writes, or compares, the whole disk.
void case_fill(struct disk_rig *rig, const uint8_t *bytes);
void case_assert_disk(struct disk_rig *rig, const uint8_t *bytes);
void case_assert_all(const uint8_t *p, uint8_t value, size_t len);
struct disk_counters case_counters(struct disk_rig *rig);
unsigned case_store_calls(struct disk_rig *rig);

// Set-ups for cmocka; *state is the rig. "helped": with threads that share large requests.
int plain_4096(void **state);
int plain_512(void **state);
int plain_helped(void **state);
int thin_4096(void **state);
int thin_512_helped(void **state);
int case_down(void **state);

#define ON(rig, f)                                        \
	{                                                 \
#f " [" #rig "]", f, rig, case_down, NULL \
	}
#define ON_ALL_PLAIN(f) ON(plain_4096, f), ON(plain_512, f), ON(plain_helped, f)
#define ON_ALL_THIN(f) ON(thin_4096, f), ON(thin_512_helped, f)

#endif
