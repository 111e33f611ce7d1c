// SPDX-License-Identifier: MIT
// Disks that move while the monitor's threads are at work: on the real clock.
#include "monitor_fixture.h"

#include <pthread.h>
#include <time.h>

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

static int rebind(struct mount *m, int disk, int key, const char *version, struct errmsg *err)
{
	struct binding b = mount_binding(disk, version);
	return monitor_rebind(m->monitor, disk, key, &b, err);
}

struct asker_thread {
	struct mount *m;
	atomic_bool *end;
	int disk, result, times;
};

static void *ask_until_the_end(void *ctx)
{
	struct asker_thread *a = ctx;
	struct monitor_view v;
	while (!*a->end || a->times == 0) {
		a->result |= monitor_check(a->m->monitor, &a->disk, 1, NULL);
		a->result |= monitor_unlock(a->m->monitor, &a->disk, 1, NULL);
		monitor_view(a->m->monitor, a->disk, &v);
		a->times++;
	}
	return NULL;
}

static void disks_move_between_versions_and_keys_while_they_are_asked_about(void **state)
{
	(void)state;
	struct script one, two;
	struct mount m;
	struct asker_thread threads[4];
	pthread_t ids[4];
	atomic_bool end = false;
	mount_init(&m, clock_real(), 1);
	int keys[2] = {add_key(&m, &one), add_key(&m, &two)};
	for (int i = 0; i < 4; i++)
		(void)mount_add(&m, keys[0], "v0", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	for (int i = 0; i < 4; i++) {
		threads[i] = (struct asker_thread){.m = &m, .end = &end, .disk = i};
		assert_int_equal(pthread_create(&ids[i], NULL, ask_until_the_end, &threads[i]), 0);
	}
	for (int i = 0; i < 300; i++) {
		char version[3] = {'v', (char)('0' + i % 7 + 1), '\0'};
		assert_int_equal(rebind(&m, i % 4, keys[(i / 3) % 2], version, NULL), 0);
	}
	end = true;
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(ids[i], NULL);
		assert_int_equal(threads[i].result, 0);
		assert_true(enters(m.lease[i]));
	}
	// v0 was everybody's at first, and is nobody's any more.
	int before = one.asked_of[0];
	assert_true(before > 0);
	int now = one.unwraps + two.unwraps;
	EVENTUALLY(one.unwraps + two.unwraps > now + 20);
	assert_int_equal(one.asked_of[0], before);
	mount_free(&m);
	(void)close(one.bell);
	(void)close(two.bell);
}

static void a_key_that_is_added_at_run_time_takes_a_disk_over(void **state)
{
	(void)state;
	struct script old, fresh;
	struct mount m;
	struct errmsg err = {""};
	mount_init(&m, clock_real(), 20);
	(void)mount_add(&m, add_key(&m, &old), "v1", &default_policy);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	int key = add_key(&m, &fresh);
	EVENTUALLY(old.unwraps > 3);
	assert_int_equal(fresh.unwraps + fresh.describes, 0);
	assert_int_equal(rebind(&m, 0, key, "v2", &err), 0);
	int before = old.unwraps + old.describes;
	EVENTUALLY(fresh.asked_of[2] > 3);
	assert_int_equal(old.unwraps + old.describes, before);
	assert_int_equal(monitor_check(m.monitor, &(int){0}, 1, &err), 0);
	fresh.unwrap = CMK_DENIED;
	assert_int_equal(monitor_check(m.monitor, &(int){0}, 1, &err), -EKEYREVOKED);
	monitor_stop(m.monitor);
	struct key_source source = script_source(&fresh);
	assert_int_equal(monitor_add_key(m.monitor, &source), -EBUSY);
	mount_free(&m);
	(void)close(old.bell);
	(void)close(fresh.bell);
}

struct rebinder {
	struct mount *m;
	int key, result;
	struct errmsg err;
};

static void *rebind_once(void *ctx)
{
	struct rebinder *r = ctx;
	r->result = rebind(r->m, 0, r->key, "v2", &r->err);
	return NULL;
}

static bool waits_to_be_moved(struct key *k)
{
	(void)pthread_mutex_lock(&k->lock);
	bool waits = k->moves != NULL;
	(void)pthread_mutex_unlock(&k->lock);
	return waits;
}

static void the_end_does_not_wait_for_a_store_that_hangs(void **state)
{
	(void)state;
	struct script hung, fine;
	struct mount m;
	pthread_t thread;
	mount_init(&m, clock_real(), 10);
	(void)mount_add(&m, add_key(&m, &hung), "v1", &default_policy);
	struct rebinder r = {.m = &m, .key = add_key(&m, &fine), .result = 1};
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	hung.hung = true;
	EVENTUALLY(hung.in_unwrap);
	assert_int_equal(pthread_create(&thread, NULL, rebind_once, &r), 0);
	EVENTUALLY(waits_to_be_moved(m.monitor->keys[0]));
	monitor_stop(m.monitor);
	(void)pthread_join(thread, NULL);
	assert_int_equal(r.result, -EBUSY);
	assert_string_equal(r.err.text, "The disk is being unmounted");
	assert_true(hung.in_unwrap);
	hung.hung = false;
	mount_free(&m);
	(void)close(hung.bell);
	(void)close(fine.bell);
}

// It comes to nothing, and the new key resumes the disk.
static void a_resumption_under_the_old_key_ends_when_the_disk_is_moved(void **state)
{
	(void)state;
	struct script old, fresh;
	struct mount m;
	struct errmsg err = {""};
	struct lease_policy brief = default_policy;
	brief.grace_denied_ms = 10;
	mount_init(&m, clock_real(), 20);
	(void)mount_add(&m, add_key(&m, &old), "v1", &brief);
	int key = add_key(&m, &fresh);
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	old.unwrap = CMK_DENIED;
	EVENTUALLY(!enters(m.lease[0]));
	m.hung_token = 0;
	old.unwrap = CMK_GRANTED;
	EVENTUALLY(m.in_open); // reads the header for the old binding
	fresh.hung = true;     // or its answer would make the old grant void by its age
	assert_int_equal(rebind(&m, 0, key, "v2", &err), 0);
	int opened = m.opened;
	m.hung_token = -1;
	EVENTUALLY(m.opened == opened + 1);
	EVENTUALLY(!resumer_has(m.monitor, m.monitor->disks[0]));
	assert_false(enters(m.lease[0])); // what the old key granted started nothing
	fresh.hung = false;
	EVENTUALLY(enters(m.lease[0]));
	assert_int_equal(m.opened_version, 2);
	mount_free(&m);
	(void)close(old.bell);
	(void)close(fresh.bell);
}

static void *unlock_first(void *ctx)
{
	struct rebinder *r = ctx;
	r->result = monitor_unlock(r->m->monitor, &(int){0}, 1, &r->err);
	return NULL;
}

// Behind another disk whose backing store hangs.
static void an_unlock_that_waits_for_its_header_follows_the_disk(void **state)
{
	(void)state;
	struct script old, fresh;
	struct mount m;
	pthread_t thread;
	mount_init(&m, clock_real(), 20);
	(void)mount_add(&m, add_key(&m, &old), "v1", &default_policy);
	struct lease_policy brief = default_policy;
	brief.grace_denied_ms = 10;
	(void)mount_add(&m, 0, "v1", &brief);
	struct rebinder r = {.m = &m, .key = add_key(&m, &fresh), .result = 1};
	mount_unlock(&m);
	assert_int_equal(monitor_start(m.monitor), 0);
	struct disk *disk = m.monitor->disks[0];
	m.hung_token = 1;
	old.unwrap = CMK_DENIED;
	EVENTUALLY(!enters(m.lease[1]));
	lease_lock(m.lease[0], "by hand");
	old.unwrap = CMK_GRANTED;
	EVENTUALLY(m.in_open); // of disk 1
	assert_int_equal(pthread_create(&thread, NULL, unlock_first, &r), 0);
	EVENTUALLY(resumer_has(m.monitor, disk));
	fresh.hung = true;
	assert_int_equal(rebind(&m, 0, r.key, "v2", &r.err), 0);
	assert_false(resumer_has(m.monitor, disk)); // nothing of the old key's waits
	fresh.hung = false;
	EVENTUALLY(resumer_has(m.monitor, disk));
	m.hung_token = -1;
	(void)pthread_join(thread, NULL);
	assert_int_equal(r.result, 0);
	assert_true(enters(m.lease[0]));
	mount_free(&m);
	(void)close(old.bell);
	(void)close(fresh.bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_move_between_versions_and_keys_while_they_are_asked_about),
		cmocka_unit_test(a_key_that_is_added_at_run_time_takes_a_disk_over),
		cmocka_unit_test(the_end_does_not_wait_for_a_store_that_hangs),
		cmocka_unit_test(a_resumption_under_the_old_key_ends_when_the_disk_is_moved),
		cmocka_unit_test(an_unlock_that_waits_for_its_header_follows_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
