// SPDX-License-Identifier: MIT
// Page-aligned buffers of one size, made when first needed and used again ever after. As many as
// are asked for at once, since who has one may hang in its backing store for ever and the others
// must not wait for it; of those that come back only some are kept.
#ifndef CMK_BUFPOOL_H
#define CMK_BUFPOOL_H

#include "attr.h"

#include <pthread.h>
#include <stddef.h>

#define BUFPOOL_KEEP 32u // more than requests are usually under way

struct bufpool {
	size_t size; // bytes of one buffer
	pthread_mutex_t lock;
	pthread_cond_t back;	   // a buffer came back; all below guarded by lock
	void *spare[BUFPOOL_KEEP]; // last in, first out: the warmest one first
	unsigned spares, lent, waiting;
};

// Makes the first buffer, so that bufpool_get() cannot fail later. Address space only: a buffer
// takes memory as far as it is used.
int bufpool_init(struct bufpool *p, size_t size) must_use;
void bufpool_destroy(struct bufpool *p); // all are back
// Never NULL, any thread. Contents are left over from the last use. Waits for one to come back
// only when there is no memory for another.
void *bufpool_get(struct bufpool *p) must_use;
void bufpool_put(struct bufpool *p, void *buffer);

#endif
