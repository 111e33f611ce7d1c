// SPDX-License-Identifier: MIT
// A clock that is moved by hand and a key that only counts: what the tests of the lease and the
// monitor share.
#ifndef CMK_LEASE_FIXTURE_H
#define CMK_LEASE_FIXTURE_H

#include "lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS NS_PER_MS
#define SECOND NS_PER_S
#define HOUR (3600 * NS_PER_S)
#define HOUR_MS (3600 * MS_PER_S)
#define START_BOOT (1000 * SECOND)
#define START_WALL 1700000000

struct fake_time {
	_Atomic uint64_t boot;
	_Atomic int64_t wall;
	struct clock_source source;
};

static inline uint64_t fake_boot(void *ctx)
{
	return ((struct fake_time *)ctx)->boot;
}

static inline int64_t fake_wall(void *ctx)
{
	return ((struct fake_time *)ctx)->wall;
}

static inline void fake_time_init(struct fake_time *t)
{
	t->boot = START_BOOT;
	t->wall = START_WALL;
	t->source = (struct clock_source){fake_boot, fake_wall, t};
}

static inline void pass(struct fake_time *t, uint64_t ns)
{
	t->boot += ns;
	t->wall = START_WALL + (int64_t)((t->boot - START_BOOT) / SECOND);
}

// A key is a pointer to this very struct; live says whether it is in memory.
struct fake_key {
	atomic_int made, destroyed;
	int make_error;
	void (*during_make)(void *ctx);
	void *during_make_ctx;
};

static inline int fake_make(void *ctx, const struct secret *dek, void **key)
{
	struct fake_key *k = ctx;
	(void)dek;
	if (k->during_make)
		k->during_make(k->during_make_ctx);
	if (k->make_error)
		return k->make_error;
	k->made++;
	*key = k;
	return 0;
}

static inline void fake_destroy(void **key)
{
	((struct fake_key *)*key)->destroyed++;
	*key = NULL;
}

static inline struct lease_key_ops fake_ops(struct fake_key *k)
{
	return (struct lease_key_ops){fake_make, fake_destroy, k};
}

static inline int keys_live(const struct fake_key *k)
{
	return k->made - k->destroyed;
}

static inline bool enters(struct lease *l)
{
	void *key;
	if (lease_enter(l, &key) < 0)
		return false;
	lease_leave(l);
	return true;
}

static inline struct lease_view seen(struct lease *l)
{
	struct lease_view v;
	lease_view(l, &v);
	return v;
}

#endif
