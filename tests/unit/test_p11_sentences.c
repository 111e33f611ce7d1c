// SPDX-License-Identifier: MIT
// What a person reads when a key URL does not do: the agent's sentence, which is short, still says
// what to do, and its lists end properly.
#include "p11_deviant_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// Asks for a new wrapped secret (create), which must fail so.
static void refused(const struct deviant_rig *r, const char *key_url, enum cmk_verdict verdict,
	struct agent_answer *answer)
{
	struct cmk_wrapped w;
	rig_order(r, "");
	struct agent *a = rig_start(r, key_url, LONG_MS);
	rig_make(a, &w, answer);
	print_message("%s\n", answer->sentence);
	assert_int_equal(answer->verdict, verdict);
	assert_true(strlen(answer->sentence) < sizeof(answer->sentence) - 1); // not cut
	agent_free(&a);
}

static void says(const struct agent_answer *answer, const char *part)
{
	if (!strstr(answer->sentence, part))
		fail_msg("'%s' is not in: %s", part, answer->sentence);
}

static void ends(const struct agent_answer *answer, const char *tail)
{
	size_t len = strlen(answer->sentence), n = strlen(tail);
	if (len < n || strcmp(answer->sentence + len - n, tail) != 0)
		fail_msg("'%s' does not end: %s", tail, answer->sentence);
}

static void five_tokens_of_one_label(void **state)
{
	struct deviant_rig *r = *state;
	struct agent_answer answer;
	for (int i = 0; i < 5; i++)
		p11_rig_token(&r->p11, "a label of thirty-two characters");
	refused(r, "pkcs11:token=a%20label%20of%20thirty-two%20characters;object=disk",
		CMK_MISCONFIGURED, &answer);
	says(&answer, "5 tokens match ");
	says(&answer, "add token= or serial= to it");
	ends(&answer, ") and 2 more");
	refused(r, "pkcs11:token=nowhere;object=disk", CMK_UNREACHABLE, &answer);
	says(&answer, "connect the token, or correct the key URL");
	says(&answer, " and 3 more; modules asked: ");
}

static void six_keys_without_an_order(void **state)
{
	struct deviant_rig *r = *state;
	struct agent_answer answer;
	char id[] = "sixteen bytes id0";
	CK_SESSION_HANDLE s = p11_rig_session(&r->p11, "bank");
	for (int i = 6; i > 0; i--) {
		id[15] = (char)('0' + i);
		(void)p11_rig_generate(&r->p11, s,
			&(struct p11_rig_key){
				.label = "a disk that has many keys", .id = id, .id_len = 16});
	}
	assert_int_equal(r->p11.f->C_CloseSession(s), CKR_OK);
	refused(r, "pkcs11:token=bank;object=a%20disk%20that%20has%20many%20keys",
		CMK_MISCONFIGURED, &answer);
	says(&answer, "cannot prove which of 6 keys is the newest");
	says(&answer, "cmkdisk tokenkey dates, or name one with id= in the key URL: key ");
	const char *first = strstr(answer.sentence, "206931)"); // " i1"
	const char *second = strstr(answer.sentence, "206932)");
	assert_true(first && second && first < second);
	ends(&answer, " without a start date and 4 more");
}

// Nothing was ever there, so nothing need be restored.
static void a_name_that_was_mistyped(void **state)
{
	const struct deviant_rig *r = *state;
	struct agent_answer answer;
	struct cmk_wrapped w;
	refused(r, "pkcs11:token=bank;object=dsik", CMK_DENIED, &answer);
	assert_int_equal(answer.reason, CMK_REASON_DELETED);
	says(&answer, "no key matches; correct object= in the key URL, or make the key with "
		      "cmkdisk tokenkey new");
	assert_null(strstr(answer.sentence, "backup"));
	refused(r, "pkcs11:token=bank;object=disk;id=%09", CMK_DENIED, &answer);
	says(&answer, "no key matches id 09; correct object= or id=");
	// A version that a disk is bound to is another matter.
	struct agent *a = rig_start(r, RIG_KEY, LONG_MS);
	rig_make(a, &w, &answer);
	agent_free(&a);
	a = rig_start(r, "pkcs11:token=bank;object=decoy", LONG_MS);
	assert_false(rig_ask(a, &w, &answer));
	says(&answer, "with id 0102 (any more); restore it from the token's backup");
	agent_free(&a);
}

static void a_wrong_slot_number(void **state)
{
	const struct deviant_rig *r = *state;
	struct agent_answer answer;
	refused(r, "pkcs11:slot-id=0;object=disk", CMK_UNREACHABLE, &answer);
	says(&answer, "other tokens there: token \"bank\" (serial ");
	says(&answer, ", slot-id ");
}

static void a_wrong_place_of_the_module_or_the_pin(void **state)
{
	static const struct {
		const char *query, *says;
	} wrong[] = {
		{"module-path=/usr/lib/none.so", "there is no such file; install "},
		{"module-path=/usr/lib/none.so", "or correct module-path in the key URL"},
		{"module-path=none.so", "key URL, behind the '?'"},
		{"module-pat=/usr/lib/none.so", "key URL, behind the '?'"},
		{"pin-source=pin", "key URL, behind the '?'"},
	};
	struct deviant_rig r = *(struct deviant_rig *)*state;
	struct agent_answer answer;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		(void)snprintf(r.config, sizeof(r.config),
			"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"%s\"}}}", wrong[i].query);
		refused(&r, RIG_KEY, CMK_MISCONFIGURED, &answer);
		says(&answer, wrong[i].says);
	}
}

static void a_wrong_pin(void **state)
{
	struct deviant_rig *r = *state;
	struct agent_answer answer;
	rig_write_pin(r, "4711\n");
	refused(r, RIG_KEY, CMK_DENIED, &answer);
	says(&answer, "write the right one into the PIN file, or give it again");
	rig_write_pin(r, P11_RIG_PIN "\n");
	rig_forget(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_was_mistyped),
		cmocka_unit_test(a_wrong_slot_number),
		cmocka_unit_test(a_wrong_place_of_the_module_or_the_pin),
		cmocka_unit_test(a_wrong_pin),
		cmocka_unit_test(six_keys_without_an_order),
		cmocka_unit_test(five_tokens_of_one_label),
	};
	return cmocka_run_group_tests(tests, deviant_rig_setup, deviant_rig_teardown);
}
