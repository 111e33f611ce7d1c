// SPDX-License-Identifier: MIT
// What a module says of a key that is there, and of one that is not: a key counts as taken away
// only when that is proved, and is never thought to be there when it is gone.
#include "p11_deviant_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NONE CMK_REASON_NONE
#define GONE "C_FindObjects=count:0\n"
#define MUTE "C_GetAttributeValue=mute\n"

static struct agent *begin(const struct deviant_rig *r, const char *key_url, struct cmk_wrapped *w)
{
	struct agent_answer answer;
	rig_order(r, "");
	struct agent *a = rig_start(r, key_url, LONG_MS);
	rig_make(a, w, &answer);
	if (answer.verdict != CMK_GRANTED)
		fail_msg("%s", answer.sentence);
	return a;
}

static const struct {
	const char *order, *shown, *said;
	enum cmk_verdict verdict;
	enum cmk_reason reason;
} answers[] = {
	// The token has no such key. Is it the token?
	{GONE "C_GetTokenInfo=spare:0x30\n", "C_GetTokenInfo ! spare", "CKR_DEVICE_ERROR",
		CMK_UNREACHABLE, NONE},
	{GONE "C_GetTokenInfo=spare:0xe1\n", "C_GetTokenInfo ! spare", "serial=", CMK_UNREACHABLE,
		NONE},
	// Does the session live?
	{GONE "C_GetSessionInfo=rv:0xb3\n", "C_GetSessionInfo ! rv", "CKR_SESSION_HANDLE_INVALID",
		CMK_UNREACHABLE, NONE},
	{GONE "C_GetSessionInfo=rv:0x68\n", "C_GetSessionInfo ! rv", "C_GetSessionInfo said",
		CMK_UNREACHABLE, NONE},
	{GONE "C_GetSessionInfo=rv:0x54\n", "C_GetSessionInfo ! rv", "there is no such key",
		CMK_DENIED, CMK_REASON_DELETED},
	// It was found, so it is there.
	{"C_DecryptInit=rv:0x60", "C_DecryptInit ! rv", "CKR_KEY_HANDLE_INVALID", CMK_UNREACHABLE,
		NONE},
	{"C_DecryptInit=rv:0x82", "C_DecryptInit ! rv", "CKR_OBJECT_HANDLE_INVALID",
		CMK_UNREACHABLE, NONE},
	{"C_DecryptInit=rv:0x54\nC_UnwrapKey=rv:0xf0", "C_UnwrapKey ! rv",
		"CKR_UNWRAPPING_KEY_HANDLE_INVALID", CMK_UNREACHABLE, NONE},
	// What its attributes do not tell, the token decides.
	{MUTE "C_DecryptInit=rv:0x68\nC_UnwrapKey=rv:0x68", "C_UnwrapKey ! rv",
		"CKR_KEY_FUNCTION_NOT_PERMITTED", CMK_DENIED, CMK_REASON_NOT_PERMITTED},
	{MUTE "C_DecryptInit=rv:0x30", "C_DecryptInit ! rv", "CKR_DEVICE_ERROR", CMK_UNREACHABLE,
		NONE},
	// A count that cannot be is told as such.
	{"C_GetSlotList=count:4294967295", "C_GetSlotList ! count",
		"says that it has 4294967295 slots", CMK_UNREACHABLE, NONE},
};

static void a_denial_is_proved_and_the_rest_is_not_one(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent *a = begin(r, RIG_KEY, &w);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct agent_answer answer;
		rig_order(r, answers[i].order);
		assert_false(rig_ask(a, &w, &answer));
		print_message("%s: %d %s\n", answers[i].order, answer.verdict, answer.sentence);
		assert_true(rig_logged(r, 0, answers[i].shown) > 0);
		assert_int_equal(answer.verdict, answers[i].verdict);
		assert_int_equal(answer.reason, answers[i].reason);
		assert_non_null(strstr(answer.sentence, answers[i].said));
		rig_orderly(r, rig_pid(a));
		rig_order(r, "");
		assert_true(rig_ask(a, &w, &answer));
	}
	agent_free(&a);
}

static void a_serial_number_makes_other_slots_indifferent(void **state)
{
	const struct deviant_rig *r = *state;
	CK_SESSION_INFO session;
	CK_TOKEN_INFO token;
	char url[128];
	struct cmk_wrapped w;
	struct agent_answer answer;
	CK_SESSION_HANDLE s = p11_rig_session((struct p11_rig *)(uintptr_t)&r->p11, "bank");
	assert_int_equal(r->p11.f->C_GetSessionInfo(s, &session), CKR_OK);
	assert_int_equal(r->p11.f->C_GetTokenInfo(session.slotID, &token), CKR_OK);
	assert_int_equal(r->p11.f->C_CloseSession(s), CKR_OK);
	(void)snprintf(url, sizeof(url), "%s;serial=%.16s", RIG_KEY, (char *)token.serialNumber);
	struct agent *a = begin(r, url, &w);
	rig_order(r, GONE "C_GetTokenInfo=spare:0x30\n");
	assert_false(rig_ask(a, &w, &answer));
	assert_true(rig_logged(r, 0, "C_GetTokenInfo ! spare") > 0);
	assert_int_equal(answer.verdict, CMK_DENIED);
	assert_int_equal(answer.reason, CMK_REASON_DELETED);
	agent_free(&a);
}

static void a_permission_that_is_not_told_is_tried(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {MUTE, MUTE "C_DecryptInit=rv:0x68"};
	struct cmk_wrapped w;
	struct agent *a = begin(r, RIG_KEY, &w);
	for (size_t i = 0; i < 2; i++) {
		struct agent_answer answer;
		rig_order(r, orders[i]);
		if (!rig_ask(a, &w, &answer))
			fail_msg("%s", answer.sentence);
		assert_true(rig_logged(r, 0, "C_GetAttributeValue ! mute") > 0);
		struct cmk_key_info info;
		agent_describe(a, w.version, &info, &answer);
		assert_int_equal(answer.verdict, CMK_GRANTED);
		assert_int_equal(info.enabled, -1);
	}
	agent_free(&a);
}

static void a_token_that_is_away_for_a_moment_is_found_at_the_second_look(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = begin(r, RIG_KEY, &w);
	rig_order(r, "C_GetSlotList=blink:40");
	if (!rig_ask(a, &w, &answer))
		fail_msg("%s", answer.sentence);
	assert_int_equal(rig_logged(r, 0, " C_Initialize = 0x0\n"), 2);
	agent_free(&a);
}

static void a_round_trip_that_fails_does_not_blame_a_header(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {"C_Decrypt=rv:0x40", "C_Decrypt=rv:0x41"};
	struct cmk_wrapped w, none;
	struct agent *a = begin(r, RIG_KEY, &w);
	for (size_t i = 0; i < 2; i++) {
		struct agent_answer answer;
		rig_order(r, orders[i]);
		rig_make(a, &none, &answer);
		print_message("%s: %d %s\n", orders[i], answer.verdict, answer.sentence);
		assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
		assert_non_null(strstr(answer.sentence, "no disk is bound"));
		assert_null(strstr(answer.sentence, "header"));
	}
	agent_free(&a);
}

static void a_version_that_the_url_does_not_pin_is_no_second_look_worth(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = begin(r, RIG_KEY ";id=%01%02", &w);
	assert_string_equal(w.version, "0102");
	(void)snprintf(w.version, sizeof(w.version), "0304");
	rig_order(r, "");
	assert_false(rig_ask(a, &w, &answer));
	assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
	assert_non_null(strstr(answer.sentence, "pins another one, 0102"));
	assert_int_equal(rig_logged(r, 0, " C_Initialize = 0x0\n"), 1);
	agent_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denial_is_proved_and_the_rest_is_not_one),
		cmocka_unit_test(a_serial_number_makes_other_slots_indifferent),
		cmocka_unit_test(a_permission_that_is_not_told_is_tried),
		cmocka_unit_test(a_token_that_is_away_for_a_moment_is_found_at_the_second_look),
		cmocka_unit_test(a_round_trip_that_fails_does_not_blame_a_header),
		cmocka_unit_test(a_version_that_the_url_does_not_pin_is_no_second_look_worth),
	};
	return cmocka_run_group_tests(tests, deviant_rig_setup, deviant_rig_teardown);
}
