// SPDX-License-Identifier: MIT
// Modules that lie about keys and tokens: other bytes, other keys under old handles, text that is
// none, functions that are missing. And that the module of these tests really does what it is asked
// to where only a careless caller would notice.
#include "p11_deviant_rig.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// --- The module by itself ------------------------------------------------------------------------

static CK_FUNCTION_LIST *load(const struct deviant_rig *r)
{
	CK_FUNCTION_LIST *f = NULL;
	CK_C_GetFunctionList get = NULL;
	assert_int_equal(setenv("DEVIANT_CONTROL", r->control, 1), 0);
	assert_int_equal(setenv("DEVIANT_LOG", r->log, 1), 0);
	void *handle = dlopen(DEVIANT_MODULE, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(handle);
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	assert_int_equal(get(&f), CKR_OK);
	return f;
}

static CK_SLOT_ID token_slot(CK_FUNCTION_LIST *f)
{
	CK_SLOT_ID slots[8];
	CK_ULONG n = 8;
	assert_int_equal(f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO token;
		assert_int_equal(f->C_GetTokenInfo(slots[i], &token), CKR_OK);
		if (token.flags & CKF_TOKEN_INITIALIZED)
			return slots[i];
	}
	fail_msg("no token in %lu slots", n);
	return 0;
}

static CK_SESSION_HANDLE session(CK_FUNCTION_LIST *f)
{
	CK_SESSION_HANDLE s;
	assert_int_equal(
		f->C_OpenSession(token_slot(f), CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_OK);
	assert_int_equal(f->C_Login(s, CKU_USER, (CK_UTF8CHAR *)P11_RIG_PIN, 4), CKR_OK);
	return s;
}

static void label_of(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, char label[16])
{
	memset(label, 0, 16);
	CK_ATTRIBUTE a = {CKA_LABEL, label, 15};
	assert_int_equal(f->C_GetAttributeValue(s, h, &a, 1), CKR_OK);
}

static void an_old_handle_is_another_key_and_an_old_slot_is_gone(void **state)
{
	const struct deviant_rig *r = *state;
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE like[] = {
		{CKA_LABEL, (void *)(uintptr_t) "disk", 4}, {CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE h;
	CK_ULONG n = 0;
	char label[16];
	rig_order(r, "handles=stale\nslots=move\n");
	CK_FUNCTION_LIST *f = load(r);
	assert_int_equal(f->C_Initialize(&args), CKR_OK);
	CK_SLOT_ID old_slot = token_slot(f);
	CK_SESSION_HANDLE s = session(f);
	assert_int_equal(f->C_FindObjectsInit(s, like, 2), CKR_OK);
	assert_int_equal(f->C_FindObjects(s, &h, 1, &n), CKR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(f->C_FindObjectsFinal(s), CKR_OK);
	label_of(f, s, h, label);
	assert_string_equal(label, "disk");
	assert_int_equal(f->C_CloseSession(s), CKR_OK);
	s = session(f);
	label_of(f, s, h, label);
	assert_string_equal(label, "decoy");
	assert_int_equal(rig_logged(r, 0, " handles ! stale\n"), 1);
	assert_int_equal(f->C_Finalize(NULL), CKR_OK);
	assert_int_equal(f->C_Initialize(&args), CKR_OK);
	assert_int_not_equal(token_slot(f), old_slot);
	assert_int_equal(f->C_OpenSession(old_slot, CKF_SERIAL_SESSION, NULL, NULL, &s),
		CKR_SLOT_ID_INVALID);
	assert_int_equal(rig_logged(r, 0, " slots ! move\n"), 1);
	assert_int_equal(f->C_Finalize(NULL), CKR_OK);
}

static void a_fork_of_the_process_that_loaded_it_cannot_use_it(void **state)
{
	const struct deviant_rig *r = *state;
	int status = 0;
	rig_order(r, "");
	CK_FUNCTION_LIST *f = load(r);
	pid_t pid = fork();
	if (pid == 0)
		_exit(f->C_Initialize(NULL) == CKR_GENERAL_ERROR ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rig_logged(r, pid, " C_Initialize foreign\n"), 1);
}

// --- What the provider makes of it ---------------------------------------------------------------

static void granted(struct agent *a, const char *key_url, struct cmk_wrapped *w)
{
	struct agent_answer answer;
	rig_make(a, w, &answer);
	if (answer.verdict != CMK_GRANTED)
		fail_msg("%s: %s", key_url, answer.sentence);
	assert_true(rig_ask(a, w, &answer));
}

// Unwrapping, nobody here can know what the bytes should be; when a disk is made, everybody can.
static void no_disk_is_made_with_a_key_that_gives_back_other_bytes(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {"C_Decrypt=wrong", "C_Decrypt=length:31",
		"C_Decrypt=length:0", "C_Decrypt=rv:0x40", "C_Decrypt=length:0xffffffffffffffff"};
	struct cmk_wrapped w, none;
	struct agent_answer answer;
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_order(r, "");
	granted(a, RIG_KEY, &w);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		rig_order(r, orders[i]);
		rig_make(a, &none, &answer);
		print_message("%s: %d %s\n", orders[i], answer.verdict, answer.sentence);
		assert_true(rig_logged(r, 0, " C_Decrypt ! ") > 0);
		assert_int_not_equal(answer.verdict, CMK_GRANTED);
		assert_int_not_equal(answer.verdict, CMK_DENIED);
		assert_int_equal(none.len, 0);
		assert_non_null(strstr(answer.sentence, "bank"));
		rig_orderly(r, rig_pid(a));
	}
	rig_order(r, "");
	granted(a, RIG_KEY, &w);
	agent_free(&a);
}

static void nonsense_about_an_unwrapped_key_is_not_believed(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {
		"C_UnwrapKey=rv:0x30",
		"C_UnwrapKey=rv:0x80000001",
		// Only the last time: of the unwrapped object's value.
		"C_GetAttributeValue=length:0xffffffffffffffff",
		"C_GetAttributeValue=length:0x100000000",
		"C_GetAttributeValue=length:0",
	};
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = rig_start(r, RIG_AES_KEY, LONG_MS);
	rig_order(r, "");
	granted(a, RIG_AES_KEY, &w);
	rig_order(r, "");
	assert_true(rig_ask(a, &w, &answer));
	unsigned reads = rig_logged(r, 0, " C_GetAttributeValue = ");
	assert_true(reads > 1);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		char order[128];
		(void)snprintf(order, sizeof(order), "%s skip=%u", orders[i],
			strstr(orders[i], "length") ? reads - 1 : 0);
		rig_order(r, order);
		assert_false(rig_ask(a, &w, &answer));
		print_message("%s: %d %s\n", orders[i], answer.verdict, answer.sentence);
		assert_true(rig_logged(r, 0, " ! ") > 0);
		assert_int_equal(answer.verdict, CMK_UNREACHABLE);
		rig_orderly(r, rig_pid(a));
		rig_order(r, "");
		assert_true(rig_ask(a, &w, &answer));
	}
	agent_free(&a);
}

// The same handle again and again is one key, or nonsense; it is never a wrong one, and it ends.
static void one_handle_for_ever_comes_to_an_end(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_order(r, "");
	granted(a, RIG_KEY, &w);
	rig_order(r, "C_FindObjects=same");
	bool right = rig_ask(a, &w, &answer);
	print_message("%d %s\n", answer.verdict, answer.sentence);
	assert_true(rig_logged(r, 0, " C_FindObjects ! same\n") > 0);
	assert_in_range(rig_logged(r, 0, " C_FindObjects = "), 1, 1000);
	assert_true(right || answer.verdict == CMK_UNREACHABLE);
	assert_in_range(answer.took_ms, 0, LONG_MS / 2);
	rig_orderly(r, rig_pid(a));
	rig_order(r, "");
	assert_true(rig_ask(a, &w, &answer));
	agent_free(&a);
}

static bool is_one_line_of_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || (unsigned char)*s == 0xff)
			return false;
	return true;
}

static void what_a_token_calls_itself_cannot_forge_a_line(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	assert_false(is_one_line_of_text("a\nb"));
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_order(r, "");
	granted(a, RIG_KEY, &w);
	rig_order(r, "C_GetTokenInfo=painted\nC_Decrypt=rv:0x30\n");
	assert_false(rig_ask(a, &w, &answer));
	print_message("%s\n", answer.sentence);
	assert_true(rig_logged(r, 0, " C_GetTokenInfo ! painted\n") > 0);
	assert_int_equal(answer.verdict, CMK_UNREACHABLE);
	assert_non_null(strstr(answer.sentence, "CKR_DEVICE_ERROR"));
	assert_true(is_one_line_of_text(answer.sentence));
	agent_free(&a);
}

static void a_module_with_holes_is_refused_and_said(void **state)
{
	const struct deviant_rig *r = *state;
	static const char *const orders[] = {"C_GetFunctionList=null", "C_GetSlotList=null",
		"C_OpenSession=null", "C_Login=null", "C_GetAttributeValue=null", "C_Decrypt=null"};
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct cmk_wrapped w;
		struct agent_answer answer;
		char text[64];
		(void)snprintf(text, sizeof(text), " %.*s ! null\n", (int)strcspn(orders[i], "="),
			orders[i]);
		struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
		rig_order(r, "");
		granted(a, RIG_KEY, &w);
		agent_free(&a);
		a = rig_start(r, RIG_KEY, LONG_MS);
		rig_order(r, orders[i]);
		assert_false(rig_ask(a, &w, &answer));
		print_message("%s: %d %s\n", orders[i], answer.verdict, answer.sentence);
		assert_true(rig_logged(r, 0, text) > 0);
		assert_int_equal(answer.verdict, CMK_MISCONFIGURED);
		(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(orders[i], "="), orders[i]);
		assert_non_null(strstr(answer.sentence, text));
		assert_non_null(strstr(answer.sentence, DEVIANT_MODULE));
		rig_order(r, "");
		agent_free(&a);
	}
}

// Long enough that one session or descriptor for each question would show.
static void a_thousand_questions_leave_nothing_open(void **state)
{
	const struct deviant_rig *r = *state;
	struct cmk_wrapped w;
	struct agent_answer answer;
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_order(r, "");
	granted(a, RIG_KEY, &w);
	rig_order(r, "C_Decrypt=rv:0x30 skip=500 times=1");
	for (unsigned i = 0; i < 1000; i++)
		assert_true(rig_ask(a, &w, &answer));
	assert_int_equal(rig_logged(r, 0, " C_Decrypt ! rv\n"), 1);
	assert_int_equal(rig_logged(r, 0, " C_Finalize = 0x0\n"), 1001);
	assert_int_equal(rig_logged(r, 0, " C_OpenSession = 0x0\n"), 1001);
	rig_orderly(r, rig_pid(a));
	agent_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_handle_is_another_key_and_an_old_slot_is_gone),
		cmocka_unit_test(a_fork_of_the_process_that_loaded_it_cannot_use_it),
		cmocka_unit_test(no_disk_is_made_with_a_key_that_gives_back_other_bytes),
		cmocka_unit_test(nonsense_about_an_unwrapped_key_is_not_believed),
		cmocka_unit_test(one_handle_for_ever_comes_to_an_end),
		cmocka_unit_test(what_a_token_calls_itself_cannot_forge_a_line),
		cmocka_unit_test(a_module_with_holes_is_refused_and_said),
		cmocka_unit_test(a_thousand_questions_leave_nothing_open),
	};
	return cmocka_run_group_tests(tests, deviant_rig_setup, deviant_rig_teardown);
}
