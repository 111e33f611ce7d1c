// SPDX-License-Identifier: MIT
// The lease under load: whatever stops it, afterwards nobody is inside and the key is gone. Also
// prints what a use of the key costs.
#include "lease_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define USERS 4

struct world {
	struct fake_time time;
	struct fake_key key;
	struct lease *lease;
	atomic_int inside;
	atomic_ulong uses;
	atomic_bool end;
	atomic_int used_after_free; // a user found the key destroyed under its hands
};

// A key of its own each time, so that address sanitizers see a use after the wipe.
struct heap_key {
	struct world *world;
	atomic_int alive;
};

static int heap_make(void *ctx, const struct secret *dek, void **key)
{
	(void)dek;
	struct world *w = ctx;
	struct heap_key *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->world = w;
	k->alive = 1;
	w->key.made++;
	*key = k;
	return 0;
}

static void heap_destroy(void **key)
{
	struct heap_key *k = *key;
	if (k->world->inside != 0)
		k->world->used_after_free++;
	k->alive = 0;
	k->world->key.destroyed++;
	free(k);
	*key = NULL;
}

static void *user(void *ctx)
{
	struct world *w = ctx;
	while (!w->end) {
		void *key;
		if (lease_enter(w->lease, &key) < 0) {
			(void)sched_yield();
			continue;
		}
		w->inside++;
		if (!((struct heap_key *)key)->alive)
			w->used_after_free++;
		w->uses++;
		w->inside--;
		lease_leave(w->lease);
	}
	return NULL;
}

static const struct lease_policy policy = {
	.grace_denied_ms = 1000,
	.grace_unreachable_ms = 2000,
	.expiry_stops = true,
	.resume_auto = true,
};

static void build(struct world *w)
{
	memset(w, 0, sizeof(*w));
	fake_time_init(&w->time);
	struct lease_key_ops ops = {heap_make, heap_destroy, w};
	assert_int_equal(lease_new(&w->time.source, &policy, &ops, NULL, NULL, &w->lease), 0);
}

static void start_lease(struct world *w)
{
	struct lease_verdict v = {.verdict = CMK_GRANTED, .asked_ns = w->time.boot};
	assert_int_equal(lease_unlock(w->lease, NULL, &v, true), 0);
}

static void wait_for_uses(struct world *w, unsigned long more)
{
	unsigned long until = w->uses + more;
	while (w->uses < until)
		(void)sched_yield();
}

// How it stops in round i: by hand, by the clock seen in lease_enter or a tick, by a denial.
static void stop_lease(struct world *w, int i)
{
	if (i % 3 == 0) {
		lease_lock(w->lease, "by hand");
		assert_int_equal(w->inside, 0);
		assert_int_equal(keys_live(&w->key), 0);
		return;
	}
	if (i % 3 == 1) {
		pass(&w->time, 2 * SECOND);
	} else {
		pass(&w->time, SECOND);
		struct lease_verdict v = {.verdict = CMK_DENIED, .asked_ns = w->time.boot};
		lease_verdict(w->lease, &v);
	}
	while (lease_tick(w->lease) != UINT64_MAX)
		(void)sched_yield();
	assert_int_equal(keys_live(&w->key), 0);
}

static void after_any_stop_nobody_is_inside_and_the_key_is_gone(void **state)
{
	(void)state;
	struct world w;
	pthread_t threads[USERS];
	build(&w);
	for (size_t i = 0; i < USERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, user, &w), 0);
	for (int i = 0; i < 300; i++) {
		start_lease(&w);
		wait_for_uses(&w, 20);
		stop_lease(&w, i);
		unsigned long uses = w.uses;
		(void)sched_yield();
		assert_int_equal(w.uses, uses);
		pass(&w.time, 1);
	}
	w.end = true;
	for (size_t i = 0; i < USERS; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(w.used_after_free, 0);
	assert_int_equal(w.key.made, 300);
	lease_free(&w.lease);
	assert_int_equal(keys_live(&w.key), 0);
}

static void *hammer(void *ctx)
{
	struct lease *l = ctx;
	for (int i = 0; i < 200000; i++)
		(void)enters(l);
	return NULL;
}

static void print_cost(struct lease *l, int count)
{
	pthread_t threads[USERS];
	uint64_t start = clock_boot_ns(clock_real());
	for (int i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, l), 0);
	for (int i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	uint64_t ns = clock_boot_ns(clock_real()) - start;
	print_message("enter and leave, %d threads: %.0f ns each, %.1f million/s\n", count,
		(double)ns / 200000.0 / count, 200000.0 * count * 1000.0 / (double)ns);
}

static void a_use_costs_far_less_than_a_request(void **state)
{
	(void)state;
	struct world w;
	build(&w);
	struct lease_key_ops ops = {heap_make, heap_destroy, &w};
	struct lease_policy long_policy = {
		.grace_denied_ms = HOUR_MS, .grace_unreachable_ms = HOUR_MS};
	struct lease *l;
	assert_int_equal(lease_new(clock_real(), &long_policy, &ops, NULL, NULL, &l), 0);
	struct lease_verdict v = {.verdict = CMK_GRANTED, .asked_ns = clock_boot_ns(clock_real())};
	assert_int_equal(lease_unlock(l, NULL, &v, true), 0);
	for (int n = 1; n <= USERS; n *= 2)
		print_cost(l, n);
	assert_true(enters(l));
	lease_free(&l);
	lease_free(&w.lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_any_stop_nobody_is_inside_and_the_key_is_gone),
		cmocka_unit_test(a_use_costs_far_less_than_a_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
