// SPDX-License-Identifier: MIT
// Tokens that find and tell objects in other ways than SoftHSM: its functions are replaced one by
// one by those of stranger ones.
#include "p11_crypto_fixture.h"

// What the replaced functions do; one test at a time.
static struct {
	struct fixture *f;
	CK_ATTRIBUTE_TYPE hidden;
	bool hidden_everywhere;
	CK_ULONG searched;
} odd;

static const CK_FUNCTION_LIST *real(void)
{
	return odd.f->rig.f;
}

static int odd_setup(void **state)
{
	memset(&odd, 0, sizeof(odd));
	int ret = fixture_setup(state);
	odd.f = *state;
	return ret;
}
#define ODD(t) cmocka_unit_test_setup_teardown(t, odd_setup, fixture_teardown)

static const struct p11_key *new_rsa(struct fixture *f)
{
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	return the_key(f);
}

// Like a token that does not go on after an attribute that it does not tell.
static CK_RV attributes_hide(
	CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list, CK_ULONG n)
{
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
	assert_int_equal(real()->C_GetAttributeValue(h, object, &a, 1), CKR_OK);
	for (CK_ULONG i = 0; i < n; i++) {
		bool hide = list[i].type == odd.hidden &&
			    (odd.hidden_everywhere || class == CKO_PRIVATE_KEY);
		CK_RV rv = hide ? CKR_ATTRIBUTE_SENSITIVE
				: real()->C_GetAttributeValue(h, object, &list[i], 1);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

static void a_modulus_that_the_private_half_hides_is_the_public_ones(void **state)
{
	struct fixture *f = *state;
	odd.hidden = CKA_MODULUS;
	f->f.C_GetAttributeValue = attributes_hide;
	const struct p11_key *k = new_rsa(f);
	assert_int_equal(k->bits, 2048);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	expect(f, ask_unwrap(f, k), CMK_GRANTED);
	odd.hidden_everywhere = true;
	expect(f, ask_wrap(f, k), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "public key"));
	k = the_key(f);
	assert_int_equal(k->bits, 0);
	expect(f, ask_wrap(f, k), CMK_MISCONFIGURED);
}

static void a_foreign_public_key_with_the_same_id_is_found_out(void **state)
{
	struct fixture *f = *state;
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	char label[] = "disk";
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, label, 4}};
	CK_OBJECT_HANDLE half, other;
	CK_ULONG n;
	const struct p11_key *k = new_rsa(f);
	assert_int_equal(f->f.C_FindObjectsInit(f->s.handle, t, 2), CKR_OK);
	assert_int_equal(f->f.C_FindObjects(f->s.handle, &half, 1, &n), CKR_OK);
	assert_int_equal(f->f.C_FindObjectsFinal(f->s.handle), CKR_OK);
	assert_int_equal(f->f.C_DestroyObject(f->s.handle, half), CKR_OK);
	other = make_key(f, &(struct p11_rig_key){.label = "other", .id = "a1", .bits = 2048});
	assert_int_equal(f->f.C_DestroyObject(f->s.handle, other), CKR_OK);
	odd.hidden = CKA_MODULUS;
	f->f.C_GetAttributeValue = attributes_hide;
	if (ask_wrap(f, k) == CMK_GRANTED)
		fail_msg("a disk was bound to a key that cannot open it");
	assert_int_equal(f->w.version[0], '\0');
}

static CK_RV unwrap_unsupported(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_OBJECT_HANDLE key,
	CK_BYTE *in, CK_ULONG len, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
	(void)h, (void)m, (void)key, (void)in, (void)len, (void)t, (void)n, (void)out;
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV find_same(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE *out, CK_ULONG room, CK_ULONG *count)
{
	CK_RV rv = real()->C_FindObjects(h, out, 1, count);
	(void)room;
	if (*count == 0)
		out[0] = odd.searched;
	odd.searched = out[0];
	*count = 1;
	return rv;
}

static CK_RV find_more_than_room(
	CK_SESSION_HANDLE h, CK_OBJECT_HANDLE *out, CK_ULONG room, CK_ULONG *count)
{
	CK_RV rv = real()->C_FindObjects(h, out, room, count);
	*count = room + 1;
	return rv;
}

static CK_RV find_init_any(CK_SESSION_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n)
{
	(void)t, (void)n;
	return real()->C_FindObjectsInit(h, NULL, 0);
}

static void searches_that_never_end_or_find_too_much_are_given_up(void **state)
{
	struct fixture *f = *state;
	new_rsa(f);
	f->f.C_FindObjects = find_same;
	expect(f, ask_find(f), CMK_UNREACHABLE);
	f->f.C_FindObjects = find_more_than_room;
	expect(f, ask_find(f), CMK_UNREACHABLE);
}

static void what_a_search_finds_is_looked_at_again(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "other", .id = "a1"});
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a2"});
	f->f.C_FindObjectsInit = find_init_any;
	expect(f, p11_keys_find(&f->c, &f->s, "6131", &f->keys, &f->o), CMK_GRANTED);
	assert_int_equal(f->keys.count, 0);
	expect(f, p11_keys_find(&f->c, &f->s, "6132", &f->keys, &f->o), CMK_GRANTED);
	assert_int_equal(f->keys.count, 1);
	assert_string_equal(f->keys.at[0].label, "disk");
}

static CK_RV attributes_lost(
	CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (list[i].type == odd.hidden)
			return CKR_GENERAL_ERROR;
	return real()->C_GetAttributeValue(h, object, list, n);
}

static void a_permission_that_cannot_be_read_is_no_denial(void **state)
{
	struct fixture *f = *state;
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_ID, CKA_DECRYPT, CKA_UNWRAP};
	new_rsa(f);
	f->f.C_GetAttributeValue = attributes_lost;
	for (size_t i = 0; i < 4; i++) {
		odd.hidden = types[i];
		expect(f, ask_find(f), CMK_UNREACHABLE);
		assert_int_equal(f->s.lost, CKR_GENERAL_ERROR);
	}
	// A date that cannot be read takes no disk away, but is not passed over either.
	odd.hidden = CKA_END_DATE;
	expect(f, ask_find(f), CMK_GRANTED);
	assert_true(f->keys.at[0].bad_date);
	odd.hidden = CKA_VENDOR_DEFINED;
	expect(f, ask_find(f), CMK_GRANTED);
	assert_false(f->keys.at[0].bad_date);
}

static CK_RV attributes_loud(
	CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list, CK_ULONG n)
{
	CK_RV rv = real()->C_GetAttributeValue(h, object, list, n);
	for (CK_ULONG i = 0; i < n; i++)
		if (list[i].type == odd.hidden && list[i].ulValueLen == sizeof(CK_BBOOL))
			*(CK_BBOOL *)list[i].pValue = 0x80;
	return rv;
}

static void any_value_but_zero_is_true(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a1", .bits = 2048, .no_decrypt = true});
	assert_false(the_key(f)->decrypt);
	odd.hidden = CKA_DECRYPT;
	f->f.C_GetAttributeValue = attributes_loud;
	assert_true(the_key(f)->decrypt);
}

static void a_permission_that_the_token_does_not_tell_is_neither(void **state)
{
	struct fixture *f = *state;
	new_rsa(f);
	f->f.C_GetAttributeValue = attributes_hide;
	odd.hidden = CKA_DECRYPT;
	const struct p11_key *k = the_key(f);
	assert_true(!k->decrypt && k->decrypt_untold && k->unwrap && !k->unwrap_untold);
	odd.hidden = CKA_UNWRAP;
	k = the_key(f);
	assert_true(k->decrypt && !k->decrypt_untold && !k->unwrap && k->unwrap_untold);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
}

// One attribute says no, and the token does not do what the other one is silent about.
static void a_permission_that_is_withdrawn_is_not_saved_by_one_that_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct p11_key k = *new_rsa(f);
	expect(f, ask_wrap(f, &k), CMK_GRANTED);
	f->f.C_UnwrapKey = unwrap_unsupported;
	k.decrypt = k.unwrap = false;
	k.unwrap_untold = true;
	expect(f, ask_unwrap(f, &k), CMK_DENIED);
	assert_int_equal(f->o.reason, CMK_REASON_NOT_PERMITTED);
	assert_non_null(strstr(f->o.err.text, "CKA_DECRYPT false, CKA_UNWRAP not told"));
	k.decrypt_untold = true;
	expect(f, ask_unwrap(f, &k), CMK_GRANTED);
}

// Who finds a key by its id and then hides id or type has not said that there is none.
static void a_key_that_may_be_it_is_counted_and_not_passed_over(void **state)
{
	struct fixture *f = *state;
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_ID, CKA_KEY_TYPE, CKA_LABEL};
	new_rsa(f);
	f->f.C_GetAttributeValue = attributes_hide;
	for (size_t i = 0; i < 3; i++) {
		odd.hidden = types[i];
		expect(f, p11_keys_find(&f->c, &f->s, "6131", &f->keys, &f->o), CMK_GRANTED);
		assert_int_equal(f->keys.count, 0);
		assert_int_equal(f->keys.untold, 1);
	}
}

static CK_RV lengths_beyond(
	CK_SESSION_HANDLE h, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list, CK_ULONG n)
{
	CK_RV rv = real()->C_GetAttributeValue(h, object, list, n);
	for (CK_ULONG i = 0; i < n; i++)
		if (list[i].type == odd.hidden)
			list[i].ulValueLen = odd.searched;
	return rv;
}

static void lengths_of_attributes_are_not_believed(void **state)
{
	struct fixture *f = *state;
	static const CK_ULONG lengths[] = {61, 4096, 1UL << 32};
	new_rsa(f);
	f->f.C_GetAttributeValue = lengths_beyond;
	odd.hidden = CKA_ID;
	for (size_t i = 0; i < 3; i++) {
		odd.searched = lengths[i];
		expect(f, ask_find(f), CMK_UNREACHABLE);
	}
	odd.searched = CK_UNAVAILABLE_INFORMATION; // it has none
	expect(f, ask_find(f), CMK_GRANTED);
	assert_int_equal(f->keys.count, 0);
	assert_int_equal(f->keys.without_id, 1);
	odd.hidden = CKA_MODULUS;
	expect(f, ask_find(f), CMK_GRANTED);
	assert_int_equal(f->keys.at[0].bits, 0);
	odd.hidden = CKA_END_DATE;
	odd.searched = 7;
	expect(f, ask_find(f), CMK_GRANTED);
	assert_true(f->keys.at[0].bad_date);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ODD(a_modulus_that_the_private_half_hides_is_the_public_ones),
		ODD(a_foreign_public_key_with_the_same_id_is_found_out),
		ODD(searches_that_never_end_or_find_too_much_are_given_up),
		ODD(what_a_search_finds_is_looked_at_again),
		ODD(a_permission_that_cannot_be_read_is_no_denial),
		ODD(any_value_but_zero_is_true),
		ODD(a_permission_that_the_token_does_not_tell_is_neither),
		ODD(a_permission_that_is_withdrawn_is_not_saved_by_one_that_is_not_told),
		ODD(a_key_that_may_be_it_is_counted_and_not_passed_over),
		ODD(lengths_of_attributes_are_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
