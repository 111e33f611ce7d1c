// SPDX-License-Identifier: MIT
// The PIN in a token that locks itself: what a module was told is counted by the module. A refused
// PIN is shown once, by whichever agent of one command; an agent that ended, hung or crashed is no
// excuse.
#include "p11_deviant_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HANG_MS 3000u

static void make(const struct deviant_rig *r, struct cmk_wrapped *w)
{
	struct agent_answer answer;
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_make(a, w, &answer);
	if (answer.verdict != CMK_GRANTED)
		fail_msg("%s", answer.sentence);
	agent_free(&a);
}

static int ours_again(void **state)
{
	struct deviant_rig *r = *state;
	rig_write_pin(r, P11_RIG_PIN "\n");
	rig_order(r, "");
	rig_forget(r);
	return 0;
}

static void denied(struct agent *a, const struct cmk_wrapped *w)
{
	struct agent_answer answer;
	assert_false(rig_ask(a, w, &answer));
	if (answer.verdict != CMK_DENIED)
		fail_msg("%s", answer.sentence);
	assert_int_equal(answer.reason, CMK_REASON_IDENTITY);
	assert_non_null(strstr(answer.sentence, "PIN"));
	assert_null(strstr(answer.sentence, "4711"));
}

static void logins_are_seen_by_the_module(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	rig_order(r, "");
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	assert_true(rig_ask(a, &w, &answer));
	assert_true(rig_ask(a, &w, &answer));
	assert_int_equal(rig_logged(r, 0, " C_Login = 0x0\n"), 2);
	agent_free(&a);
}

static void a_refused_pin_is_shown_once(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	rig_order(r, "");
	rig_write_pin(r, "4711\n");
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	for (unsigned i = 0; i < 5; i++)
		denied(a, &w);
	assert_int_equal(rig_logged(r, 0, " C_Login = 0xa0\n"), 1);
	assert_int_equal(rig_logged(r, 0, " C_Login"), 1);
	rig_orderly(r, rig_pid(a));
	// A file that was written since holds another one.
	rig_write_pin(r, P11_RIG_PIN "\n");
	assert_true(rig_ask(a, &w, &answer));
	agent_free(&a);
}

// Whatever a token says of the PIN itself.
static void every_word_against_the_pin_is_final(void **state)
{
	struct deviant_rig *r = *state;
	static const char *const orders[] = {
		"C_Login=rv:0xa0", // CKR_PIN_INCORRECT
		"C_Login=rv:0xa1", // CKR_PIN_INVALID
		"C_Login=rv:0xa2", // CKR_PIN_LEN_RANGE
		"C_Login=rv:0xa3", // CKR_PIN_EXPIRED
		"C_Login=rv:0xa4", // CKR_PIN_LOCKED
	};
	struct cmk_wrapped w;
	make(r, &w);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		rig_forget(r);
		rig_order(r, orders[i]);
		struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
		denied(a, &w);
		denied(a, &w);
		denied(a, &w);
		assert_int_equal(rig_logged(r, 0, " C_Login ! rv\n"), 1);
		assert_int_equal(rig_logged(r, 0, " C_Login"), 2); // the deed and its end
		rig_orderly(r, rig_pid(a));
		agent_free(&a);
	}
}

static void the_last_try_is_left_to_a_person(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {
		"C_GetTokenInfo=flags:0x20000", // CKF_USER_PIN_FINAL_TRY
		"C_GetTokenInfo=flags:0x40000", // CKF_USER_PIN_LOCKED
	};
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		rig_order(r, orders[i]);
		struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
		denied(a, &w);
		denied(a, &w);
		assert_true(rig_logged(r, 0, " C_GetTokenInfo ! flags\n") > 0);
		assert_int_equal(rig_logged(r, 0, " C_Login"), 0);
		rig_order(r, "");
		assert_true(rig_ask(a, &w, &answer)); // it was never refused
		agent_free(&a);
	}
}

static void wait_for_back_off(uint32_t ms)
{
	(void)usleep((ms + 5) * 1000);
}

static void a_new_agent_does_not_show_it_again(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent_stats st;
	make(r, &w);
	rig_order(r, "");
	rig_write_pin(r, "4711\n");
	struct agent *a = rig_start(r, RIG_KEY, HANG_MS);
	denied(a, &w);
	assert_int_equal(rig_logged(r, 0, " C_Login = 0xa0\n"), 1);
	for (unsigned i = 0; i < 2; i++) {
		rig_order(r, i ? "C_GetSlotList=crash" : "C_GetSlotList=hang");
		assert_false(rig_ask(a, &w, &answer));
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		assert_int_equal(rig_logged(r, 0, " C_GetSlotList ! "), 1);
		assert_false(rig_ask(a, &w, &answer));
		wait_for_back_off(answer.retry_after_ms);
		rig_order(r, "");
		denied(a, &w);
		assert_int_equal(rig_logged(r, 0, " C_Login"), 0);
	}
	agent_stats(a, &st);
	assert_int_equal(st.restarts, 2);
	rig_write_pin(r, P11_RIG_PIN "\n");
	assert_true(rig_ask(a, &w, &answer));
	agent_free(&a);
}

// As for a disk with several bindings, each turned down: an agent for each.
static void agents_of_one_command_show_it_once_together(void **state)
{
	struct deviant_rig *r = *state;
	static const char *const urls[] = {RIG_KEY, RIG_KEY, RIG_KEY ";id=%01%02", RIG_AES_KEY};
	struct cmk_wrapped w;
	make(r, &w);
	rig_order(r, "");
	rig_write_pin(r, "4711\n");
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct agent *a = rig_start(r, urls[i], LONG_MS);
		denied(a, &w);
		agent_free(&a);
	}
	assert_int_equal(rig_logged(r, 0, " C_Login"), 1);
	rig_forget(r); // another command: what is counted can be more
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	denied(a, &w);
	agent_free(&a);
	assert_int_equal(rig_logged(r, 0, " C_Login"), 2);
}

// Those that run already hear of it before their next question.
static void agents_that_run_side_by_side_show_it_once_together(void **state)
{
	struct deviant_rig *r = *state;
	static const char *const urls[] = {RIG_KEY, RIG_KEY ";id=%01%02", RIG_KEY ";type=private"};
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *all[3];
	make(r, &w);
	for (size_t i = 0; i < 3; i++) {
		all[i] = rig_start(r, urls[i], LONG_MS);
		assert_true(rig_ask(all[i], &w, &answer));
	}
	rig_order(r, "");
	rig_write_pin(r, "4711\n");
	for (size_t i = 0; i < 6; i++)
		denied(all[i % 3], &w);
	assert_int_equal(rig_logged(r, 0, " C_Login"), 1);
	rig_write_pin(r, P11_RIG_PIN "\n");
	for (size_t i = 0; i < 3; i++) {
		assert_true(rig_ask(all[i], &w, &answer));
		agent_stats(all[i], &st);
		assert_int_equal(st.restarts + st.crashes + st.timeouts, 0);
	}
	for (size_t i = 0; i < 3; i++)
		agent_free(&all[i]);
}

static void a_module_that_dies_of_it_is_not_shown_it_again(void **state)
{
	struct deviant_rig *r = *state;
	static const char *const orders[] = {"C_Login=hang", "C_Login=crash", "C_Login=exit"};
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		rig_forget(r);
		rig_write_pin(r, P11_RIG_PIN "\n");
		rig_order(r, orders[i]);
		struct agent *a = rig_start(r, RIG_KEY, HANG_MS);
		assert_false(rig_ask(a, &w, &answer));
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		assert_int_equal(rig_logged(r, 0, " C_Login ! "), 1);
		assert_false(rig_ask(a, &w, &answer));
		wait_for_back_off(answer.retry_after_ms);
		rig_order(r, "");
		assert_false(rig_ask(a, &w, &answer));
		assert_int_equal(answer.verdict, CMK_DENIED);
		assert_int_equal(answer.reason, CMK_REASON_IDENTITY);
		assert_non_null(
			strstr(answer.sentence, "hung or crashed when it was shown the PIN"));
		agent_free(&a);
		a = rig_start(r, RIG_AES_KEY, LONG_MS);
		denied(a, &w);
		assert_int_equal(rig_logged(r, 0, " C_Login"), 0);
		agent_free(&a);
		rig_write_pin(r, P11_RIG_PIN "\n"); // written anew: once more
		a = rig_start(r, RIG_KEY, LONG_MS);
		assert_true(rig_ask(a, &w, &answer));
		agent_free(&a);
	}
}

static void an_answer_beside_the_point_is_shown_twice_at_most(void **state)
{
	struct deviant_rig *r = *state;
	static const char *const orders[] = {
		"C_Login=rv:5", "C_Login=rv:6", "C_Login=rv:0x30", "C_Login=rv:0x80000001"};
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		rig_forget(r);
		rig_order(r, orders[i]);
		for (unsigned n = 0; n < 4; n++) {
			struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
			assert_false(rig_ask(a, &w, &answer));
			assert_int_equal(answer.verdict, n ? CMK_DENIED : CMK_UNREACHABLE);
			assert_int_equal(rig_logged(r, 0, " C_Login = "), n ? 2 : 1);
			agent_free(&a);
		}
	}
}

// SoftHSM says CKR_GENERAL_ERROR for a moment while another process writes its token.
static void a_pin_that_was_good_is_shown_again_in_the_same_question(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {
		"C_Login=rv:5 times=1", "C_Login=rv:6 times=1", "C_Login=rv:0x102 times=1"};
	struct cmk_wrapped w;
	struct agent_answer answer;
	make(r, &w);
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		rig_order(r, orders[i]);
		bool granted = rig_ask(a, &w, &answer);
		assert_int_equal(rig_logged(r, 0, " C_Login ! rv\n"), 1);
		if (!granted)
			fail_msg("%s: %s", orders[i], answer.sentence);
		assert_int_equal(rig_logged(r, 0, " C_Login = "), 2);
	}
	// Once more within one question, and not for ever.
	rig_order(r, "C_Login=rv:5");
	assert_false(rig_ask(a, &w, &answer));
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_int_equal(rig_logged(r, 0, " C_Login = "), 2);
	rig_order(r, "");
	assert_true(rig_ask(a, &w, &answer));
	agent_free(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, ours_again, ours_again)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(logins_are_seen_by_the_module),
		T(a_refused_pin_is_shown_once),
		T(every_word_against_the_pin_is_final),
		T(the_last_try_is_left_to_a_person),
		T(a_new_agent_does_not_show_it_again),
		T(agents_of_one_command_show_it_once_together),
		T(agents_that_run_side_by_side_show_it_once_together),
		T(a_module_that_dies_of_it_is_not_shown_it_again),
		T(an_answer_beside_the_point_is_shown_twice_at_most),
		T(a_pin_that_was_good_is_shown_again_in_the_same_question),
	};
	return cmocka_run_group_tests(tests, deviant_rig_setup, deviant_rig_teardown);
}
