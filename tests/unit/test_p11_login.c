// SPDX-License-Identifier: MIT
// Logging in to a real SoftHSM: a wrong PIN is shown once, and what counts as wrong.
#include "p11_world.h"

#include "p11_rv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "pkcs11:token=bank;object=disk"

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

static bool is_count_low(struct p11_world *w)
{
	CK_TOKEN_INFO info;
	assert_int_equal(w->real->C_GetTokenInfo(w->s.slot, &info), CKR_OK);
	return info.flags & CKF_USER_PIN_COUNT_LOW;
}

// What is known of the PIN that was read last.
static struct p11_pin_record known(struct p11_world *w)
{
	struct p11_pin_record none = {.state = P11_PIN_UNKNOWN};
	return w->memory.count ? w->memory.at[w->memory.count - 1] : none;
}

static void a_wrong_pin_is_shown_once(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false);
	p11_session_end(&w->c, &w->s);
	p11_rig_set_pin(&w->rig, "bank", P11_RIG_PIN, "567890");
	// SoftHSM compares with what it read when it was initialised.
	require_outcome(p11_modules_restart(&w->modules, &w->o), CMK_GRANTED, CMK_REASON_NONE, "");
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN_INCORRECT");
	assert_int_equal(known(w).state, P11_PIN_REFUSED);
	assert_int_equal(known(w).rv, CKR_PIN_INCORRECT);
	assert_int_equal(w->logins, 2);
	assert_true(is_count_low(w)); // the token did see it
	for (int i = 0; i < 20; i++)
		require_outcome(
			p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, w->pin_path);
	assert_int_equal(w->logins, 2);
	p11_world_write_pin("567890");
	granted(false);
	assert_int_equal(w->logins, 3);
	assert_false(is_count_low(w));
	// The same file written anew with a wrong one is a new try.
	p11_world_write_pin("999999");
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN_INCORRECT");
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "not shown");
	assert_int_equal(w->logins, 4);
}

// Sets the times of the PIN file's last writing.
static void write_at(struct p11_world *w, time_t at)
{
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = at}};
	assert_int_equal(utimensat(AT_FDCWD, w->pin_path, times, 0), 0);
}

static void only_other_contents_or_a_later_writing_bring_another_try(void **state)
{
	struct p11_world *w = *state;
	char link_path[160], copy[640];
	p11_world_load(KEY);
	write_at(w, 1000);
	w->login_says = CKR_PIN_INCORRECT;
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN_INCORRECT");
	w->login_says = CKR_OK;
	assert_int_equal(w->logins, 1);
	assert_int_equal(chmod(w->pin_path, 0400), 0);
	(void)snprintf(link_path, sizeof(link_path), "%s.link", w->pin_path);
	assert_int_equal(link(w->pin_path, link_path), 0);
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "touch the file");
	// As from a backup: another inode, the same bytes and times.
	(void)snprintf(copy, sizeof(copy), "cp -p %s %s.copy && mv %s.copy %s", w->pin_path,
		w->pin_path, w->pin_path, w->pin_path);
	assert_int_equal(system(copy), 0);
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "not shown");
	assert_int_equal(w->logins, 1);
	write_at(w, 1001);
	granted(false);
	assert_int_equal(w->logins, 2);
	w->login_says = CKR_PIN_INCORRECT;
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN_INCORRECT");
	w->login_says = CKR_OK;
	p11_world_write_pin("1234 ");
	write_at(w, 1001);
	(void)p11_world_begin(false);
	assert_int_equal(w->logins, 4);
}

static void what_one_token_refused_says_nothing_of_another(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->login_says = CKR_PIN_INCORRECT;
	w->serial = 'A';
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN_INCORRECT");
	w->login_says = CKR_OK;
	w->serial = 'B';
	granted(false);
	w->serial = 'A';
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "not shown");
	assert_int_equal(w->logins, 2);
}

static void every_refusal_of_a_pin_is_remembered(void **state)
{
	static const CK_RV refusals[] = {CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
		CKR_PIN_EXPIRED, CKR_PIN_LOCKED};
	struct p11_world *w = *state;
	p11_world_load(KEY);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		memset(&w->memory, 0, sizeof(w->memory));
		w->login_says = refusals[i];
		require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN");
		assert_int_equal(known(w).state, P11_PIN_REFUSED);
		assert_int_equal(known(w).rv, refusals[i]);
		assert_true(w->s.pin_failed);
		assert_int_equal(w->s.lost, CKR_OK);
		w->login_says = CKR_OK;
		require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN");
	}
	assert_int_equal(w->logins, sizeof(refusals) / sizeof(*refusals));
}

static void a_pin_that_never_arrived_is_shown_again(void **state)
{
	static const CK_RV others[] = {CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
		CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_FUNCTION_CANCELED,
		CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_RECOGNIZED, CKR_CRYPTOKI_NOT_INITIALIZED,
		CKR_USER_ANOTHER_ALREADY_LOGGED_IN, CKR_USER_PIN_NOT_INITIALIZED};
	struct p11_world *w = *state;
	p11_world_load(KEY);
	for (size_t i = 0; i < 3 * sizeof(others) / sizeof(*others); i++) {
		CK_RV rv = others[i / 3];
		w->login_says = rv;
		require_outcome(
			p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
		assert_int_equal(w->memory.count, 0);
		assert_string_equal(w->host.notes[0], "");
		assert_int_equal(w->s.lost, p11_rv_is_lost(rv) ? rv : CKR_OK);
		assert_int_equal(w->s.pin_failed, !p11_rv_is_lost(rv));
	}
	assert_int_equal(w->logins, 3 * sizeof(others) / sizeof(*others));
	w->login_says = CKR_OK;
	granted(false);
}

static void an_answer_that_says_nothing_of_the_pin_is_no_refusal_but_two_are(void **state)
{
	static const CK_RV vague[] = {CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DEVICE_ERROR,
		CKR_HOST_MEMORY, CKR_VENDOR_DEFINED | 1};
	struct p11_world *w = *state;
	p11_world_load(KEY);
	for (size_t i = 0; i < sizeof(vague) / sizeof(*vague); i++) {
		memset(&w->memory, 0, sizeof(w->memory));
		w->logins = 0;
		w->login_says = vague[i];
		require_outcome(
			p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
		assert_true(w->s.pin_failed); // no second look within this question
		assert_int_equal(known(w).state, P11_PIN_DOUBTED);
		require_outcome(
			p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "as before");
		w->login_says = CKR_OK;
		require_outcome(
			p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "not shown");
		assert_int_equal(w->logins, 2);
	}
	// One, and then a login: forgotten.
	memset(&w->memory, 0, sizeof(w->memory));
	for (int i = 0; i < 3; i++) {
		w->login_says = CKR_GENERAL_ERROR;
		require_outcome(
			p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
		w->login_says = CKR_OK;
		granted(false);
	}
}

static void a_token_that_comes_to_warn_has_refused_whatever_it_says(void **state)
{
	static const CK_FLAGS warnings[] = {
		CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED};
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false); // also of a PIN that was good
	for (size_t i = 0; i < sizeof(warnings) / sizeof(*warnings); i++) {
		w->set = 0;
		w->login_says = CKR_GENERAL_ERROR;
		w->login_sets = warnings[i];
		p11_world_write_pin(P11_RIG_PIN);
		write_at(w, 1000 + (time_t)i);
		require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY,
			"now the token warns");
		w->login_says = CKR_OK;
		w->set = w->login_sets = 0;
		require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY,
			"not shown it again");
	}
	// It warned before: nothing new.
	write_at(w, 2000);
	w->set = CKF_USER_PIN_COUNT_LOW;
	w->login_says = CKR_GENERAL_ERROR;
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
}

// A token's troubles must not turn into a refusal that only a person ends.
static void a_pin_that_was_good_is_not_refused_for_the_tokens_troubles(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	granted(false);
	w->login_says = CKR_DEVICE_ERROR;
	for (int i = 0; i < 5; i++) {
		require_outcome(
			p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "C_Login");
		assert_false(w->s.pin_failed); // a second look within this question may be one
	}
	w->login_says = CKR_OK;
	granted(false);
	assert_int_equal(w->logins, 7);
}

static void a_pin_that_took_a_process_along_is_not_shown_by_the_next(void **state)
{
	struct p11_world *w = *state;
	char key[P11_FINGERPRINT];
	p11_world_load(KEY);
	granted(false);
	(void)snprintf(key, sizeof(key), "%s", known(w).key);
	p11_pin_note(&w->memory, &w->host.api, key, P11_PIN_TRIED, CKR_OK);
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "hung or crashed");
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "touch the file");
	assert_int_equal(w->logins, 1);
	write_at(w, 1000);
	granted(false);
}

static const char *noted;
static CK_RV login_looks(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	noted = strstr(p11_world.host.notes[0], "=tried ");
	assert_true(!noted || strtol(noted + 7, NULL, 10) == getpid());
	return p11_world.real->C_Login(s, user, pin, len);
}

static void the_host_knows_of_a_try_before_the_token_does(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->list.C_Login = login_looks;
	granted(false);
	assert_non_null(noted);
	assert_non_null(strstr(w->host.notes[0], "=good"));
	assert_null(strstr(w->host.notes[0], P11_RIG_PIN));
	granted(false); // known to be good: nothing to be noted
	assert_null(noted);
	assert_string_equal(w->host.notes[1], "");
}

static void no_try_is_spent_where_the_token_warns(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->set = CKF_USER_PIN_LOCKED;
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "locked");
	w->set = CKF_USER_PIN_FINAL_TRY;
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "next wrong one");
	assert_int_equal(w->logins, 0);
	assert_int_equal(w->memory.count, 0);
	assert_int_equal(w->opened, 2);
	w->set = CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_TO_BE_CHANGED;
	granted(false);
}

static void forget_pin_source(struct p11_world *w)
{
	free(w->config.pin_source);
	w->config.pin_source = NULL;
}

static void without_a_pin_nothing_is_tried(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	forget_pin_source(w);
	require_outcome(p11_world_begin(false), CMK_MISCONFIGURED, CMK_REASON_NONE, "pin-source");
	assert_int_equal(w->logins, 0);
	w->clear = CKF_LOGIN_REQUIRED;
	granted(false);
	assert_int_equal(w->logins, 0);
	assert_int_equal(session_state(w, w->s.handle), CKS_RO_PUBLIC_SESSION);
}

static void a_keypad_of_its_own_is_asked_once(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->set = CKF_PROTECTED_AUTHENTICATION_PATH;
	granted(false); // a PIN that is known is used all the same
	assert_false(w->login_null);
	forget_pin_source(w);
	w->login_says = CKR_USER_ALREADY_LOGGED_IN;
	granted(false);
	assert_true(w->login_null);
	assert_int_equal(w->login_len, 0);
	w->login_says = CKR_FUNCTION_CANCELED; // nobody was there: asked again
	require_outcome(p11_world_begin(false), CMK_UNREACHABLE, CMK_REASON_NONE, "cancelled");
	w->login_says = CKR_PIN_INCORRECT;
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "PIN");
	assert_int_equal(w->logins, 4);
	require_outcome(p11_world_begin(false), CMK_DENIED, CMK_REASON_IDENTITY, "keypad");
	assert_int_equal(w->logins, 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, p11_world_setup, p11_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_wrong_pin_is_shown_once),
		T(only_other_contents_or_a_later_writing_bring_another_try),
		T(what_one_token_refused_says_nothing_of_another),
		T(every_refusal_of_a_pin_is_remembered),
		T(a_pin_that_never_arrived_is_shown_again),
		T(an_answer_that_says_nothing_of_the_pin_is_no_refusal_but_two_are),
		T(a_token_that_comes_to_warn_has_refused_whatever_it_says),
		T(a_pin_that_was_good_is_not_refused_for_the_tokens_troubles),
		T(a_pin_that_took_a_process_along_is_not_shown_by_the_next),
		T(the_host_knows_of_a_try_before_the_token_does),
		T(no_try_is_spent_where_the_token_warns),
		T(without_a_pin_nothing_is_tried),
		T(a_keypad_of_its_own_is_asked_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
