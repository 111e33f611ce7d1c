// SPDX-License-Identifier: MIT
// Byte range to sectors, and nothing else.
#include "extent.h"

#include <assert.h>

struct extent extent_of(uint64_t off, uint64_t len, uint32_t sector)
{
	assert(sector > 0 && (sector & (sector - 1)) == 0);
	assert(len <= UINT64_MAX - off && off + len <= UINT64_MAX - (sector - 1));
	const uint64_t mask = sector - 1;
	struct extent e = {.start = off & ~mask};
	if (len == 0) {
		e.end = e.start;
		return e;
	}
	e.end = (off + len + mask) & ~mask;
	e.head = (size_t)(off - e.start);
	e.tail = (size_t)(e.end - (off + len));
	bool one = e.end - e.start == sector;
	e.head_partial = e.head > 0 || (one && e.tail > 0);
	e.tail_partial = e.tail > 0 || (one && e.head > 0);
	return e;
}

uint64_t extent_clamp(uint64_t off, uint64_t len, uint64_t size)
{
	if (off >= size)
		return 0;
	return len < size - off ? len : size - off;
}
