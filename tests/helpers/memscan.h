// SPDX-License-Identifier: MIT
// Looks for secret bytes in this process's own memory, as somebody with a debugger would.
#ifndef TEST_MEMSCAN_H
#define TEST_MEMSCAN_H

#include <stddef.h>
#include <stdint.h>

#define MASKED_MAX 64u

// What to look for, kept in a form that is not what is looked for.
struct masked {
	uint8_t bytes[MASKED_MAX];
	size_t len;
};

void mask(struct masked *m, const uint8_t *secret, size_t len);
// How often it is in readable memory. Aborts if memory cannot be read.
size_t memscan_count(const struct masked *m);
// VmLck and VmRSS of this process.
size_t memscan_locked_kib(void);
size_t memscan_resident_kib(void);

#endif
