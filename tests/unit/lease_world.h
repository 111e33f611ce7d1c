// SPDX-License-Identifier: MIT
// One lease on a fake clock with a fake key, and what may be said to it in a line.
#ifndef CMK_LEASE_WORLD_H
#define CMK_LEASE_WORLD_H

#include "lease_fixture.h"

#include <errno.h>

static const struct lease_policy standard = {
	.grace_denied_ms = HOUR_MS,
	.grace_unreachable_ms = 24 * HOUR_MS,
	.expiry_stops = true,
	.resume_auto = true,
};

struct world {
	struct fake_time time;
	struct fake_key key;
	struct lease *lease;
	int told;
	struct lease_view last;
	int live_when_told;
};

static inline void changed(void *ctx, const struct lease_view *view)
{
	struct world *w = ctx;
	w->told++;
	w->last = *view;
	w->live_when_told = keys_live(&w->key);
	// The mutex is not held: asking the lease from here must not hang.
	(void)seen(w->lease);
}

static inline void build(struct world *w, const struct lease_policy *p)
{
	memset(w, 0, sizeof(*w));
	fake_time_init(&w->time);
	struct lease_key_ops ops = fake_ops(&w->key);
	assert_int_equal(lease_new(&w->time.source, p, &ops, changed, w, &w->lease), 0);
}

static inline void finish(struct world *w)
{
	lease_free(&w->lease);
	assert_null(w->lease);
	assert_int_equal(keys_live(&w->key), 0);
}

static inline struct lease_verdict answer(struct world *w, enum cmk_verdict v)
{
	struct lease_verdict a = {.verdict = v, .asked_ns = w->time.boot};
	if (v == CMK_DENIED)
		a.reason = CMK_REASON_DISABLED;
	if (v != CMK_GRANTED)
		(void)snprintf(a.sentence, sizeof(a.sentence), "verdict %d", (int)v);
	return a;
}

static inline void tell(struct world *w, enum cmk_verdict v)
{
	struct lease_verdict a = answer(w, v);
	lease_verdict(w->lease, &a);
}

static inline int unlock(struct world *w, bool by_hand)
{
	struct lease_verdict a = answer(w, CMK_GRANTED);
	return lease_unlock(w->lease, NULL, &a, by_hand);
}

static inline void build_active(struct world *w, const struct lease_policy *p)
{
	build(w, p);
	assert_int_equal(unlock(w, true), 0);
	assert_true(enters(w->lease));
}

#endif
