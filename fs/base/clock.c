// SPDX-License-Identifier: MIT
// The kernel's two clocks behind the table of clock.h.
#include "clock.h"

#include <assert.h>
#include <stddef.h>
#include <time.h>

// These calls fail only for clocks that the kernel does not have. A guessed time could keep a key
// alive, so there is nothing to fall back to.
static uint64_t real_boot_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	int rc = clock_gettime(CLOCK_BOOTTIME, &ts);
	assert(rc == 0);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int64_t real_wall_s(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	int rc = clock_gettime(CLOCK_REALTIME, &ts);
	assert(rc == 0);
	return ts.tv_sec;
}

static const struct clock_source real = {real_boot_ns, real_wall_s, NULL};

const struct clock_source *clock_real(void)
{
	return &real;
}
