// SPDX-License-Identifier: MIT
// Offset arithmetic, pure: a byte range and the sectors it touches.
#ifndef CMK_EXTENT_H
#define CMK_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint64_t start,
		end; // bytes, sector-aligned, covering the range; start == end if it is empty
	size_t head; // bytes between start and the range
	size_t tail; // bytes between the range and end
	bool head_partial, tail_partial; // the first / last sector is only partly covered (may be
					 // the same one)
};

// sector is a power of two. off + len must not overflow (asserted).
struct extent extent_of(uint64_t off, uint64_t len, uint32_t sector);

// The part of [off, off+len) that lies inside the disk: clamps the offset first, then the length.
uint64_t extent_clamp(uint64_t off, uint64_t len, uint64_t size);

#endif
