// SPDX-License-Identifier: MIT
// Locks on sector ranges: who excludes whom, and in which order.
#include "rangelock.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// A thread that takes one range, says so, and gives it back when told.
struct visitor {
	struct rangelock *locks;
	uint64_t start, end;
	bool exclusive;
	atomic_bool inside, go;
	pthread_t thread;
};

static void *visit(void *arg)
{
	struct visitor *v = arg;
	struct range r;
	rangelock_lock(v->locks, &r, v->start, v->end, v->exclusive);
	v->inside = true;
	while (!v->go)
		(void)sched_yield();
	rangelock_unlock(v->locks, &r);
	return NULL;
}

static void come(
	struct visitor *v, struct rangelock *l, uint64_t start, uint64_t end, bool exclusive)
{
	*v = (struct visitor){.locks = l, .start = start, .end = end, .exclusive = exclusive};
	assert_int_equal(pthread_create(&v->thread, NULL, visit, v), 0);
}

static void wait_inside(struct visitor *v)
{
	while (!v->inside)
		(void)sched_yield();
}

static void wait_waiting(struct rangelock *l, unsigned n)
{
	for (unsigned now = n + 1; now != n; (void)sched_yield()) {
		(void)pthread_mutex_lock(&l->mutex);
		now = l->waiting;
		(void)pthread_mutex_unlock(&l->mutex);
	}
}

static void leave(struct visitor *v)
{
	v->go = true;
	assert_int_equal(pthread_join(v->thread, NULL), 0);
}

static void readers_share_and_a_writer_waits_for_them_all(void **state)
{
	struct rangelock *l = *state;
	struct visitor a, b, w;
	come(&a, l, 0, 4096, false);
	wait_inside(&a);
	come(&b, l, 0, 8192, false);
	wait_inside(&b);
	come(&w, l, 4096, 8192, true);
	wait_waiting(l, 1);
	leave(&a);
	wait_waiting(l, 1);
	assert_false(w.inside);
	leave(&b);
	wait_inside(&w);
	leave(&w);
}

static void a_writer_excludes_readers_and_writers_of_its_sectors_only(void **state)
{
	struct rangelock *l = *state;
	struct visitor w, reader, writer, elsewhere, next_door;
	come(&w, l, 4096, 8192, true);
	wait_inside(&w);
	come(&elsewhere, l, 8192, 12288, true);
	wait_inside(&elsewhere);
	come(&next_door, l, 0, 4096, true);
	wait_inside(&next_door);
	come(&reader, l, 4096, 8192, false);
	wait_waiting(l, 1);
	come(&writer, l, 0, 8192, true);
	wait_waiting(l, 2);
	assert_false(reader.inside || writer.inside);
	leave(&next_door);
	leave(&elsewhere);
	leave(&w);
	wait_inside(&reader);
	wait_waiting(l, 1);
	assert_false(writer.inside);
	leave(&reader);
	wait_inside(&writer);
	leave(&writer);
}

static void a_waiting_writer_is_not_starved_by_later_readers(void **state)
{
	struct rangelock *l = *state;
	struct visitor early, w, late, free_rider;
	come(&early, l, 0, 4096, false);
	wait_inside(&early);
	come(&w, l, 0, 4096, true);
	wait_waiting(l, 1);
	come(&late, l, 0, 4096, false);
	wait_waiting(l, 2);
	assert_false(late.inside);
	come(&free_rider, l, 4096, 8192, false); // no conflict: need not queue
	wait_inside(&free_rider);
	leave(&free_rider);
	leave(&early);
	wait_inside(&w);
	assert_false(late.inside);
	leave(&w);
	wait_inside(&late);
	leave(&late);
}

#define CELLS 16u
#define ROUNDS 3000u

struct field {
	struct rangelock *locks;
	unsigned cells[CELLS]; // guarded by the ranges alone: the thread sanitizer looks on
	atomic_uint seed, torn;
};

static void *plough(void *arg)
{
	struct field *f = arg;
	unsigned seed = atomic_fetch_add(&f->seed, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned a = (unsigned)rand_r(&seed) % CELLS, n = 1 + (unsigned)rand_r(&seed) % 4;
		unsigned b = a + n < CELLS ? a + n : CELLS;
		bool exclusive = rand_r(&seed) % 2;
		struct range r;
		rangelock_lock(f->locks, &r, a, b, exclusive);
		unsigned sum = 0;
		for (unsigned c = a; c < b; c++)
			sum += exclusive ? ++f->cells[c] : f->cells[c];
		for (unsigned c = a; c < b; c++)
			sum -= f->cells[c];
		if (sum)
			(void)atomic_fetch_add(&f->torn, 1);
		rangelock_unlock(f->locks, &r);
	}
	return NULL;
}

static void nobody_sees_a_range_change_under_a_lock(void **state)
{
	struct field f = {.locks = *state, .seed = 1};
	pthread_t t[4];
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, plough, &f), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(f.torn, 0);
}

static struct rangelock table;

static int set_up(void **state)
{
	*state = &table;
	return rangelock_init(&table);
}

static int take_down(void **state)
{
	rangelock_destroy(*state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, take_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readers_share_and_a_writer_waits_for_them_all),
		TEST(a_writer_excludes_readers_and_writers_of_its_sectors_only),
		TEST(a_waiting_writer_is_not_starved_by_later_readers),
		TEST(nobody_sees_a_range_change_under_a_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
