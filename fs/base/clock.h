// SPDX-License-Identifier: MIT
// Time as an argument. Leases use CLOCK_BOOTTIME (time asleep counts), key attributes the wall
// clock; tests hand in a clock of their own.
#ifndef CMK_CLOCK_H
#define CMK_CLOCK_H

#include <stdint.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define MS_PER_S 1000ull

struct clock_source {
	uint64_t (*boot_ns)(void *ctx); // nanoseconds, never goes back
	int64_t (*wall_s)(void *ctx);	// Unix seconds, may jump
	void *ctx;
};

// The kernel's clocks. Statically allocated; never freed.
const struct clock_source *clock_real(void);

static inline uint64_t clock_boot_ns(const struct clock_source *c)
{
	return c->boot_ns(c->ctx);
}
static inline int64_t clock_wall_s(const struct clock_source *c)
{
	return c->wall_s(c->ctx);
}

#endif
