// SPDX-License-Identifier: MIT
// The PKCS#11 plug-in when a key has several versions: which one is chosen, and that a disk's own
// works whatever else there is. The test is the host.
#include "p11_provider_fixture.h"

#define DAY 86400

static void rotation_is_followed_by_start_date_and_the_old_version_goes_on(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a1", .bits = 2048, .start = "20260101"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, "6131");
	struct cmk_wrapped old = f->w;
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a2", .bits = 2048, .start = "20260102"});
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6132");
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, "6132");
	expect(f, ask_unwrap(f), CMK_GRANTED);
	f->w = old;
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void rotation_is_followed_by_ids_that_tell_their_time(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	static const char first[] =
		"\x01\x8b\xcf\xe5\x68\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x09";
	static const char second[] =
		"\x01\x8b\xcf\xe5\x68\x01\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01";
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = second, .id_len = 16});
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = first, .id_len = 16});
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "018bcfe5680170008000000000000001");
	assert_int_equal(info.created, 1700000000);
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, info.version);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void a_pinned_id_is_not_left(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a1", .bits = 2048, .start = "20260101"});
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a2", .bits = 2048, .start = "20260102"});
	open_key(f, "pkcs11:token=bank;object=disk;id=%61%31", NULL);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6131");
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, "6131");
	expect(f, ask_unwrap(f), CMK_GRANTED);
	// Another version is not what this URL names, which says nothing about that one.
	expect(f, ask_describe(f, "6132", &info), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "version 6132"));
	assert_non_null(strstr(f->host.sentence, "pins another one, 6131"));
}

static void a_pinned_id_alone_names_a_key(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "anything", .id = "a1"});
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a2"});
	open_key(f, "pkcs11:token=bank;id=a1", NULL);
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, "6131");
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void without_an_order_new_bindings_are_refused_and_old_ones_work(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a2"});
	expect(f, ask_unwrap(f), CMK_GRANTED);
	struct cmk_wrapped own = f->w;
	expect(f, ask_describe(f, "", &info), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "6131"));
	assert_non_null(strstr(f->host.sentence, "6132"));
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	f->w = own;
	expect(f, ask_unwrap(f), CMK_GRANTED);
	f->w.version[0] = '\0'; // as keyset check asks
	expect(f, ask_unwrap(f), CMK_MISCONFIGURED);
}

static void a_version_works_among_more_keys_than_can_be_listed(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "first"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	struct cmk_wrapped own = f->w;
	for (int i = 0; i < 70; i++) {
		char id[8];
		(void)snprintf(id, sizeof(id), "k%d", i);
		make_key(f, &(struct p11_rig_key){.label = "disk", .id = id});
	}
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	f->w = own;
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void several_keys_with_one_id_are_refused_unless_their_type_tells(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	expect(f, ask_unwrap(f), CMK_GRANTED);
	struct cmk_wrapped own = f->w;
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6131");
	assert_string_equal(info.kty, "");
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	f->w = own;
	expect(f, ask_unwrap(f), CMK_MISCONFIGURED);
	open_key(f, "pkcs11:token=bank;object=disk;type=private", NULL);
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.alg, "RSA-OAEP");
}

static void dates_are_told_and_new_bindings_stay_inside_them(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){.label = "disk",
			    .id = "a1",
			    .bits = 2048,
			    .start = "20260110",
			    .end = "20260119"});
	const int64_t start = 1768003200, end = 1768867200; // 2026-01-10, midnight after the 19th
	f->host.now = start;
	expect(f, ask_wrap(f), CMK_GRANTED);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_int_equal(info.nbf, start);
	assert_int_equal(info.exp, end);
	struct cmk_wrapped own = f->w;
	f->host.now = start - 1;
	expect_denied(f, ask_wrap(f), CMK_REASON_NOT_PERMITTED);
	assert_non_null(strstr(f->host.sentence, "CKA_START_DATE"));
	f->host.now = end - 1;
	expect(f, ask_wrap(f), CMK_GRANTED);
	f->host.now = end;
	expect_denied(f, ask_wrap(f), CMK_REASON_NOT_PERMITTED);
	assert_non_null(strstr(f->host.sentence, "CKA_END_DATE"));
	// The host judges: outside its dates the key is still told of, and still unwraps.
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_int_equal(info.exp, end);
	f->w = own;
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void a_version_that_starts_later_waits(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a1", .bits = 2048, .start = "20260110"});
	make_key(f, &(struct p11_rig_key){
			    .label = "disk", .id = "a2", .bits = 2048, .start = "20260120"});
	f->host.now = 1768003200 + 10 * DAY - 1;
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6131");
	f->host.now++;
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6132");
}

static void a_date_that_the_token_cannot_tell_is_not_passed_over(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	CK_OBJECT_HANDLE k = make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	char date[] = "20260110";
	CK_ATTRIBUTE a = {CKA_END_DATE, date, 8};
	// SoftHSM 2.6 takes the date of a private object and cannot tell it: CKR_GENERAL_ERROR.
	assert_int_equal(f->rig.f->C_SetAttributeValue(f->s, k, &a, 1), CKR_OK);
	if (f->rig.f->C_GetAttributeValue(f->s, k, &a, 1) != CKR_GENERAL_ERROR)
		skip();
	expect(f, ask_unwrap(f), CMK_GRANTED);
	struct cmk_wrapped own = f->w;
	expect(f, ask_describe(f, "6131", &info), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "CKA_END_DATE"));
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	f->w = own;
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void a_date_of_the_public_half_stands_for_one_that_the_private_half_lacks(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	CK_OBJECT_HANDLE k =
		make_key(f, &(struct p11_rig_key){
				    .label = "disk", .id = "a1", .bits = 2048, .end = "20260119"});
	CK_ATTRIBUTE none = {CKA_END_DATE, NULL, 0};
	assert_int_equal(f->rig.f->C_SetAttributeValue(f->s, k, &none, 1), CKR_OK);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_int_equal(info.exp, 1768867200);
	assert_int_equal(info.nbf, 0);
}

// Like an elliptic key that was made in the place of the old one, where ids are places (PIV).
static void make_generic(struct fixture *f)
{
	CK_MECHANISM m = {.mechanism = CKM_GENERIC_SECRET_KEY_GEN};
	CK_ULONG bytes = 32;
	CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_HANDLE k;
	char label[] = "disk", id[] = "a1";
	CK_ATTRIBUTE t[] = {{CKA_LABEL, label, 4}, {CKA_ID, id, 2}, {CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_VALUE_LEN, &bytes, sizeof(bytes)}};
	assert_int_equal(f->rig.f->C_GenerateKey(f->s, &m, t, 4, &k), CKR_OK);
}

static void a_key_of_another_kind_in_its_place_means_that_it_is_gone(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	struct cmk_wrapped own = f->w;
	p11_rig_destroy(&f->rig, f->s, "disk");
	make_generic(f);
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	assert_non_null(strstr(f->host.sentence, "another kind"));
	expect_denied(f, ask_describe(f, "6131", &info), CMK_REASON_DELETED);
	open_key(f, "pkcs11:token=bank;object=disk;id=a1", NULL);
	f->w = own;
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	expect(f, ask_wrap(f), CMK_MISCONFIGURED); // no version was asked for
}

static void a_key_without_an_id_or_of_another_type_is_explained(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .bits = 2048});
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "CKA_ID"));
	p11_rig_destroy(&f->rig, f->s, "disk");
	make_generic(f);
	expect(f, ask_wrap(f), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "AES"));
}

static void a_version_that_is_no_id_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"6", "6G", "6A", "613", "0x61", "../61"};
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(f->w.version, sizeof(f->w.version), "%s", bad[i]);
		expect(f, ask_unwrap(f), CMK_MISCONFIGURED);
	}
	memset(f->w.version, 'a', sizeof(f->w.version) - 1);
	expect(f, ask_unwrap(f), CMK_MISCONFIGURED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rotation_is_followed_by_start_date_and_the_old_version_goes_on),
		TEST(rotation_is_followed_by_ids_that_tell_their_time),
		TEST(a_pinned_id_is_not_left),
		TEST(a_pinned_id_alone_names_a_key),
		TEST(without_an_order_new_bindings_are_refused_and_old_ones_work),
		TEST(a_version_works_among_more_keys_than_can_be_listed),
		TEST(several_keys_with_one_id_are_refused_unless_their_type_tells),
		TEST(dates_are_told_and_new_bindings_stay_inside_them),
		TEST(a_version_that_starts_later_waits),
		TEST(a_date_that_the_token_cannot_tell_is_not_passed_over),
		TEST(a_date_of_the_public_half_stands_for_one_that_the_private_half_lacks),
		TEST(a_key_of_another_kind_in_its_place_means_that_it_is_gone),
		TEST(a_key_without_an_id_or_of_another_type_is_explained),
		TEST(a_version_that_is_no_id_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
