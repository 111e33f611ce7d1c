// SPDX-License-Identifier: MIT
// The lease's rules about time, 1 to 5, each by name, on a clock that is moved by hand.
#include "lease_world.h"

#include "rules.h"

#include <stdlib.h>

static void rule_1_only_a_grant_moves_the_deadline_later(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	uint64_t before = seen(w.lease).deadline_ns;
	static const enum cmk_verdict others[] = {
		CMK_UNREACHABLE, CMK_MISCONFIGURED, CMK_BAD_BLOB, CMK_DENIED};
	for (size_t i = 0; i < 4; i++) {
		pass(&w.time, 60 * SECOND);
		tell(&w, others[i]);
		assert_true(seen(w.lease).deadline_ns <= before);
	}
	// The predicate can fail: a grant does move it.
	tell(&w, CMK_GRANTED);
	assert_true(seen(w.lease).deadline_ns > before);
	finish(&w);
}

static uint64_t below(unsigned *seed, uint64_t limit)
{
	return (uint64_t)rand_r(seed) % limit;
}

static void rule_1_no_sequence_of_answers_but_grants_moves_it_later(void **state)
{
	(void)state;
	struct rules r;
	uint64_t t = 1000 * SECOND;
	unsigned seed = 7;
	int moved = 0;
	rules_init(&r, &standard, t);
	for (int i = 0; i < 200000; i++) {
		t += below(&seed, 5000) * SECOND;
		struct lease_verdict v = {.verdict = (enum cmk_verdict)below(&seed, 5),
			.asked_ns = t - below(&seed, 30) * SECOND,
			.exp = below(&seed, 3) == 0 ? 500 : 0};
		struct moment now = {t, (int64_t)below(&seed, 1000)};
		bool proves = rules_judge(&r, &v, now.wall_s) == 0;
		if (r.now.state == LEASE_STOPPED && rules_may_start(&r, &v, true, now) == 0) {
			rules_start(&r, &v, t);
			continue;
		}
		uint64_t before = r.now.deadline_ns;
		rules_verdict(&r, &v, now);
		if (r.now.deadline_ns > before) {
			assert_true(proves);
			moved++;
		}
		assert_true(r.now.state == LEASE_STOPPED || r.now.deadline_ns > t);
	}
	assert_true(moved > 1000);
}

static void rule_2_a_grant_counts_from_when_it_was_asked(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, 60 * SECOND);
	struct lease_verdict a = answer(&w, CMK_GRANTED);
	pass(&w.time, 8 * SECOND); // a slow answer
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).deadline_ns, a.asked_ns + 24 * HOUR);
	assert_int_equal(seen(w.lease).last_grant_ns, a.asked_ns);
	finish(&w);
}

static void rule_2_a_denial_leaves_one_hour_since_the_last_grant(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	uint64_t grant = w.time.boot;
	pass(&w.time, 60 * SECOND);
	tell(&w, CMK_DENIED);
	assert_int_equal(seen(w.lease).state, LEASE_GRACE_DENIED);
	assert_int_equal(seen(w.lease).deadline_ns, grant + HOUR);
	w.time.boot = grant + HOUR - 1;
	assert_true(enters(w.lease));
	w.time.boot = grant + HOUR; // exactly now is over
	assert_false(enters(w.lease));
	assert_int_equal(seen(w.lease).state, LEASE_STOPPED);
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_DENIED);
	finish(&w);
}

static void rule_2_a_denial_after_a_long_outage_stops_at_once(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, 5 * HOUR);
	tell(&w, CMK_UNREACHABLE);
	assert_true(enters(w.lease));
	tell(&w, CMK_DENIED);
	assert_false(enters(w.lease));
	assert_int_equal(keys_live(&w.key), 0);
	finish(&w);
}

static void rule_2_a_longer_grace_for_denial_never_lengthens(void **state)
{
	(void)state;
	struct world w;
	struct lease_policy p = standard;
	p.grace_denied_ms = 48 * HOUR_MS;
	build_active(&w, &p);
	uint64_t before = seen(w.lease).deadline_ns;
	tell(&w, CMK_DENIED);
	assert_int_equal(seen(w.lease).deadline_ns, before);
	finish(&w);
}

static void rule_2_endless_graces_do_not_overflow(void **state)
{
	(void)state;
	struct world w;
	struct lease_policy p = standard;
	p.grace_denied_ms = p.grace_unreachable_ms = UINT64_MAX;
	build_active(&w, &p);
	tell(&w, CMK_DENIED);
	pass(&w.time, 10000 * HOUR);
	assert_true(enters(w.lease));
	assert_int_equal(seen(w.lease).deadline_ns, UINT64_MAX);
	finish(&w);
}

static void rule_2_older_answers_are_ignored(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, SECOND);
	struct lease_verdict old = answer(&w, CMK_GRANTED);
	pass(&w.time, SECOND);
	tell(&w, CMK_DENIED);
	lease_verdict(w.lease, &old);
	assert_int_equal(seen(w.lease).state, LEASE_GRACE_DENIED);
	// Nor does an answer from the future gain time.
	old.asked_ns = w.time.boot + 100 * HOUR;
	lease_verdict(w.lease, &old);
	assert_int_equal(seen(w.lease).deadline_ns, w.time.boot + 24 * HOUR);
	finish(&w);
}

static void rule_3_an_outage_after_a_denial_keeps_the_short_clock(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	tell(&w, CMK_DENIED);
	uint64_t deadline = seen(w.lease).deadline_ns;
	pass(&w.time, 60 * SECOND);
	tell(&w, CMK_UNREACHABLE);
	assert_int_equal(seen(w.lease).state, LEASE_GRACE_DENIED);
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_DENIED);
	assert_int_equal(seen(w.lease).deadline_ns, deadline);
	pass(&w.time, 60 * SECOND);
	tell(&w, CMK_GRANTED);
	assert_int_equal(seen(w.lease).state, LEASE_ACTIVE);
	tell(&w, CMK_UNREACHABLE);
	assert_int_equal(seen(w.lease).state, LEASE_GRACE_UNREACHABLE);
	assert_int_equal(seen(w.lease).deadline_ns, w.time.boot + 24 * HOUR);
	finish(&w);
}

static void rule_4_a_grant_of_an_expired_key_counts_as_denial(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, 60 * SECOND);
	struct lease_verdict a = answer(&w, CMK_GRANTED);
	a.exp = w.time.wall + 1; // valid for one more second
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).state, LEASE_ACTIVE);
	uint64_t grant = w.time.boot;
	pass(&w.time, SECOND);
	a.asked_ns = w.time.boot; // now == exp: expired
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).state, LEASE_GRACE_DENIED);
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_EXPIRED);
	assert_int_equal(seen(w.lease).deadline_ns, grant + HOUR);
	pass(&w.time, HOUR);
	assert_int_equal(lease_open_status(w.lease), -EKEYEXPIRED);
	a.asked_ns = w.time.boot;
	assert_int_equal(lease_unlock(w.lease, NULL, &a, true), -EKEYEXPIRED);
	finish(&w);
}

static void rule_4_a_key_not_yet_valid_counts_as_denial(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	struct lease_verdict a = answer(&w, CMK_GRANTED);
	a.nbf = w.time.wall + 1;
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_NOT_YET_VALID);
	pass(&w.time, SECOND);
	a.asked_ns = w.time.boot; // now == nbf: valid
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).state, LEASE_ACTIVE);
	finish(&w);
}

static void rule_4_under_ignore_expiry_is_only_reported(void **state)
{
	(void)state;
	struct world w;
	struct lease_policy p = standard;
	p.expiry_stops = false;
	build_active(&w, &p);
	pass(&w.time, 60 * SECOND);
	struct lease_verdict a = answer(&w, CMK_GRANTED);
	a.exp = w.time.wall - 100;
	lease_verdict(w.lease, &a);
	assert_int_equal(seen(w.lease).state, LEASE_ACTIVE);
	assert_int_equal(seen(w.lease).exp, a.exp);
	assert_int_equal(seen(w.lease).deadline_ns, w.time.boot + 24 * HOUR);
	finish(&w);
}

static void rule_5_enter_itself_sees_that_the_time_is_over(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	int told = w.told;
	pass(&w.time, 24 * HOUR);
	// Nobody ticks, nobody asks: the use itself refuses, and wipes.
	assert_int_equal(keys_live(&w.key), 1);
	assert_false(enters(w.lease));
	assert_int_equal(keys_live(&w.key), 0);
	assert_int_equal(w.told, told); // never from the data path
	assert_int_equal(lease_tick(w.lease), UINT64_MAX);
	assert_int_equal(w.told, told + 1);
	assert_int_equal(w.last.state, LEASE_STOPPED);
	assert_int_equal(w.last.cause, LEASE_CAUSE_UNREACHABLE);
	assert_true(w.last.sentence[0] != '\0');
	finish(&w);
}

static void rule_5_every_other_way_in_sees_it_too(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct world w;
		build_active(&w, &standard);
		pass(&w.time, 24 * HOUR - 1);
		assert_int_equal(lease_check(w.lease), 0);
		assert_int_equal(lease_open_status(w.lease), 0);
		pass(&w.time, 1);
		if (way == 0)
			assert_int_equal(lease_check(w.lease), -EIO);
		else if (way == 1)
			assert_int_equal(lease_open_status(w.lease), -ENOKEY);
		else if (way == 2)
			assert_int_equal(seen(w.lease).state, LEASE_STOPPED);
		else
			tell(&w, CMK_GRANTED); // too late: a grant does not restart
		assert_int_equal(keys_live(&w.key), 0);
		assert_false(enters(w.lease));
		finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_1_only_a_grant_moves_the_deadline_later),
		cmocka_unit_test(rule_1_no_sequence_of_answers_but_grants_moves_it_later),
		cmocka_unit_test(rule_2_a_grant_counts_from_when_it_was_asked),
		cmocka_unit_test(rule_2_a_denial_leaves_one_hour_since_the_last_grant),
		cmocka_unit_test(rule_2_a_denial_after_a_long_outage_stops_at_once),
		cmocka_unit_test(rule_2_a_longer_grace_for_denial_never_lengthens),
		cmocka_unit_test(rule_2_endless_graces_do_not_overflow),
		cmocka_unit_test(rule_2_older_answers_are_ignored),
		cmocka_unit_test(rule_3_an_outage_after_a_denial_keeps_the_short_clock),
		cmocka_unit_test(rule_4_a_grant_of_an_expired_key_counts_as_denial),
		cmocka_unit_test(rule_4_a_key_not_yet_valid_counts_as_denial),
		cmocka_unit_test(rule_4_under_ignore_expiry_is_only_reported),
		cmocka_unit_test(rule_5_enter_itself_sees_that_the_time_is_over),
		cmocka_unit_test(rule_5_every_other_way_in_sees_it_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
