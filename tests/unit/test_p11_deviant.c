// SPDX-License-Identifier: MIT
// What a key agent makes of PKCS#11 modules that misbehave: always an answer, in time, with the
// right verdict and a sentence; and the key is granted again as soon as the module behaves, without
// anybody doing anything. Each deviation first shows, by the module's log, that it took place.
#include "p11_deviant_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HANG_MS 3000u

// A key that works: its wrapped secret, and what is asked of its agent.
static struct agent *begin(const struct deviant_rig *r, const char *key_url, uint32_t deadline_ms,
	struct cmk_wrapped *w)
{
	struct agent_answer answer;
	rig_order(r, "");
	struct agent *a = rig_start(r, key_url, LONG_MS);
	rig_make(a, w, &answer);
	if (answer.verdict != CMK_GRANTED)
		fail_msg("%s", answer.sentence);
	if (deadline_ms == LONG_MS)
		return a;
	agent_free(&a);
	return rig_start(r, key_url, deadline_ms);
}

// The line of the log that shows the deed: "C_Decrypt=hang" is logged as "C_Decrypt ! hang".
static bool bit(const struct deviant_rig *r, const char *order)
{
	char function[64], deed[64], text[160];
	if (sscanf(order, "%63[^=]=%63[a-z]", function, deed) != 2)
		return false;
	(void)snprintf(text, sizeof(text), "%s ! %s\n", *function == '*' ? "" : function, deed);
	return rig_logged(r, 0, text) > 0;
}

// --- The process is lost -------------------------------------------------------------------------

static const struct {
	const char *order, *said;
	uint32_t deadline_ms;
} deadly[] = {
	{"C_Initialize=hang", "did not answer within 3s", HANG_MS},
	{"C_GetSlotList=hang", "did not answer within 3s", HANG_MS},
	{"C_Login=hang", "did not answer within 3s", HANG_MS},
	{"C_Decrypt=hang", "did not answer within 3s", HANG_MS},
	{"C_Finalize=hang\nC_Decrypt=rv:0x30", "did not answer within 3s", HANG_MS},
	{"C_CloseSession=hang", "did not answer within 3s", HANG_MS},
	{"C_FindObjects=reads", "did not answer within 3s", HANG_MS},
	{"C_GetFunctionList=crash", "signal 11", LONG_MS},
	{"C_Initialize=crash", "signal 11", LONG_MS},
	{"C_Login=crash", "signal 11", LONG_MS},
	{"C_Decrypt=crash", "signal 11", LONG_MS},
	{"C_OpenSession=exit", "exit status 7", LONG_MS},
	{"C_Decrypt=exit", "exit status 7", LONG_MS},
	{"C_FindObjects=writes", "sent nonsense on its line", LONG_MS},
	{"C_Initialize=closes", "", LONG_MS},
};

static void a_module_that_takes_the_process_along_is_unreachable_until_it_behaves(void **state)
{
	const struct deviant_rig *r = *state;
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		struct cmk_wrapped w;
		struct agent_answer answer;
		struct agent_stats st;
		struct agent *a = begin(r, RIG_KEY, deadly[i].deadline_ms, &w);
		agent_free(&a);
		a = rig_start(r, RIG_KEY, deadly[i].deadline_ms);
		rig_order(r, deadly[i].order);
		assert_false(rig_ask(a, &w, &answer));
		print_message("%s: %s\n", deadly[i].order, answer.sentence);
		assert_true(bit(r, deadly[i].order));
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		assert_non_null(strstr(answer.sentence, RIG_KEY));
		assert_non_null(strstr(answer.sentence, "pkcs11 provider"));
		assert_non_null(strstr(answer.sentence, deadly[i].said));
		assert_in_range(answer.took_ms, 0, deadly[i].deadline_ms + 1000);
		rig_order(r, "");
		assert_true(rig_recovers(a, &w));
		agent_stats(a, &st);
		assert_int_equal(st.restarts, 1);
		assert_int_equal(st.timeouts + st.crashes, 1);
		rig_orderly(r, st.pid);
		agent_free(&a);
	}
}

// --- The process goes on -------------------------------------------------------------------------

#define NONE CMK_REASON_NONE

static const struct {
	const char *order, *said;
	enum cmk_verdict verdict;
	enum cmk_reason reason;
} answers[] = {
	{"C_GetFunctionList=rv:5", "cannot be loaded", CMK_MISCONFIGURED, NONE},
	{"C_Initialize=rv:0x30", "CKR_DEVICE_ERROR", CMK_UNREACHABLE, NONE},
	{"C_Initialize=rv:0x80000001", "CKR_0x80000001", CMK_UNREACHABLE, NONE},
	{"C_GetSlotList=rv:0x30", "", CMK_UNREACHABLE, NONE},
	{"C_GetTokenInfo=rv:0xe0", "", CMK_UNREACHABLE, NONE},
	{"C_GetTokenInfo=rv:0x32", "", CMK_UNREACHABLE, NONE},
	{"C_OpenSession=rv:0xe0", "CKR_TOKEN_NOT_PRESENT", CMK_UNREACHABLE, NONE},
	{"C_OpenSession=rv:0xb1", "CKR_SESSION_COUNT", CMK_UNREACHABLE, NONE},
	{"C_OpenSession=rv:3", "CKR_SLOT_ID_INVALID", CMK_UNREACHABLE, NONE},
	{"C_Login=rv:0xb3", "CKR_SESSION_HANDLE_INVALID", CMK_UNREACHABLE, NONE},
	{"C_Login=rv:0x32", "CKR_DEVICE_REMOVED", CMK_UNREACHABLE, NONE},
	{"C_Login=rv:0x80000001", "CKR_0x80000001", CMK_UNREACHABLE, NONE},
	// A login that is none: the private keys are not there for whoever has not logged in.
	{"C_Login=rv:0", "login", CMK_UNREACHABLE, NONE},
	{"C_Login=rv:0x100", "login", CMK_UNREACHABLE, NONE},
	{"C_FindObjectsInit=rv:0xb3", "CKR_SESSION_HANDLE_INVALID", CMK_UNREACHABLE, NONE},
	{"C_FindObjects=rv:0x32", "CKR_DEVICE_REMOVED", CMK_UNREACHABLE, NONE},
	{"C_GetAttributeValue=rv:0x82", "CKR_OBJECT_HANDLE_INVALID", CMK_UNREACHABLE, NONE},
	{"C_DecryptInit=rv:0x30", "CKR_DEVICE_ERROR", CMK_UNREACHABLE, NONE},
	{"C_DecryptInit=rv:0x101", "CKR_USER_NOT_LOGGED_IN", CMK_UNREACHABLE, NONE},
	{"C_DecryptInit=rv:0x68", "CKR_KEY_FUNCTION_NOT_PERMITTED", CMK_DENIED,
		CMK_REASON_NOT_PERMITTED},
	{"C_Decrypt=rv:0x32", "CKR_DEVICE_REMOVED", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0xe0", "CKR_TOKEN_NOT_PRESENT", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0xb3", "CKR_SESSION_HANDLE_INVALID", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0x30", "CKR_DEVICE_ERROR", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:5", "CKR_GENERAL_ERROR", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:6", "CKR_FUNCTION_FAILED", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:2", "CKR_HOST_MEMORY", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0x150", "CKR_BUFFER_TOO_SMALL", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0x80000001", "CKR_0x80000001", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=rv:0x40", "CKR_ENCRYPTED_DATA_INVALID", CMK_BAD_BLOB, NONE},
	{"*=rv:0x190", "", CMK_UNREACHABLE, NONE},
	{"*=rv:0x54", "", CMK_UNREACHABLE, NONE},
	{"C_FindObjects=count:0", "there is no such key", CMK_DENIED, CMK_REASON_DELETED},
	// Numbers that cannot be true.
	{"C_Decrypt=length:0x100000000", "C_Decrypt", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=length:0xffffffffffffffff", "C_Decrypt", CMK_UNREACHABLE, NONE},
	{"C_Decrypt=length:0", "C_Decrypt", CMK_UNREACHABLE, NONE},
	{"C_GetAttributeValue=length:0", "class", CMK_UNREACHABLE, NONE},
	{"C_GetAttributeValue=length:0xffffffffffffffff", "class", CMK_UNREACHABLE, NONE},
	{"C_GetAttributeValue=length:0x7fffffff", "C_GetAttributeValue", CMK_UNREACHABLE, NONE},
	{"C_GetAttributeValue=length:0xfffffffffffffff0", "C_GetAttributeValue", CMK_UNREACHABLE,
		NONE},
	{"C_FindObjects=count:1000000", "C_FindObjects", CMK_UNREACHABLE, NONE},
	{"C_FindObjects=count:0xffffffffffffffff", "C_FindObjects", CMK_UNREACHABLE, NONE},
	{"C_GetSlotList=count:4294967295", "", CMK_UNREACHABLE, NONE},
	{"C_GetSlotList=count:0xffffffffffffffff", "", CMK_UNREACHABLE, NONE},
	{"C_GetSlotList=less", "", CMK_UNREACHABLE, NONE},
};

static void what_a_module_says_becomes_the_verdict_and_passes(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent *a = begin(r, RIG_KEY, LONG_MS, &w);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct agent_answer answer;
		struct agent_stats st;
		// Some happen only when the module is loaded.
		bool anew = strncmp(answers[i].order, "C_Initialize", 12) == 0 ||
			    strncmp(answers[i].order, "C_GetFunctionList", 17) == 0;
		if (anew) {
			agent_free(&a);
			a = rig_start(r, RIG_KEY, LONG_MS);
		}
		rig_order(r, answers[i].order);
		assert_false(rig_ask(a, &w, &answer));
		print_message("%s: %d %s\n", answers[i].order, answer.verdict, answer.sentence);
		assert_true(bit(r, answers[i].order));
		assert_int_equal(answer.verdict, answers[i].verdict);
		assert_int_equal(answer.reason, answers[i].reason);
		assert_non_null(strstr(answer.sentence, answers[i].said));
		assert_in_range(rig_logged(r, 0, " C_Login ! "), 0, 2);
		assert_in_range(rig_logged(r, 0, " C_Initialize flags "), 0, 2);
		rig_orderly(r, rig_pid(a));
		rig_order(r, "");
		assert_true(rig_ask(a, &w, &answer));
		agent_stats(a, &st);
		assert_int_equal(st.crashes + st.timeouts, 0);
		rig_orderly(r, st.pid);
	}
	agent_free(&a);
}

// --- One new start mends it ----------------------------------------------------------------------

static const char *const lost_once[] = {
	"C_GetSlotList=rv:0x30 times=1",
	"C_OpenSession=rv:0xe0 times=1",
	"C_OpenSession=rv:3 times=1",
	"C_Login=rv:0xb3 times=1",
	"C_Login=rv:0 times=1",
	"C_FindObjectsInit=rv:0xb3 times=1",
	"C_FindObjects=rv:0x32 times=1",
	"C_FindObjects=count:0 times=1",
	"C_GetAttributeValue=rv:0x82 times=1",
	"C_DecryptInit=rv:0x60 times=1",
	"C_DecryptInit=rv:0xb3 times=1",
	"C_Decrypt=rv:0x30 times=1",
	"C_Decrypt=rv:0x32 times=1",
	"C_GetSlotList=rv:0x190 times=1",
	"C_Decrypt=rv:0x190 times=1",
};

static void a_session_that_dies_is_taken_up_anew_from_c_finalize(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent *a = begin(r, RIG_KEY, LONG_MS, &w);
	for (size_t i = 0; i < sizeof(lost_once) / sizeof(lost_once[0]); i++) {
		struct agent_answer answer;
		rig_order(r, lost_once[i]);
		bool granted = rig_ask(a, &w, &answer);
		print_message("%s: %s\n", lost_once[i], answer.sentence);
		assert_true(bit(r, lost_once[i]));
		assert_true(granted);
		// One with which each question begins, and one more.
		assert_int_equal(rig_logged(r, 0, " C_Finalize = 0x0\n"), 2);
		assert_int_equal(rig_logged(r, 0, " C_Initialize = 0x0\n"), 2);
		rig_orderly(r, rig_pid(a));
	}
	agent_free(&a);
}

static void a_second_look_does_not_outlast_the_deadline(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent_stats st;
	struct agent *a = begin(r, RIG_KEY, 4 * HANG_MS, &w);
	rig_order(r, "C_OpenSession=slow:6500\nC_Decrypt=rv:0x30\n");
	assert_false(rig_ask(a, &w, &answer));
	assert_true(bit(r, "C_OpenSession=slow"));
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "CKR_DEVICE_ERROR"));
	assert_int_equal(rig_logged(r, 0, " C_OpenSession = "), 1);
	agent_stats(a, &st);
	assert_int_equal(st.timeouts, 0);
	rig_order(r, "");
	assert_true(rig_ask(a, &w, &answer));
	agent_free(&a);
}

// --- What is odd and does no harm ----------------------------------------------------------------

static const char *const harmless[] = {
	"C_Initialize=say:0x191", // already initialised
	"C_Initialize=fork",
	"C_Initialize=signals",
	"C_Initialize=print",
	"C_Login=say:0x100", // already logged in
	"C_Login=signals",
	"C_GetInfo=rv:0x54",
	"C_GetSlotList=less times=1",
	"C_GetTokenInfo=painted",
	"C_GetFunctionList=version:0x300",
	"C_Finalize=rv:0x30\nC_Decrypt=rv:0x30 times=1", // a session that dies, and no end either
	"C_CloseSession=say:0xb3",
	"C_FindObjectsFinal=say:0x91",
	"C_Decrypt=print",
	// These two are shown to bite those who keep what they found, in test_p11_deviant_keys.
	"slots=move\nC_Decrypt=rv:0x30 times=1",
	"handles=stale",
};

static void what_does_no_harm_is_granted_time_and_again(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = begin(r, RIG_KEY, LONG_MS, &w);
	agent_free(&a);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		a = rig_start(r, RIG_KEY, LONG_MS);
		rig_order(r, harmless[i]);
		for (unsigned n = 0; n < 3; n++)
			if (!rig_ask(a, &w, &answer))
				fail_msg("%s: %s", harmless[i], answer.sentence);
		int pid = rig_pid(a);
		long child = rig_logged_number(r, " forked ");
		rig_orderly(r, pid);
		assert_true(*harmless[i] != 'C' || bit(r, harmless[i]));
		if (strstr(harmless[i], "0x191"))
			assert_int_equal(rig_logged(r, 0, " C_Finalize"), 0);
		if (child)
			assert_true(rig_is_alive((int)child));
		agent_free(&a);
		if (strstr(harmless[i], "0x191")) // nor at the end
			assert_int_equal(rig_logged(r, 0, " C_Finalize"), 0);
		if (child)
			assert_true(rig_gone_within((int)child, 1000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_module_that_takes_the_process_along_is_unreachable_until_it_behaves),
		cmocka_unit_test(what_a_module_says_becomes_the_verdict_and_passes),
		cmocka_unit_test(a_session_that_dies_is_taken_up_anew_from_c_finalize),
		cmocka_unit_test(a_second_look_does_not_outlast_the_deadline),
		cmocka_unit_test(what_does_no_harm_is_granted_time_and_again),
	};
	return cmocka_run_group_tests(tests, deviant_rig_setup, deviant_rig_teardown);
}
