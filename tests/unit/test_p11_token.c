// SPDX-License-Identifier: MIT
// Which token a key URL means, and that a module which counts, pads or fails badly neither hides
// the right token nor offers a wrong one.
#include "p11_world.h"

#include "p11_rv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "pkcs11:token=bank;object=disk"

// What a test's own functions do.
static struct {
	int grown;	 // slots that appeared between two calls
	int grow_until;	 // so many
	CK_ULONG count;	 // to be told
	CK_RV says;	 // instead of an answer
	CK_SLOT_ID only; // about this slot
} act;

static int setup(void **state)
{
	memset(&act, 0, sizeof(act));
	return p11_world_setup(state);
}

static enum cmk_verdict find(struct p11_world *w, struct p11_token *t, CK_RV *lost)
{
	memset(&w->o, 0, sizeof(w->o));
	return p11_token_find(&w->config, &w->modules, t, lost, &w->o);
}

static void require_found(struct p11_world *w, const char *label)
{
	struct p11_token t;
	CK_RV lost;
	char begin[64];
	(void)snprintf(begin, sizeof(begin), "token \"%s\" (serial ", label);
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(lost, CKR_OK);
	if (strncmp(t.where, begin, strlen(begin)) != 0)
		fail_msg("%s", t.where);
}

static void require_none(struct p11_world *w, const char *part, CK_RV wanted)
{
	struct p11_token t;
	CK_RV lost;
	require_outcome(find(w, &t, &lost), CMK_UNREACHABLE, CMK_REASON_NONE, part);
	assert_int_equal(lost, wanted);
	assert_null(t.f);
}

// The text in the sentence between two others.
static void between(const char *from, const char *to, char *out, size_t size)
{
	const char *at = strstr(p11_world.o.err.text, from);
	assert_non_null(at);
	at += strlen(from);
	(void)snprintf(out, size, "%.*s", (int)(strstr(at, to) - at), at);
}

static void several_that_match_are_listed_and_none_is_taken(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	char serial[32], url[128];
	p11_rig_token(&w->rig, "safe");
	p11_world_load("pkcs11:object=disk");
	require_outcome(find(w, &t, &lost), CMK_MISCONFIGURED, CMK_REASON_NONE, "2 tokens match");
	assert_non_null(strstr(w->o.err.text, "token \"bank\" (serial "));
	assert_non_null(strstr(w->o.err.text, "token \"safe\" (serial "));
	assert_null(t.f);
	between("\"safe\" (serial ", ")", serial, sizeof(serial));
	(void)snprintf(url, sizeof(url), "pkcs11:serial=%s;object=disk", serial);
	p11_world_config(url, "");
	require_found(w, "safe");
	p11_world_config("pkcs11:token=safe;object=disk", "");
	require_found(w, "safe");
	p11_world_config(KEY, "");
	require_found(w, "bank");
	p11_world_config("pkcs11:token=ban;object=disk", "");
	require_none(w, "other tokens there: token \"", CKR_OK);
}

static CK_RV counted(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	act.count += slot != act.only;
	return p11_world.real->C_GetTokenInfo(slot, info);
}

// A reader that hangs is what a slot number may be there for.
static void other_slots_than_the_one_that_is_meant_are_left_alone(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	char url[64];
	p11_rig_token(&w->rig, "safe");
	p11_world_load(KEY);
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	act.only = t.slot;
	w->list.C_GetTokenInfo = counted;
	require_found(w, "bank");
	assert_true(act.count > 0);
	act.count = 0;
	(void)snprintf(url, sizeof(url), "pkcs11:slot-id=%lu;object=disk", t.slot);
	p11_world_config(url, "");
	require_found(w, "bank");
	assert_int_equal(act.count, 0);
}

static void a_slot_is_found_by_its_number_and_description(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	char url[160];
	p11_rig_token(&w->rig, "safe");
	p11_world_load(KEY);
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	(void)snprintf(url, sizeof(url), "pkcs11:slot-id=%lu;object=disk", t.slot);
	p11_world_config(url, "");
	require_found(w, "bank");
	p11_world_config("pkcs11:slot-id=77;object=disk", "");
	require_none(w, ", slot-id ", CKR_OK);
	assert_non_null(strstr(w->o.err.text, "token \"bank\" (serial "));
	p11_world_config("pkcs11:token=bank;slot-manufacturer=SoftHSM%20project", "");
	require_found(w, "bank");
	p11_world_config("pkcs11:token=bank;slot-manufacturer=another", "");
	require_none(w, ", slot-id ", CKR_OK);
	p11_world_config("pkcs11:token=bank;library-manufacturer=SoftHSM", "");
	require_found(w, "bank");
	p11_world_config("pkcs11:token=bank;library-manufacturer=another", "");
	require_none(w, "none", CKR_OK);
}

static void a_token_is_found_by_its_maker_and_model(void **state)
{
	struct p11_world *w = *state;
	p11_world_load("pkcs11:manufacturer=SoftHSM%20project;object=disk");
	require_found(w, "bank");
	p11_world_config("pkcs11:model=SoftHSM%20v2;object=disk", "");
	require_found(w, "bank");
	p11_world_config("pkcs11:manufacturer=SoftHSM%20project;model=SoftHSM%20v2", "");
	require_found(w, "bank");
	p11_world_config("pkcs11:token=bank;manufacturer=SoftHSM", "");
	require_none(w, "other tokens there: token \"bank\"", CKR_OK);
	p11_world_config("pkcs11:token=bank;model=SoftHSM%20v3", "");
	require_none(w, "other tokens there: token \"bank\"", CKR_OK);
}

static void the_only_initialised_token_needs_no_name(void **state)
{
	struct p11_world *w = *state;
	CK_ULONG count = 0;
	p11_world_load("pkcs11:object=disk");
	assert_int_equal(w->real->C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
	assert_int_equal(count, 2); // one of them without a token in it
	require_found(w, "bank");
	w->clear = CKF_TOKEN_INITIALIZED;
	require_none(w, "\"bank\"", CKR_OK);
	require_none(w, ", not initialised)", CKR_OK);
}

// Each call without a buffer shows one slot fewer than the call with one then has.
static CK_RV growing(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	if (slots && act.grown < act.grow_until) {
		act.grown++;
		*count = 3;
		return CKR_BUFFER_TOO_SMALL;
	}
	return p11_world.real->C_GetSlotList(present, slots, count);
}

static void slots_that_appear_meanwhile_are_counted_again(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->list.C_GetSlotList = growing;
	act.grow_until = 3;
	require_found(w, "bank");
	assert_int_equal(act.grown, 3);
	act.grow_until = 1000000;
	require_none(w, "CKR_BUFFER_TOO_SMALL", CKR_OK);
	assert_in_range(act.grown, 4, 100); // it gave up
}

static CK_RV boasting(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV rv = p11_world.real->C_GetSlotList(present, slots, count);
	if (!slots == !act.only)
		*count = act.count;
	return rv;
}

static void a_nonsense_number_of_slots_is_not_believed(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->list.C_GetSlotList = boasting;
	act.count = 4000000000UL;
	require_none(w, "says that it has 4000000000 slots", CKR_GENERAL_ERROR);
	act.count = (CK_ULONG)-1;
	require_none(w, "says that it has 18446744073709551615 slots", CKR_GENERAL_ERROR);
	act.only = 1; // in the answer itself
	act.count = 1000;
	require_none(w, "says that it has 1000 slots", CKR_GENERAL_ERROR);
	act.count = 0; // fewer than were announced: the token went away
	require_none(w, "none", CKR_OK);
}

static CK_RV failing_slots(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	return act.says != CKR_OK ? act.says : p11_world.real->C_GetSlotList(present, slots, count);
}

static CK_RV failing_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	return slot == act.only ? act.says : p11_world.real->C_GetTokenInfo(slot, info);
}

static void a_slot_that_fails_hides_no_other(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	p11_rig_token(&w->rig, "safe");
	p11_world_load(KEY);
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	act.only = t.slot;
	act.says = CKR_DEVICE_ERROR;
	w->list.C_GetTokenInfo = failing_info;
	require_none(w, "CKR_DEVICE_ERROR", CKR_DEVICE_ERROR);
	p11_world_config("pkcs11:token=safe", "");
	require_found(w, "safe");
	w->list.C_GetTokenInfo = w->real->C_GetTokenInfo;
	w->list.C_GetSlotList = failing_slots;
	require_none(w, "CKR_DEVICE_ERROR", CKR_DEVICE_ERROR);
	act.says = CKR_CRYPTOKI_NOT_INITIALIZED;
	require_none(w, "NOT_INITIALIZED", CKR_CRYPTOKI_NOT_INITIALIZED);
	act.says = CKR_OK;
	require_found(w, "safe");
}

static CK_RV no_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	(void)slot;
	memset(info, 'x', sizeof(*info));
	return CKR_DEVICE_ERROR;
}

static CK_RV no_info(CK_INFO *info)
{
	memset(info, 'x', sizeof(*info));
	return CKR_GENERAL_ERROR;
}

static void what_the_url_does_not_ask_for_may_fail(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->list.C_GetSlotInfo = no_slot_info;
	w->list.C_GetInfo = no_info;
	require_found(w, "bank");
	p11_world_config("pkcs11:token=bank;slot-manufacturer=SoftHSM%20project", "");
	require_none(w, ", slot-id ", CKR_OK);
	p11_world_config("pkcs11:token=bank;library-manufacturer=SoftHSM", "");
	require_none(w, "none", CKR_OK);
}

static CK_RV ended_by_nul(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = p11_world.real->C_GetTokenInfo(slot, info);
	memcpy(info->label, "bank\0and what was there before...", sizeof(info->label));
	memset(info->serialNumber, 0, sizeof(info->serialNumber));
	return rv;
}

static CK_RV full_to_the_brim(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = p11_world.real->C_GetTokenInfo(slot, info);
	memset(info->label, 'L', sizeof(info->label));
	memset(info->manufacturerID, 'M', sizeof(info->manufacturerID));
	memset(info->model, 'D', sizeof(info->model));
	memset(info->serialNumber, 'S', sizeof(info->serialNumber));
	info->flags |= CKF_TOKEN_INITIALIZED;
	return rv;
}

static void texts_need_neither_end_nor_padding(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	p11_world_load(KEY);
	w->list.C_GetTokenInfo = ended_by_nul;
	require_found(w, "bank");
	w->list.C_GetTokenInfo = full_to_the_brim;
	require_none(w, "\"LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL\" (serial SSSSSSSSSSSSSSSS)", CKR_OK);
	p11_world_config(
		"pkcs11:token=LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL;serial=SSSSSSSSSSSSSSSS", "");
	require_outcome(find(w, &t, &lost), CMK_MISCONFIGURED, CMK_REASON_NONE, "2 tokens");
	// However long a module's path is.
	char *name = w->modules.all[0].name;
	char path[300];
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	w->modules.all[0].name = path;
	p11_world_config(KEY, "");
	w->list.C_GetTokenInfo = w->real->C_GetTokenInfo;
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	assert_int_equal(strlen(t.where), P11_WHERE - 1);
	assert_string_equal(t.where + P11_WHERE - 5, "...)");
	w->modules.all[0].name = name;
}

static CK_RV colourful(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = p11_world.real->C_GetTokenInfo(slot, info);
	memcpy(info->label, "b\033[2J\r\x7f\xc2\x9b\"k                     ", sizeof(info->label));
	memcpy(info->serialNumber, "\n\b42            ", sizeof(info->serialNumber));
	return rv;
}

static void a_label_that_commands_the_terminal_is_replaced(void **state)
{
	struct p11_world *w = *state;
	struct p11_token t;
	CK_RV lost;
	p11_world_load("pkcs11:object=disk");
	w->list.C_GetTokenInfo = colourful;
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
	static const char clean[] = "token \"b?[2J?????k\" (serial ??42, module ";
	assert_memory_equal(t.where, clean, sizeof(clean) - 1);
	p11_world_config("pkcs11:token=other", "");
	require_none(w, "token \"b?[2J?????k\"", CKR_OK);
	// It is compared as it is.
	p11_world_config("pkcs11:serial=%0A%0842", "");
	require_outcome(find(w, &t, &lost), CMK_GRANTED, CMK_REASON_NONE, "");
}

static void modules_that_are_not_ready_are_named_and_not_asked(void **state)
{
	struct p11_world *w = *state;
	p11_world_load(KEY);
	w->modules.all[0].ready = false;
	w->modules.all[0].refused = CKR_DEVICE_ERROR;
	require_none(w, "(cannot be initialised: CKR_DEVICE_ERROR)", CKR_OK);
	w->modules.all[0].ready = true;
	require_found(w, "bank");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, p11_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(several_that_match_are_listed_and_none_is_taken),
		T(a_slot_is_found_by_its_number_and_description),
		T(other_slots_than_the_one_that_is_meant_are_left_alone),
		T(a_token_is_found_by_its_maker_and_model),
		T(the_only_initialised_token_needs_no_name),
		T(slots_that_appear_meanwhile_are_counted_again),
		T(a_nonsense_number_of_slots_is_not_believed),
		T(a_slot_that_fails_hides_no_other),
		T(what_the_url_does_not_ask_for_may_fail),
		T(texts_need_neither_end_nor_padding),
		T(a_label_that_commands_the_terminal_is_replaced),
		T(modules_that_are_not_ready_are_named_and_not_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
