// SPDX-License-Identifier: MIT
// One block of a rehearsal's load: magic, the run that wrote it, its number, generation and time,
// then bytes that follow from these, and a checksum over all.
#ifndef CMK_LOAD_BLOCK_H
#define CMK_LOAD_BLOCK_H

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

struct load_block {
	uint64_t run; // a random number of this load's: blocks of an earlier one are none of ours
	uint64_t number, generation;
	uint64_t time_us; // CLOCK_BOOTTIME when it was made
};

// buf: LOAD_BLOCK bytes.
void load_block_make(const struct load_block *b, uint8_t *buf);
// Whether buf is a whole block as load_block_make() made it; then *b says which.
bool load_block_parse(const uint8_t *buf, struct load_block *b) must_use;
// One step of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
// OOPSLA 2014).
uint64_t load_random(uint64_t *state);

#endif
