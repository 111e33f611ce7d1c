// SPDX-License-Identifier: MIT
// The monitor's threads on the real clock, with graces of a fraction of a second.
#include "monitor_fixture.h"

#include <pthread.h>
#include <time.h>

static const struct lease_policy short_policy = {
	.grace_denied_ms = 100,
	.grace_unreachable_ms = 200,
	.expiry_stops = true,
	.resume_auto = true,
};

static void nap(void)
{
	struct timespec t = {0, 1000000};
	(void)nanosleep(&t, NULL);
}

#define EVENTUALLY(what)                                               \
	do {                                                           \
		for (int naps_ = 0; naps_ < 20000 && !(what); naps_++) \
			nap();                                         \
		assert_true(what);                                     \
	} while (0)

static int add_key(struct mount *m, struct script *s)
{
	script_init(s);
	struct key_source source = script_source(s);
	int key = monitor_add_key(m->monitor, &source);
	assert_true(key >= 0);
	return key;
}

static void a_hung_store_stops_its_disks_on_time_and_no_others(void **state)
{
	(void)state;
	struct script hung;
	struct script fine;
	struct mount m;
	struct lease_policy calm = default_policy;
	mount_init(&m, clock_real(), 20);
	(void)mount_add(&m, add_key(&m, &hung), "v1", &short_policy);
	(void)mount_add(&m, add_key(&m, &fine), "v1", &calm);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	EVENTUALLY(hung.unwraps > 3);
	assert_true(enters(m.lease[0]));
	hung.hung = true;
	EVENTUALLY(hung.in_unwrap);
	int before = fine.unwraps;
	uint64_t deadline = seen(m.lease[0]).deadline_ns;
	// Only the report is looked at, so that no look of ours is what stops it.
	EVENTUALLY(m.gone_ns[0] != 0);
	assert_int_equal(keys_live(&m.key[0]), 0);
	assert_true(m.gone_ns[0] >= deadline);
	assert_true(m.gone_ns[0] <= deadline + 100 * MS);
	print_message("wiped and told %.2f ms after the deadline\n",
		(double)(m.gone_ns[0] - deadline) / 1e6);
	EVENTUALLY(fine.unwraps > before + 3);
	assert_true(enters(m.lease[1]));
	assert_int_equal(seen(m.lease[1]).state, LEASE_ACTIVE);
	// When the store is back, so is the disk.
	hung.hung = false;
	EVENTUALLY(enters(m.lease[0]));
	mount_free(&m);
	(void)close(hung.bell);
	(void)close(fine.bell);
}

// Nobody rings the timekeeper here: its own timer must.
static void rule_7_the_key_is_gone_within_100_ms_of_the_deadline(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	mount_init(&m, clock_real(), 3600000);
	(void)mount_add(&m, add_key(&m, &s), "v1", &short_policy);
	mount_unlock(&m);
	uint64_t deadline = seen(m.lease[0]).deadline_ns;
	s.hung = true; // or its asker would extend it
	assert_int_equal(monitor_start(m.monitor), 0);
	assert_int_equal(keys_live(&m.key[0]), 1);
	EVENTUALLY(m.gone_ns[0] != 0);
	assert_int_equal(keys_live(&m.key[0]), 0);
	assert_in_range(m.gone_ns[0], deadline, deadline + 100 * MS);
	s.hung = false;
	mount_free(&m);
	(void)close(s.bell);
}

static void news_reaches_the_asker_before_the_interval(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	mount_init(&m, clock_real(), 3600000);
	struct lease_policy p = short_policy;
	p.grace_unreachable_ms = 4 * 3600000;
	(void)mount_add(&m, add_key(&m, &s), "v1", &p);
	(void)mount_add(&m, 0, "v1", &p);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	s.unwrap = CMK_DENIED;
	script_news(&s);
	EVENTUALLY(!enters(m.lease[1]));
	assert_int_equal(seen(m.lease[1]).cause, LEASE_CAUSE_DENIED);
	s.unwrap = CMK_GRANTED;
	script_news(&s);
	EVENTUALLY(enters(m.lease[1]));
	mount_free(&m);
	(void)close(s.bell);
}

static int check(struct mount *m, int disk, struct errmsg *err)
{
	return monitor_check(m->monitor, &disk, 1, err);
}

static int unlock(struct mount *m, int disk, struct errmsg *err)
{
	return monitor_unlock(m->monitor, &disk, 1, err);
}

static void people_ask_through_the_askers_thread(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	struct errmsg err = {""};
	mount_init(&m, clock_real(), 3600000);
	(void)mount_add(&m, add_key(&m, &s), "v1", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	int before = s.unwraps;
	assert_int_equal(check(&m, 0, &err), 0);
	assert_int_equal(s.unwraps, before + 1);
	s.unwrap = CMK_UNREACHABLE;
	assert_int_equal(check(&m, 0, &err), -EHOSTUNREACH);
	assert_string_equal(err.text, "the store says 2");
	s.unwrap = CMK_GRANTED;
	s.exp = 86400;
	assert_int_equal(check(&m, 0, &err), -EKEYEXPIRED);
	assert_non_null(strstr(err.text, "1970-01-02"));
	s.exp = 0;
	lease_lock(m.lease[0], "by hand");
	assert_int_equal(check(&m, 0, &err), 0);
	assert_false(enters(m.lease[0]));
	s.unwrap = CMK_DENIED;
	assert_int_equal(unlock(&m, 0, &err), -EKEYREVOKED);
	s.unwrap = CMK_GRANTED;
	assert_int_equal(unlock(&m, 0, &err), 0);
	assert_int_equal(unlock(&m, 0, NULL), 0);
	assert_true(enters(m.lease[0]));
	mount_free(&m);
	(void)close(s.bell);
}

struct asked {
	struct mount *m;
	int result;
};

static void *ask_many_times(void *ctx)
{
	struct asked *a = ctx;
	for (int i = 0; i < 200; i++)
		a->result |= check(a->m, i % 2, NULL);
	return NULL;
}

static void many_may_ask_at_once(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	pthread_t threads[4];
	struct asked asked[4];
	mount_init(&m, clock_real(), 1);
	(void)mount_add(&m, add_key(&m, &s), "v1", &default_policy);
	(void)mount_add(&m, 0, "v2", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	for (size_t i = 0; i < 4; i++) {
		asked[i] = (struct asked){&m, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, &asked[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(asked[i].result, 0);
	}
	mount_free(&m);
	(void)close(s.bell);
}

static void *free_monitor(void *ctx)
{
	struct mount *m = ctx;
	return monitor_free(&m->monitor) ? m : NULL;
}

static void the_end_wipes_the_keys_before_it_waits_for_a_slow_store(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	pthread_t thread;
	mount_init(&m, clock_real(), 10);
	(void)mount_add(&m, add_key(&m, &s), "v1", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	s.hung = true;
	EVENTUALLY(s.in_unwrap);
	assert_int_equal(keys_live(&m.key[0]), 1);
	assert_int_equal(pthread_create(&thread, NULL, free_monitor, &m), 0);
	EVENTUALLY(keys_live(&m.key[0]) == 0);
	assert_true(s.hung && s.in_unwrap);
	s.hung = false;
	(void)pthread_join(thread, NULL);
	assert_false(enters(m.lease[0]));
	mount_free(&m);
	(void)close(s.bell);
}

static void a_hundred_disks_are_asked_about_with_one_question(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	struct errmsg err;
	int all[100];
	mount_init(&m, clock_real(), 3600000);
	int key = add_key(&m, &s);
	for (int i = 0; i < 100; i++)
		all[i] = mount_add(&m, key, "v1", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	s.unwraps = 0;
	assert_int_equal(monitor_check(m.monitor, all, 100, &err), 0);
	// Two if the asker woke up while they were being put.
	assert_in_range(s.unwraps, 1, 2);
	mount_free(&m);
	(void)close(s.bell);
}

static void *unlock_second(void *ctx)
{
	struct asked *a = ctx;
	a->result = unlock(a->m, 1, NULL);
	return NULL;
}

// Disk 1's backing store hangs while its header is read.
static void a_hung_backing_store_delays_no_question_and_no_end(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	pthread_t thread;
	struct lease_policy brief = default_policy;
	brief.grace_unreachable_ms = 1000;
	mount_init(&m, clock_real(), 20);
	(void)mount_add(&m, add_key(&m, &s), "v1", &brief);
	(void)mount_add(&m, 0, "v1", &brief);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	lease_lock(m.lease[1], "by hand");
	m.hung_token = 1;
	struct asked asked = {&m, 0};
	assert_int_equal(pthread_create(&thread, NULL, unlock_second, &asked), 0);
	EVENTUALLY(m.in_open);
	// The other disk lives on, three graces long.
	uint64_t until = clock_boot_ns(clock_real()) + 3 * SECOND;
	EVENTUALLY(clock_boot_ns(clock_real()) >= until);
	assert_true(m.in_open);
	assert_true(enters(m.lease[0]));
	assert_int_equal(seen(m.lease[0]).stops, 0);
	// The end lets go of the one who waits, wipes the keys, and does not wait for ever.
	struct monitor *left = m.monitor;
	monitor_stop(m.monitor);
	(void)pthread_join(thread, NULL);
	assert_int_equal(asked.result, -EBUSY);
	assert_int_equal(monitor_free(&m.monitor), -EBUSY);
	assert_int_equal(keys_live(&m.key[0]), 0);
	// When the store is back, what was granted before the end starts nothing any more.
	m.hung_token = -1;
	m.monitor = left;
	EVENTUALLY(!m.in_open);
	mount_free(&m);
	(void)close(s.bell);
}

static void a_deadline_holds_before_the_monitor_asks(void **state)
{
	(void)state;
	struct script s;
	struct mount m;
	mount_init(&m, clock_real(), 3600000);
	(void)mount_add(&m, add_key(&m, &s), "v1", &short_policy);
	assert_int_equal(monitor_keep_time(m.monitor), 0);
	mount_unlock(&m);
	assert_int_equal(keys_live(&m.key[0]), 1);
	EVENTUALLY(m.gone_ns[0] != 0);
	assert_int_equal(keys_live(&m.key[0]), 0);
	mount_free(&m);
	(void)close(s.bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hung_store_stops_its_disks_on_time_and_no_others),
		cmocka_unit_test(rule_7_the_key_is_gone_within_100_ms_of_the_deadline),
		cmocka_unit_test(news_reaches_the_asker_before_the_interval),
		cmocka_unit_test(people_ask_through_the_askers_thread),
		cmocka_unit_test(many_may_ask_at_once),
		cmocka_unit_test(a_hundred_disks_are_asked_about_with_one_question),
		cmocka_unit_test(a_hung_backing_store_delays_no_question_and_no_end),
		cmocka_unit_test(a_deadline_holds_before_the_monitor_asks),
		cmocka_unit_test(the_end_wipes_the_keys_before_it_waits_for_a_slow_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
