// SPDX-License-Identifier: MIT
// Sessions against a real SoftHSM: each begin is a fresh look, and nothing is left behind.
#include "../helpers/open_fds.h"
#include "p11_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "pkcs11:token=bank;object=disk"
#define ROUNDS 1000

static CK_STATE session_state(struct p11_world *w, CK_SESSION_HANDLE handle)
{
	CK_SESSION_INFO info;
	assert_int_equal(w->real->C_GetSessionInfo(handle, &info), CKR_OK);
	return info.state;
}

static void granted(bool read_write)
{
	require_outcome(p11_world_begin(read_write), CMK_GRANTED, CMK_REASON_NONE, "");
}

static void a_session_is_logged_in_and_ends_without_a_trace(void **state)
{
	struct p11_world *w = *state;
	CK_SESSION_HANDLE later;
	p11_world_load(KEY);
	granted(false);
	assert_int_equal(session_state(w, w->s.handle), CKS_RO_USER_FUNCTIONS);
	assert_int_equal(w->open_flags, CKF_SERIAL_SESSION);
	assert_memory_equal(w->s.where, "token \"bank\" (serial ", 21);
	assert_non_null(strstr(w->s.where, "module " P11_RIG_MODULE ")"));
	assert_string_equal(w->s.pin.text, P11_RIG_PIN);
	p11_session_end(&w->c, &w->s);
	assert_null(w->s.pin.text);
	assert_int_equal(w->host.secrets, 0);
	assert_int_equal(w->closed, 1);
	assert_int_equal(
		w->real->C_OpenSession(w->s.slot, CKF_SERIAL_SESSION, NULL, NULL, &later), CKR_OK);
	assert_int_equal(session_state(w, later), CKS_RO_PUBLIC_SESSION);
	assert_int_equal(w->real->C_CloseSession(later), CKR_OK);
	p11_session_end(&w->c, &w->s); // a second time does nothing
	assert_int_equal(w->closed, 1);
}

static void a_session_can_be_for_writing(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(true);
	assert_int_equal(session_state(w, w->s.handle), CKS_RW_USER_FUNCTIONS);
	w->set = CKF_WRITE_PROTECTED;
	require_outcome(
		p11_world_begin(true), CMK_MISCONFIGURED, CMK_REASON_NONE, "write-protected");
	assert_int_equal(w->opened, w->closed);
	granted(false);
}

static void a_token_that_was_pulled_is_unreachable_until_it_is_back(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false);
	p11_session_end(&w->c, &w->s);
	p11_world_pull(true);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, KEY);
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, P11_RIG_MODULE);
	p11_world_pull(false);
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	granted(false);
}

static void what_fails_halfway_leaves_nothing(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->open_says = CKR_SESSION_COUNT;
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_OpenSession");
	assert_int_equal(w->s.lost, CKR_OK);
	w->open_says = CKR_TOKEN_NOT_PRESENT;
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "token \"bank\"");
	assert_int_equal(w->s.lost, CKR_TOKEN_NOT_PRESENT);
	p11_session_end(&w->c, &w->s);
	assert_int_equal(w->closed, 0);
	assert_int_equal(w->host.secrets, 0);
	w->open_says = CKR_OK;
	w->login_says = CKR_DEVICE_REMOVED;
	w->close_says = CKR_SESSION_HANDLE_INVALID; // gone with the device
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
	p11_session_end(&w->c, &w->s);
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->host.secrets, 0);
	assert_int_equal(w->s.lost, CKR_DEVICE_REMOVED);
}

static void a_failed_call_is_remembered_if_the_session_is_lost(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false);
	require_outcome(p11_session_failed(&w->s, CKR_MECHANISM_INVALID, "C_DecryptInit", &w->o),
		CMK_MISCONFIGURED, CMK_REASON_NONE, "C_DecryptInit");
	assert_int_equal(w->s.lost, CKR_OK);
	require_outcome(p11_session_failed(&w->s, CKR_SESSION_CLOSED, "C_Decrypt", &w->o),
		CMK_UNREACHABLE, CMK_REASON_NONE, "token \"bank\"");
	assert_int_equal(w->s.lost, CKR_SESSION_CLOSED);
}

static void a_thousand_sessions_leave_nothing(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false);
	p11_session_end(&w->c, &w->s);
	int files = open_fds();
	for (int i = 0; i < ROUNDS; i++)
		granted(i % 2);
	p11_session_end(&w->c, &w->s);
	assert_int_equal(open_fds(), files);
	assert_int_equal(w->opened, ROUNDS + 1);
	assert_int_equal(w->closed, ROUNDS + 1);
	assert_int_equal(w->host.secrets, 0);
	// The predicate can fail.
	int kept = dup(0);
	assert_int_equal(open_fds(), files + 1);
	(void)close(kept);
}

#define T(name) cmocka_unit_test_setup_teardown(name, p11_world_setup, p11_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_session_is_logged_in_and_ends_without_a_trace),
		T(a_session_can_be_for_writing),
		T(a_token_that_was_pulled_is_unreachable_until_it_is_back),
		T(what_fails_halfway_leaves_nothing),
		T(a_failed_call_is_remembered_if_the_session_is_lost),
		T(a_thousand_sessions_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
