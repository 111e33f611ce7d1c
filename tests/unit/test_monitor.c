// SPDX-License-Identifier: MIT
// What the monitor asks, when, and what the answers do, on a clock that is moved by hand and
// without a thread.
#include "monitor_fixture.h"

static void a_hundred_disks_on_one_key_cost_one_question_per_interval(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 100, &default_policy);
	uint64_t before = seen(f.mount.lease[99]).deadline_ns;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(f.store.unwraps, 1);
	assert_true(f.store.describes <= 1);
	assert_true(seen(f.mount.lease[99]).deadline_ns > before);
	run_for(&f.mount, 100 * MINUTE);
	assert_in_range(f.store.unwraps, 90, 112); // 60 s, give or take a tenth
	assert_int_equal(alive(&f), 100);
	finish(&f);
}

static void each_version_of_a_key_has_its_own_question(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 3, &default_policy);
	(void)mount_add(&f.mount, f.key, "v2", &default_policy);
	struct errmsg err;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 3, &err), 0);
	f.store.unwraps = 0;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(f.store.unwraps, 2);
	finish(&f);
}

static void rule_2_the_default_policy_stops_one_hour_after_the_last_proof(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 2, &default_policy);
	run_for(&f.mount, 10 * MINUTE);
	uint64_t revoked = f.mount.time.boot;
	uint64_t proof = seen(f.mount.lease[0]).last_grant_ns;
	f.store.unwrap = CMK_DENIED;
	run_until(&f.mount, proof + HOUR - SECOND);
	assert_int_equal(alive(&f), 2);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_GRACE_DENIED);
	run_until(&f.mount, revoked + HOUR + 66 * SECOND);
	assert_int_equal(alive(&f), 0);
	assert_int_equal(keys_live(&f.mount.key[0]), 0);
	assert_int_equal(seen(f.mount.lease[0]).since_ns, proof + HOUR);
	assert_int_equal(seen(f.mount.lease[0]).reason, CMK_REASON_DISABLED);
	assert_string_equal(seen(f.mount.lease[0]).sentence, "the store says 1");
	// The checks go on, and the disks come back by themselves.
	f.store.unwrap = CMK_GRANTED;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(alive(&f), 2);
	finish(&f);
}

static void an_outage_is_lived_through_for_a_day(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	uint64_t proof = f.mount.time.boot;
	f.store.unwrap = CMK_UNREACHABLE;
	run_until(&f.mount, proof + 24 * HOUR - SECOND);
	assert_int_equal(alive(&f), 1);
	run_until(&f.mount, proof + 24 * HOUR);
	assert_int_equal(alive(&f), 0);
	finish(&f);
}

static void rule_5_a_dead_timekeeper_and_a_dead_asker_only_stop_it_earlier(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	// Nothing steps: as if no thread of the monitor lived.
	pass(&f.mount.time, 24 * HOUR - 1);
	assert_int_equal(alive(&f), 1);
	pass(&f.mount.time, 1);
	assert_int_equal(alive(&f), 0);
	assert_int_equal(keys_live(&f.mount.key[0]), 0);
	finish(&f);
}

static void without_answers_it_asks_with_back_off_up_to_the_interval(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	run_for(&f.mount, 66 * SECOND);
	f.store.unwrap = CMK_UNREACHABLE;
	run_for(&f.mount, 54 * SECOND); // the first failure is within these
	uint64_t last = 0;
	uint64_t gap = 0;
	for (int i = 0; i < 12; i++) {
		int before = f.store.unwraps;
		while (f.store.unwraps == before)
			run_until(&f.mount, f.mount.monitor->keys[0]->schedule.due_ns);
		gap = f.mount.time.boot - last;
		last = f.mount.time.boot;
		assert_true(i == 0 || gap <= 60 * SECOND);
	}
	assert_true(gap >= 54 * SECOND);
	assert_true(f.store.unwraps < 25);
	finish(&f);
}

static void news_is_asked_about_at_once_but_five_times_a_second_at_most(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	run_for(&f.mount, SECOND);
	assert_int_equal(f.store.unwraps, 0);
	f.store.unwrap = CMK_DENIED;
	struct key *k = f.mount.monitor->keys[0];
	script_news(&f.store);
	asker_news(k);
	(void)asker_step(k);
	assert_int_equal(f.store.unwraps, 1);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_GRACE_DENIED);
	f.store.unwrap = CMK_GRANTED;
	for (int i = 0; i < 1000; i++) { // one second of uproar
		script_news(&f.store);
		asker_news(k);
		(void)asker_step(k);
		pass(&f.mount.time, MS);
	}
	assert_in_range(f.store.unwraps, 5, 7);
	// A descriptor with nothing to say is left alone for a while.
	asker_news(k);
	assert_true(k->deaf_until_ns > f.mount.time.boot);
	finish(&f);
}

struct describe_probe {
	struct fixture *f;
	uint64_t deadline;
};

static void note_deadline(void *ctx)
{
	struct describe_probe *p = ctx;
	p->deadline = seen(p->f->mount.lease[0]).deadline_ns;
}

static void a_failing_describe_never_hurts_a_grant(void **state)
{
	(void)state;
	static const enum cmk_verdict failures[] = {
		CMK_DENIED, CMK_UNREACHABLE, CMK_MISCONFIGURED, CMK_BAD_BLOB};
	for (size_t i = 0; i < 4; i++) {
		struct fixture f;
		build(&f, 1, &default_policy);
		uint64_t before = seen(f.mount.lease[0]).deadline_ns;
		struct describe_probe p = {&f, 0};
		f.store.on_describe = note_deadline;
		f.store.on_describe_ctx = &p;
		f.store.describe = failures[i];
		run_for(&f.mount, 66 * SECOND);
		assert_int_equal(f.store.describes, 1);
		assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
		// The grant was told before the attributes were asked for: they may hang.
		assert_true(p.deadline > before);
		finish(&f);
	}
}

static void rule_4_an_expired_key_stops_the_disk_though_the_store_still_unwraps(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	f.store.exp = f.mount.time.wall + 600;
	uint64_t expires = f.mount.time.boot + 600 * SECOND;
	run_until(&f.mount, expires - SECOND);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	// What is known of the dates outlives a store that stops telling them.
	f.store.describe = CMK_UNREACHABLE;
	run_until(&f.mount, expires + 66 * SECOND);
	assert_int_equal(seen(f.mount.lease[0]).cause, LEASE_CAUSE_EXPIRED);
	const char *sentence = seen(f.mount.lease[0]).sentence;
	assert_non_null(
		strstr(sentence, "https://vault.example/keys/k, version v1, expired at 20"));
	run_until(&f.mount, expires + HOUR);
	assert_int_equal(alive(&f), 0);
	// Stopped, it is not unwrapped again and again in vain.
	f.store.unwraps = 0;
	f.mount.opened = 0;
	run_for(&f.mount, 10 * MINUTE);
	assert_in_range(f.store.unwraps, 8, 12);
	assert_int_equal(f.mount.opened, 0);
	// A later date, and it goes on.
	f.store.describe = CMK_GRANTED;
	f.store.exp = f.mount.time.wall + 86400;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(alive(&f), 1);
	finish(&f);
}

static void one_damaged_binding_does_not_count_against_the_others(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 20, &default_policy);
	f.store.bad_token = 0;
	uint64_t before = seen(f.mount.lease[0]).deadline_ns;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(f.store.unwraps, 2);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(seen(f.mount.lease[i]).state, LEASE_ACTIVE);
		assert_true(seen(f.mount.lease[i]).deadline_ns > before);
	}
	run_for(&f.mount, 66 * SECOND);
	assert_true(f.store.unwraps <= 4); // and the bad one is not asked about again
	f.store.all_bad = true;
	f.store.unwraps = 0;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(seen(f.mount.lease[5]).state, LEASE_GRACE_UNREACHABLE);
	assert_int_equal(alive(&f), 20);
	finish(&f);
}

static void resume_by_hand_waits_for_the_hand(void **state)
{
	(void)state;
	struct fixture f;
	struct lease_policy manual = default_policy;
	struct errmsg err = {""};
	manual.resume_auto = false;
	build(&f, 1, &manual);
	(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), 0);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	assert_int_equal(alive(&f), 0);
	f.store.unwrap = CMK_GRANTED;
	run_for(&f.mount, 3 * MINUTE);
	assert_false(enters(f.mount.lease[0]));
	assert_true(enters(f.mount.lease[1]));
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), 0);
	assert_true(enters(f.mount.lease[0]));
	// Locked by hand it stays locked, whatever the store grants.
	lease_lock(f.mount.lease[1], "by hand");
	run_for(&f.mount, HOUR);
	assert_false(enters(f.mount.lease[1]));
	finish(&f);
}

static void rule_9_another_disk_under_the_same_name_does_not_resume(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	build(&f, 1, &default_policy);
	lease_lock(f.mount.lease[0], "by hand");
	f.mount.opener_error = -EBADMSG;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "another disk"));
	assert_int_equal(alive(&f), 0);
	f.mount.opener_error = 0;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), 0);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	f.store.unwrap = CMK_GRANTED;
	f.mount.opener_error = -EBADMSG;
	run_for(&f.mount, HOUR);
	assert_int_equal(alive(&f), 0);
	assert_int_equal(keys_live(&f.mount.key[0]), 0);
	f.mount.opener_error = 0;
	run_for(&f.mount, 2 * MINUTE);
	assert_int_equal(alive(&f), 1);
	finish(&f);
}

static void rule_10_a_transient_denial_stops_nothing(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 5 * MINUTE);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_GRACE_DENIED);
	f.store.unwrap = CMK_GRANTED;
	run_for(&f.mount, 66 * SECOND);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	assert_int_equal(seen(f.mount.lease[0]).stops, 0);
	finish(&f);
}

static void rule_8_a_first_unlock_needs_a_grant_and_says_why_there_is_none(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	static const int expected[] = {0, -EKEYREVOKED, -EHOSTUNREACH, -EDOM, -EBADMSG};
	build(&f, 1, &default_policy);
	lease_lock(f.mount.lease[0], "by hand");
	for (int v = CMK_DENIED; v <= CMK_BAD_BLOB; v++) {
		char sentence[64];
		f.store.unwrap = (enum cmk_verdict)v;
		assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), expected[v]);
		(void)snprintf(sentence, sizeof(sentence), "the store says %d", v);
		assert_string_equal(err.text, sentence);
	}
	f.store.unwrap = CMK_GRANTED;
	f.store.exp = 86400;
	pass(&f.mount.time, 11 * SECOND); // what is known of the key is not fresh any more
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), -EKEYEXPIRED);
	assert_non_null(
		strstr(err.text, "version v1, expired at 1970-01-02T00:00:00Z; set a later"));
	assert_int_equal(alive(&f), 0);
	finish(&f);
}

static void the_view_counts_what_was_asked(void **state)
{
	(void)state;
	struct fixture f;
	struct monitor_view v;
	build(&f, 2, &default_policy);
	run_for(&f.mount, 66 * SECOND);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 66 * SECOND);
	monitor_view(f.mount.monitor, 1, &v);
	assert_int_equal(v.checks, v.grants + v.denials + v.failures);
	assert_true(v.grants >= 1 && v.denials >= 1 && v.failures == 0);
	assert_true(v.next_check_ns > f.mount.time.boot - MINUTE);
	assert_string_equal(v.info.version, "v1");
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_disks_on_one_key_cost_one_question_per_interval),
		cmocka_unit_test(each_version_of_a_key_has_its_own_question),
		cmocka_unit_test(rule_2_the_default_policy_stops_one_hour_after_the_last_proof),
		cmocka_unit_test(an_outage_is_lived_through_for_a_day),
		cmocka_unit_test(rule_5_a_dead_timekeeper_and_a_dead_asker_only_stop_it_earlier),
		cmocka_unit_test(without_answers_it_asks_with_back_off_up_to_the_interval),
		cmocka_unit_test(news_is_asked_about_at_once_but_five_times_a_second_at_most),
		cmocka_unit_test(a_failing_describe_never_hurts_a_grant),
		cmocka_unit_test(
			rule_4_an_expired_key_stops_the_disk_though_the_store_still_unwraps),
		cmocka_unit_test(one_damaged_binding_does_not_count_against_the_others),
		cmocka_unit_test(resume_by_hand_waits_for_the_hand),
		cmocka_unit_test(rule_9_another_disk_under_the_same_name_does_not_resume),
		cmocka_unit_test(rule_10_a_transient_denial_stops_nothing),
		cmocka_unit_test(rule_8_a_first_unlock_needs_a_grant_and_says_why_there_is_none),
		cmocka_unit_test(the_view_counts_what_was_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
