// SPDX-License-Identifier: MIT
// What disk.c and disk_write.c share; nobody else includes it.
#ifndef CMK_DISK_IMPL_H
#define CMK_DISK_IMPL_H

#include "crew.h"
#include "disk.h"
#include "extent.h"
#include "rangelock.h"

#include <stdatomic.h>

struct cipher;

// Errors between the steps of a request, outside the range of errno, so that what the lease
// refused is not counted as the store's failure. disk_finish() turns both into -EIO.
enum { DISK_REFUSED = -10001, DISK_CIPHER_FAILED = -10002 };

struct disk {
	struct store *store; // borrowed
	struct lease *lease; // borrowed
	struct crew *crew;   // borrowed, or own_crew
	struct crew *own_crew;
	uint64_t data_offset, size; // bytes
	uint32_t sector_size;
	bool read_only, thin;
	void (*store_failed)(void *ctx);
	void *ctx;
	struct rangelock locks;

	// Relaxed: each is exact, together they are no snapshot.
	atomic_uint_fast64_t reads, writes, flushes, bytes_read, bytes_written;
	atomic_uint_fast64_t refused, store_errors;
	atomic_int last_store_error;
};

// A request on its way: the byte range, the sectors that it touches and the caller's buffer, one
// of the two. Pieces of CREW_BUFFER bytes are counted from e.start.
struct span {
	struct disk *d;
	uint64_t off;
	size_t len;
	struct extent e;
	uint8_t *in;
	const uint8_t *out;
};

// One piece: the sectors [start, start + len) and the part of them that was asked for.
struct piece {
	uint64_t start;
	size_t len;
	size_t skip, take; // bytes within the piece
	size_t at;	   // where that part is in the caller's buffer
};

// A buffer of the crew for the duration of a scope.
struct lent {
	struct bufpool *pool;
	uint8_t *data;
};

struct piece span_piece(const struct span *s, size_t i);
// Calls fn(span, i) for all pieces of the span, perhaps on several threads.
int span_run(struct span *s, int (*fn)(void *span, size_t i)) must_use;

struct lent disk_borrow(struct disk *d);
void scope_give_back(struct lent *b);

// Enters the lease: 0 or DISK_REFUSED.
int disk_key(struct disk *d, struct cipher **key) must_use;
// In place, whole sectors, with the lease entered. Thin: a sector of zeros stays one.
int disk_decrypt(
	struct disk *d, struct cipher *key, uint64_t off, uint8_t *buf, size_t len) must_use;
int disk_fetch(struct disk *d, uint64_t off, void *buf, size_t len) must_use; // ciphertext
// 0 or DISK_REFUSED, for those that use no key.
int disk_allowed(struct disk *d) must_use;
// Whether the range lies in the disk.
bool disk_holds(const struct disk *d, uint64_t off, uint64_t len);
// Counts the failure, if it is one, under its cause; returns 0 or what the caller shall see.
int disk_finish(struct disk *d, int r) must_use;

static inline void count(atomic_uint_fast64_t *counter, uint64_t n)
{
	(void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
