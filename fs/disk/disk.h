// SPDX-License-Identifier: MIT
// One plaintext disk: byte-addressed reads and writes over sectors of ciphertext. Alignment and
// read-modify-write live here and nowhere else.
#ifndef CMK_DISK_H
#define CMK_DISK_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew;
struct disk;
struct lease;
struct store;

#define DISK_IO_MAX (1u << 20) // bytes of one read or write

struct disk_config {
	struct store *store; // borrowed, as the lease and the crew
	struct lease *lease;
	struct crew *crew;    // idle cores for large requests; NULL: none, and buffers of its own
	uint64_t data_offset; // bytes, in the store
	uint64_t size;	      // bytes
	uint32_t sector_size;
	bool read_only;
	bool thin;
	// A request was failed by the backing store, after it was counted: in the request's thread.
	// Must not block, nor allocate. May be NULL.
	void (*store_failed)(void *ctx);
	void *ctx;
};

struct disk_counters {
	uint64_t reads, writes, flushes, bytes_read, bytes_written;
	uint64_t refused;      // requests failed because the lease said no
	uint64_t store_errors; // requests failed by the backing store
	int last_store_error;  // positive errno, 0 none
};

int disk_new(const struct disk_config *c, struct disk **out) must_use;
void disk_free(struct disk **d); // no request may be inside

// All: any thread, concurrently; 0 or -errno. -EIO when the lease is stopped.
// read: off + len <= size, len <= DISK_IO_MAX (asserted by the front's clamp). buf is aligned by
// the caller as it likes; needs no room beyond len.
int disk_read(struct disk *d, uint64_t off, void *buf, size_t len) must_use;
// -EROFS when read-only. Acknowledged means: the ciphertext is in the backing file.
int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len) must_use;
int disk_flush(struct disk *d) must_use;
// Thin: whole sectors become holes, partial ones are written with zeros. Else -EOPNOTSUPP.
int disk_zero(struct disk *d, uint64_t off, uint64_t len) must_use;
int disk_allocate(struct disk *d, uint64_t off, uint64_t len) must_use;

uint64_t disk_size(const struct disk *d);
uint32_t disk_sector_size(const struct disk *d);
bool disk_read_only(const struct disk *d);
int disk_open_status(struct disk *d) must_use; // 0 or what open(2) answers
int disk_check(struct disk *d) must_use;       // 0 or -EIO
void disk_counters(struct disk *d, struct disk_counters *out);

// crew.c: what the disks of a process share: buffers, and threads that take a share of a large
// request when they have nothing to do. Outlives its disks.
int crew_new(unsigned threads, struct crew **out) must_use; // 0 threads: a crew that never helps
void crew_free(struct crew **c);

#endif
