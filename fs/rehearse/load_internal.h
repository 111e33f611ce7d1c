// SPDX-License-Identifier: MIT
// What the files of the load share.
#ifndef CMK_LOAD_INTERNAL_H
#define CMK_LOAD_INTERNAL_H

#include "clock.h"
#include "load.h"
#include "load_record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Generations of one block, from 1. A write is on its way while begun and ended differ.
struct history {
	_Atomic uint64_t begun, ended; // the last that was put; the last that came back, as it may
	_Atomic uint64_t good;	       // the last that succeeded
	atomic_bool wrong;	       // it was found wrong, and counted
};

struct worker {
	struct load *load;
	unsigned index;
	bool writes;
	uint64_t first, count; // blocks that it may touch
	uint64_t random;
	uint8_t *buf;
	pthread_t thread;
	bool running;
};

struct load {
	struct load_config config;
	char *path;
	uint64_t run, blocks;
	struct history *history;
	struct load_record record;
	struct worker *workers;
	unsigned count;

	pthread_mutex_t lock; // guards the rest
	pthread_cond_t changed;
	int fd; // -1: let go
	unsigned inside;
	bool ending;
};

static inline uint64_t load_now_us(void)
{
	return clock_boot_ns(clock_real()) / 1000;
}

// Judges a block that was read: least, most: the generations that it may hold. Counts a wrong one.
bool load_judge(struct load *l, uint64_t number, const uint8_t *buf, uint64_t least, uint64_t most);
int load_workers_make(struct load *l) must_use;
int load_workers_start(struct load *l, struct errmsg *err) must_use;
void load_workers_stop(struct load *l);

#endif
