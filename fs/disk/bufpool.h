// SPDX-License-Identifier: MIT
// Page-aligned buffers of one size, made when first needed and used again ever after. Bounded: who
// finds all of them lent waits for one to come back.
#ifndef CMK_BUFPOOL_H
#define CMK_BUFPOOL_H

#include "attr.h"

#include <pthread.h>
#include <stddef.h>

#define BUFPOOL_MAX 16u

struct bufpool {
	size_t size; // bytes of one buffer
	pthread_mutex_t lock;
	pthread_cond_t back;	  // a buffer came back; all below guarded by lock
	void *spare[BUFPOOL_MAX]; // last in, first out: the warmest one first
	unsigned spares, made, waiting;
};

// Makes the first buffer, so that bufpool_get() cannot fail later. Address space only: a buffer
// takes memory as far as it is used.
int bufpool_init(struct bufpool *p, size_t size) must_use;
void bufpool_destroy(struct bufpool *p); // all are back
// Never NULL, any thread. Contents are left over from the last use.
void *bufpool_get(struct bufpool *p) must_use;
void bufpool_put(struct bufpool *p, void *buffer);

#endif
