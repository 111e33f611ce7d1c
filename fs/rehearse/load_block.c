// SPDX-License-Identifier: MIT
// What stands in a block of the load, and how it is told from anything else.
#include "load_block.h"

#include "bytes.h"
#include "load.h"

#include <string.h>

#define AT_RUN 8
#define AT_NUMBER 16
#define AT_GENERATION 24
#define AT_TIME 32
#define AT_SUM 40
#define AT_BYTES 48
#define GOLDEN 0x9e3779b97f4a7c15u

static const uint8_t magic[8] = "cmkdload";

uint64_t load_random(uint64_t *state)
{
	uint64_t z = *state += GOLDEN;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

// Each step is a bijection of the sum: one changed word always shows, several all but always.
static uint64_t block_sum(const uint8_t *buf)
{
	uint64_t sum = GOLDEN;
	for (unsigned at = 0; at < LOAD_BLOCK; at += 8) {
		if (at == AT_SUM)
			continue;
		sum = (sum ^ load_le64(buf + at)) * GOLDEN;
		sum ^= sum >> 32;
	}
	return sum;
}

void load_block_make(const struct load_block *b, uint8_t *buf)
{
	memcpy(buf, magic, sizeof(magic));
	store_le64(buf + AT_RUN, b->run);
	store_le64(buf + AT_NUMBER, b->number);
	store_le64(buf + AT_GENERATION, b->generation);
	store_le64(buf + AT_TIME, b->time_us);
	uint64_t state = b->run ^ b->number * GOLDEN ^ b->generation << 32;
	for (unsigned at = AT_BYTES; at < LOAD_BLOCK; at += 8)
		store_le64(buf + at, load_random(&state));
	store_le64(buf + AT_SUM, block_sum(buf));
}

bool load_block_parse(const uint8_t *buf, struct load_block *b)
{
	if (memcmp(buf, magic, sizeof(magic)) != 0 || load_le64(buf + AT_SUM) != block_sum(buf))
		return false;
	*b = (struct load_block){
		.run = load_le64(buf + AT_RUN),
		.number = load_le64(buf + AT_NUMBER),
		.generation = load_le64(buf + AT_GENERATION),
		.time_us = load_le64(buf + AT_TIME),
	};
	return true;
}
