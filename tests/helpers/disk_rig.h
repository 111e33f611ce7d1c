// SPDX-License-Identifier: MIT
// A disk with all that it stands on, for tests: memory store, real cipher, real lease with a clock
// that stands still until the test moves it. Whatever goes wrong in making it aborts the test.
#ifndef TEST_DISK_RIG_H
#define TEST_DISK_RIG_H

#include "clock.h"
#include "disk.h"
#include "lease.h"
#include "memstore.h"

#define RIG_OFFSET (64u * 1024) // of the data in the store: the tests must notice it
#define RIG_GRACE_MS (60u * 60 * 1000)

struct disk_rig {
	struct clock_source clock;
	_Atomic uint64_t now_ns;
	uint32_t sector_size;
	struct memstore *mem;
	struct secret *dek;
	struct lease *lease; // made unlocked
	struct crew *crew;
	struct disk_config config;
	struct disk *disk;
};

// size and sector_size in bytes, helpers: threads of the crew. The store is zero-filled.
struct disk_rig *rig_new(uint64_t size, uint32_t sector_size, bool thin, unsigned helpers);
void rig_free(struct disk_rig **rig);
// Another lease like the rig's own, not unlocked. 0 or -errno.
int rig_lease(struct disk_rig *rig, struct lease **out) must_use;
void rig_unlock(struct disk_rig *rig);		     // by hand, with a grant of now
void rig_reopen(struct disk_rig *rig);		     // another lease and disk on the same store
void rig_read_only(struct disk_rig *rig);	     // likewise, read-only
void rig_wait_ms(struct disk_rig *rig, uint64_t ms); // moves the clock; nobody sleeps
// The 512 or 4096 bytes of ciphertext of the sector at this offset of the disk.
uint8_t *rig_ciphertext(struct disk_rig *rig, uint64_t off);

#endif
