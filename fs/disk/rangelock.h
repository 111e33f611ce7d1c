// SPDX-License-Identifier: MIT
// Locks on sector ranges of one disk. Writers exclude all others on the same sectors, readers
// share. First come, first served among those who conflict: nobody starves.
#ifndef CMK_RANGELOCK_H
#define CMK_RANGELOCK_H

#include "attr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Lives on its caller's stack between lock and unlock. Fields are guarded by the table's mutex.
struct range {
	uint64_t start, end; // bytes
	bool exclusive;
	struct range *prev, *next; // in order of arrival
};

struct rangelock {
	pthread_mutex_t mutex;
	pthread_cond_t left; // somebody unlocked
	struct range *first, *last;
	unsigned waiting;
};

int rangelock_init(struct rangelock *l) must_use;
void rangelock_destroy(struct rangelock *l); // nobody inside
void rangelock_lock(
	struct rangelock *l, struct range *r, uint64_t start, uint64_t end, bool exclusive);
void rangelock_unlock(struct rangelock *l, struct range *r);

#endif
