// SPDX-License-Identifier: MIT
// Disks that move to another version or another key, on a clock that is moved by hand and without a
// thread: what is asked then, of whom, and what it does to the leases.
#include "monitor_fixture.h"

// A second key beside the fixture's.
static int second_key(struct fixture *f, struct script *s)
{
	script_init(s);
	struct key_source source = script_source(s);
	int key = monitor_add_key(f->mount.monitor, &source);
	assert_true(key > 0);
	return key;
}

static struct move *begin(struct fixture *f, int disk, int key, const char *version)
{
	struct move *mv = NULL;
	struct binding b = mount_binding(disk, version);
	assert_int_equal(rebind_begin(f->mount.monitor, disk, key, &b, &mv), 0);
	return mv;
}

// As monitor_rebind() does, with the askers driven by hand.
static void rebind(struct fixture *f, int disk, int key, const char *version)
{
	struct monitor *m = f->mount.monitor;
	struct move *mv = begin(f, disk, key, version);
	for (size_t i = 0; i < m->key_count; i++)
		rebind_serve(m->keys[i]);
	for (size_t i = 0; i < m->key_count; i++)
		rebind_serve(m->keys[i]);
	assert_int_equal(rebind_wait(m, mv, 0, NULL), 0);
}

static void after_the_last_disk_has_left_a_version_is_asked_about_no_more(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 3, &default_policy);
	rebind(&f, 0, f.key, "v2"); // whose binding was the one asked about
	run_for(&f.mount, 66 * SECOND);
	assert_true(f.store.asked_of[1] >= 1);
	assert_true(f.store.asked_of[2] >= 1);
	rebind(&f, 2, f.key, "v2");
	run_for(&f.mount, 66 * SECOND);
	rebind(&f, 1, f.key, "v2");
	int before = f.store.asked_of[1];
	run_for(&f.mount, 10 * MINUTE);
	assert_int_equal(f.store.asked_of[1], before);
	assert_int_equal(alive(&f), 3);
	finish(&f);
}

static void a_rebinding_grants_nothing_but_is_asked_about_soon(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	run_for(&f.mount, SECOND);
	assert_int_equal(f.store.unwraps, 0);
	struct lease_view before = seen(f.mount.lease[0]);
	rebind(&f, 0, f.key, "v2");
	assert_int_equal(seen(f.mount.lease[0]).deadline_ns, before.deadline_ns);
	assert_int_equal(seen(f.mount.lease[0]).last_grant_ns, before.last_grant_ns);
	assert_int_equal(f.store.unwraps, 0);
	run_for(&f.mount, SECOND); // and not the rest of the minute
	assert_int_equal(f.store.asked_of[2], 1);
	assert_int_equal(f.store.asked_of[1], 0);
	assert_true(seen(f.mount.lease[0]).deadline_ns > before.deadline_ns);
	finish(&f);
}

static void a_denial_of_the_old_version_is_over_with_the_first_grant_of_the_new(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_GRACE_DENIED);
	rebind(&f, 0, f.key, "v2");
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_GRACE_DENIED);
	f.store.unwrap = CMK_GRANTED;
	run_for(&f.mount, SECOND);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	finish(&f);
}

static void another_keys_store_alone_is_asked_after_the_move(void **state)
{
	(void)state;
	struct fixture f;
	struct script other;
	build(&f, 2, &default_policy);
	int key = second_key(&f, &other);
	run_for(&f.mount, 10 * MINUTE);
	// A key without disks is asked nothing.
	assert_int_equal(other.unwraps, 0);
	assert_int_equal(other.describes, 0);
	assert_true(f.store.unwraps > 5);
	rebind(&f, 0, key, "v1");
	rebind(&f, 1, key, "v1");
	f.store.unwraps = f.store.describes = 0;
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 10 * MINUTE);
	assert_int_equal(f.store.unwraps, 0);
	assert_int_equal(f.store.describes, 0);
	assert_true(other.unwraps > 5);
	assert_int_equal(alive(&f), 2);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	other.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	assert_int_equal(alive(&f), 0);
	finish(&f);
	(void)close(other.bell);
}

static void a_stopped_disk_goes_on_under_its_new_key(void **state)
{
	(void)state;
	struct fixture f;
	struct script other;
	build(&f, 1, &default_policy);
	int key = second_key(&f, &other);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	assert_int_equal(alive(&f), 0);
	rebind(&f, 0, key, "v7");
	assert_int_equal(alive(&f), 0);
	run_for(&f.mount, SECOND);
	assert_int_equal(alive(&f), 1);
	assert_int_equal(f.mount.opened_version, 7); // the new binding, not the old
	finish(&f);
	(void)close(other.bell);
}

static void the_shortest_grace_is_kept_by_the_new_key(void **state)
{
	(void)state;
	struct fixture f;
	struct script other;
	struct lease_policy brief = default_policy;
	brief.grace_unreachable_ms = 1000; // and the interval is a minute
	build(&f, 1, &brief);
	int key = second_key(&f, &other);
	rebind(&f, 0, key, "v1");
	run_for(&f.mount, 10 * MINUTE);
	assert_int_equal(seen(f.mount.lease[0]).stops, 0);
	finish(&f);
	(void)close(other.bell);
}

static void moves_in_quick_succession_end_with_the_last(void **state)
{
	(void)state;
	struct fixture f;
	struct script other;
	struct move *mv[3];
	build(&f, 1, &default_policy);
	struct monitor *m = f.mount.monitor;
	int key = second_key(&f, &other);
	mv[0] = begin(&f, 0, key, "v2");
	mv[1] = begin(&f, 0, f.key, "v3");
	mv[2] = begin(&f, 0, key, "v4");
	assert_int_equal(rebind_wait(m, mv[0], 0, NULL), -ETIMEDOUT); // and is not lost by it
	for (int i = 0; i < 6; i++)
		rebind_serve(m->keys[i % 2]);
	assert_int_equal(rebind_wait(m, mv[1], 0, NULL), 0);
	assert_int_equal(rebind_wait(m, mv[2], 0, NULL), 0);
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(f.store.unwraps, 0);
	assert_true(other.asked_of[4] > 0);
	assert_int_equal(other.asked_of[4], other.unwraps);
	finish(&f);
	(void)close(other.bell);
}

static void a_move_that_is_not_taken_over_ends_with_the_monitor(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	build(&f, 1, &default_policy);
	struct move *left = begin(&f, 0, f.key, "v2");
	assert_int_equal(rebind_wait(f.mount.monitor, left, 0, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "the key store has not answered"));
	left = begin(&f, 0, f.key, "v3");
	monitor_stop(f.mount.monitor);
	assert_int_equal(rebind_wait(f.mount.monitor, left, 1000, &err), -EBUSY);
	struct binding b = mount_binding(0, "v4");
	assert_int_equal(monitor_rebind(f.mount.monitor, 0, f.key, &b, &err), -EBUSY);
	finish(&f);
}

static void an_unknown_key_is_refused(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	build(&f, 1, &default_policy);
	struct binding b = mount_binding(0, "v2");
	assert_int_equal(monitor_rebind(f.mount.monitor, 0, 1, &b, &err), -EINVAL);
	assert_int_equal(monitor_rebind(f.mount.monitor, 0, -1, &b, &err), -EINVAL);
	finish(&f);
}

static void a_hundred_moves_cost_five_questions_a_second_at_most(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 100, &default_policy);
	run_for(&f.mount, SECOND);
	for (int i = 0; i < 100; i++) {
		rebind(&f, i, f.key, "v2");
		run_for(&f.mount, 10 * MS);
	}
	assert_in_range(f.store.asked_of[2], 2, 7);
	run_for(&f.mount, SECOND);
	for (int i = 0; i < 100; i++) // each has its own grant soon
		assert_true(f.mount.time.boot - seen(f.mount.lease[i]).last_grant_ns < 2 * SECOND);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_the_last_disk_has_left_a_version_is_asked_about_no_more),
		cmocka_unit_test(a_rebinding_grants_nothing_but_is_asked_about_soon),
		cmocka_unit_test(
			a_denial_of_the_old_version_is_over_with_the_first_grant_of_the_new),
		cmocka_unit_test(another_keys_store_alone_is_asked_after_the_move),
		cmocka_unit_test(a_stopped_disk_goes_on_under_its_new_key),
		cmocka_unit_test(the_shortest_grace_is_kept_by_the_new_key),
		cmocka_unit_test(moves_in_quick_succession_end_with_the_last),
		cmocka_unit_test(a_move_that_is_not_taken_over_ends_with_the_monitor),
		cmocka_unit_test(an_unknown_key_is_refused),
		cmocka_unit_test(a_hundred_moves_cost_five_questions_a_second_at_most),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
