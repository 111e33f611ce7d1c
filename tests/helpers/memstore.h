// SPDX-License-Identifier: MIT
// A store in memory that fails or hangs on request, for tests of the disk. Its bytes are not
// guarded by anything: what touches them at the same time must be kept apart by the disk's locks,
// and the thread sanitizer sees it if it is not.
#ifndef TEST_MEMSTORE_H
#define TEST_MEMSTORE_H

#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

enum memstore_op {
	MEM_PREAD,
	MEM_PWRITE,
	MEM_FLUSH,
	MEM_DISCARD,
	MEM_ALLOCATE,
	MEM_OPS,
};

struct memstore {
	struct store store; // first
	uint8_t *data;
	uint64_t size;
	atomic_uint calls[MEM_OPS];

	pthread_mutex_t lock; // guards all below
	pthread_cond_t changed;
	bool planned; // an error is waiting
	enum memstore_op failing;
	unsigned after;		// this many calls succeed first
	int error;		// then one answers this
	bool held[MEM_OPS];	// calls of this kind hang
	unsigned hanging;	// calls that do
	void (*spy)(void *ctx); // called by every pread and pwrite, before it does anything
	void *spy_ctx;
};

struct memstore *memstore_new(uint64_t size); // zero-filled; never NULL
void memstore_free(struct memstore **m);
// After `after` more calls of this kind, one fails with -error. A failing pread or pwrite has
// moved half of its bytes first, as a bad medium may.
void memstore_fail(struct memstore *m, enum memstore_op op, unsigned after, int error);
bool memstore_failed(struct memstore *m); // whether the planned failure has happened
void memstore_hold(struct memstore *m, enum memstore_op op);
void memstore_wait_hanging(struct memstore *m, unsigned calls); // until so many hang
void memstore_release(struct memstore *m);

#endif
