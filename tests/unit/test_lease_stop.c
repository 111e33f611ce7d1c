// SPDX-License-Identifier: MIT
// The lease's rules about stopping and starting, 6 to 10, each by name, and the ways to unlock.
#include "lease_world.h"

static void rule_6_between_two_uses_nobody_keeps_the_key(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	void *key;
	assert_int_equal(lease_enter(w.lease, &key), 0);
	lease_leave(w.lease); // and now the store hangs for ever
	lease_lock(w.lease, "by hand");
	assert_int_equal(keys_live(&w.key), 0);
	finish(&w);
}

static void rule_7_the_last_one_out_wipes_and_then_it_is_told(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	void *a;
	void *b;
	assert_int_equal(lease_enter(w.lease, &a), 0);
	assert_int_equal(lease_enter(w.lease, &b), 0);
	assert_ptr_equal(a, b);
	int told = w.told;
	pass(&w.time, 24 * HOUR);
	assert_int_equal(lease_tick(w.lease), w.time.boot + MS); // still draining: come again
	assert_false(enters(w.lease));
	lease_leave(w.lease);
	assert_int_equal(keys_live(&w.key), 1);
	assert_int_equal(w.told, told);
	lease_leave(w.lease);
	assert_int_equal(keys_live(&w.key), 0);
	assert_int_equal(lease_tick(w.lease), UINT64_MAX);
	assert_int_equal(w.told, told + 1);
	assert_int_equal(w.live_when_told, 0);
	assert_false(w.last.key_present);
	assert_int_equal(w.last.stops, 1);
	finish(&w);
}

static void rule_7_a_new_open_learns_why(void **state)
{
	(void)state;
	struct world w;
	build(&w, &standard);
	assert_int_equal(lease_open_status(w.lease), -ENOKEY); // not unlocked
	assert_int_equal(unlock(&w, true), 0);
	pass(&w.time, 24 * HOUR);
	assert_int_equal(lease_open_status(w.lease), -ENOKEY); // unreachable
	tell(&w, CMK_DENIED); // the outage turns out to be a denial
	assert_int_equal(lease_open_status(w.lease), -EKEYREVOKED);
	assert_string_equal(seen(w.lease).sentence, "verdict 1");
	tell(&w, CMK_UNREACHABLE);
	assert_int_equal(lease_open_status(w.lease), -EKEYREVOKED);
	lease_lock(w.lease, "by hand");
	tell(&w, CMK_DENIED);
	assert_int_equal(lease_open_status(w.lease), -ENOKEY); // locked explains itself
	assert_string_equal(seen(w.lease).sentence, "by hand");
	finish(&w);
}

static void rule_8_a_new_lease_grants_nothing(void **state)
{
	(void)state;
	struct world w;
	build(&w, &standard);
	assert_false(enters(w.lease));
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_NOT_UNLOCKED);
	tell(&w, CMK_GRANTED);
	assert_false(enters(w.lease));
	struct lease_verdict old = answer(&w, CMK_GRANTED);
	old.asked_ns -= 1; // a proof from before the restart
	assert_int_equal(lease_unlock(w.lease, NULL, &old, true), -ETIME);
	assert_false(enters(w.lease));
	finish(&w);
}

static void rule_9_a_key_that_cannot_be_made_starts_nothing(void **state)
{
	(void)state;
	struct world w;
	build(&w, &standard);
	w.key.make_error = -EINVAL;
	assert_int_equal(unlock(&w, true), -EINVAL);
	assert_false(enters(w.lease));
	w.key.make_error = 0;
	assert_int_equal(unlock(&w, true), 0);
	finish(&w);
}

static void rule_10_a_denial_that_passes_within_the_grace_harms_nobody(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, 60 * SECOND);
	tell(&w, CMK_DENIED);
	pass(&w.time, HOUR / 2);
	assert_true(enters(w.lease));
	tell(&w, CMK_GRANTED);
	assert_int_equal(seen(w.lease).state, LEASE_ACTIVE);
	assert_int_equal(seen(w.lease).stops, 0);
	assert_string_equal(seen(w.lease).sentence, "");
	assert_int_equal(w.key.made, 1);
	finish(&w);
}

static void resuming_needs_a_proof_asked_after_the_stop(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	struct lease_verdict cached = answer(&w, CMK_GRANTED);
	pass(&w.time, 1);
	lease_lock(w.lease, "by hand");
	assert_int_equal(lease_unlock(w.lease, NULL, &cached, true), -ETIME);
	assert_int_equal(unlock(&w, true), 0);
	assert_int_equal(unlock(&w, true), -EALREADY);
	assert_int_equal(w.key.made, 2);
	finish(&w);
}

static void resuming_by_itself_is_refused_when_locked_or_manual(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	pass(&w.time, 24 * HOUR);
	assert_true(lease_resumes_itself(w.lease));
	assert_int_equal(unlock(&w, false), 0);
	assert_false(lease_resumes_itself(w.lease));
	lease_lock(w.lease, "by hand");
	assert_false(lease_resumes_itself(w.lease));
	assert_int_equal(unlock(&w, false), -EPERM);
	assert_int_equal(unlock(&w, true), 0);
	finish(&w);

	struct lease_policy manual = standard;
	manual.resume_auto = false;
	build_active(&w, &manual);
	pass(&w.time, 24 * HOUR);
	assert_false(lease_resumes_itself(w.lease));
	assert_int_equal(unlock(&w, false), -EPERM);
	assert_non_null(strstr(seen(w.lease).sentence, "cmkdisk unlock"));
	assert_int_equal(unlock(&w, true), 0);
	finish(&w);
}

static void unlock_by_each_verdict_says_why_not(void **state)
{
	(void)state;
	struct world w;
	build(&w, &standard);
	static const int expected[] = {0, -EKEYREVOKED, -ENOKEY, -ENOKEY, -ENOKEY};
	for (int v = CMK_BAD_BLOB; v >= 0; v--) {
		struct lease_verdict a = answer(&w, (enum cmk_verdict)v);
		assert_int_equal(lease_unlock(w.lease, NULL, &a, true), expected[v]);
	}
	assert_true(enters(w.lease));
	finish(&w);
}

static void lock_meanwhile(void *ctx)
{
	lease_lock(ctx, "meanwhile");
}

static void deny_meanwhile(void *ctx)
{
	struct world *w = ctx;
	tell(w, CMK_DENIED);
}

static void wait_meanwhile(void *ctx)
{
	struct world *w = ctx;
	pass(&w->time, 24 * HOUR);
}

static void a_proof_stays_good_beside_a_newer_one_but_not_after_a_refusal(void **state)
{
	(void)state;
	struct world w;
	build_active(&w, &standard);
	lease_lock(w.lease, "by hand");
	pass(&w.time, 1);
	struct lease_verdict proof = answer(&w, CMK_GRANTED);
	pass(&w.time, 1);
	tell(&w, CMK_GRANTED); // a check, while the header is read for the one who unlocks
	assert_int_equal(lease_unlock(w.lease, NULL, &proof, true), 0);
	lease_lock(w.lease, "by hand");
	pass(&w.time, 1);
	proof = answer(&w, CMK_GRANTED);
	pass(&w.time, 1);
	tell(&w, CMK_DENIED);
	assert_int_equal(lease_unlock(w.lease, NULL, &proof, true), -ETIME);
	finish(&w);
}

static void what_happens_while_the_key_is_made_is_seen(void **state)
{
	(void)state;
	struct world w;
	build(&w, &standard);
	w.key.during_make = lock_meanwhile;
	w.key.during_make_ctx = w.lease;
	assert_int_equal(unlock(&w, true), -EAGAIN);
	assert_int_equal(seen(w.lease).cause, LEASE_CAUSE_LOCKED);
	w.key.during_make_ctx = &w;
	w.key.during_make = deny_meanwhile;
	assert_int_equal(unlock(&w, true), -EAGAIN);
	w.key.during_make = wait_meanwhile;
	assert_int_equal(unlock(&w, true), -ETIME);
	assert_int_equal(keys_live(&w.key), 0);
	assert_int_equal(w.key.made, 3);
	w.key.during_make = NULL;
	assert_int_equal(unlock(&w, true), 0);
	finish(&w);
}

static void every_state_and_cause_has_a_name(void **state)
{
	(void)state;
	for (int s = LEASE_ACTIVE; s <= LEASE_STOPPED; s++)
		assert_non_null(lease_state_name((enum lease_state)s));
	for (int c = LEASE_CAUSE_NONE; c <= LEASE_CAUSE_LOCKED; c++)
		assert_non_null(lease_cause_name((enum lease_cause)c));
	assert_string_equal(lease_state_name(LEASE_GRACE_DENIED), "grace-denied");
	assert_string_equal(lease_cause_name(LEASE_CAUSE_NOT_UNLOCKED), "not-unlocked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_6_between_two_uses_nobody_keeps_the_key),
		cmocka_unit_test(rule_7_the_last_one_out_wipes_and_then_it_is_told),
		cmocka_unit_test(rule_7_a_new_open_learns_why),
		cmocka_unit_test(rule_8_a_new_lease_grants_nothing),
		cmocka_unit_test(rule_9_a_key_that_cannot_be_made_starts_nothing),
		cmocka_unit_test(rule_10_a_denial_that_passes_within_the_grace_harms_nobody),
		cmocka_unit_test(resuming_needs_a_proof_asked_after_the_stop),
		cmocka_unit_test(resuming_by_itself_is_refused_when_locked_or_manual),
		cmocka_unit_test(unlock_by_each_verdict_says_why_not),
		cmocka_unit_test(a_proof_stays_good_beside_a_newer_one_but_not_after_a_refusal),
		cmocka_unit_test(what_happens_while_the_key_is_made_is_seen),
		cmocka_unit_test(every_state_and_cause_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
