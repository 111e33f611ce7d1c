// SPDX-License-Identifier: MIT
// Where the PKCS#11 plug-in takes the dates of a key from when the key's own object does not tell
// them, or when several objects share its id. The test is the host.
#include "p11_provider_fixture.h"

#define DAY 86400
#define JAN_1 1767225600 // 2026-01-01

static const struct p11_rig_key dated = {
	.label = "disk", .id = "a1", .bits = 2048, .start = "20260102", .end = "20260119"};

static CK_OBJECT_HANDLE half_of(struct fixture *f, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_OBJECT_HANDLE half = CK_INVALID_HANDLE;
	CK_ULONG n = 0;
	assert_int_equal(f->rig.f->C_FindObjectsInit(f->s, t, 2), CKR_OK);
	assert_int_equal(f->rig.f->C_FindObjects(f->s, &half, 1, &n), CKR_OK);
	assert_int_equal(f->rig.f->C_FindObjectsFinal(f->s), CKR_OK);
	assert_int_equal(n, 1);
	return half;
}

// Another public object with the modulus and id of the key "disk", labelled "copy".
static void copy_half(struct fixture *f, const char *start, const char *end)
{
	unsigned char n[512], e[8];
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_HANDLE copy;
	char label[] = "copy", id[] = "a1";
	CK_ATTRIBUTE t[] = {{CKA_MODULUS, n, sizeof(n)}, {CKA_PUBLIC_EXPONENT, e, sizeof(e)},
		{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)}, {CKA_LABEL, label, 4}, {CKA_ID, id, 2},
		{CKA_START_DATE, (void *)(uintptr_t)start, 8},
		{CKA_END_DATE, (void *)(uintptr_t)end, 8}};
	assert_int_equal(f->rig.f->C_GetAttributeValue(f->s, half_of(f, "disk"), t, 2), CKR_OK);
	assert_int_equal(f->rig.f->C_CreateObject(f->s, t, 9, &copy), CKR_OK);
}

// A public object with that id which belongs to another key.
static void plant(struct fixture *f, const char *end)
{
	CK_OBJECT_HANDLE other = make_key(
		f, &(struct p11_rig_key){.label = "plant", .id = "a1", .bits = 2048, .end = end});
	assert_int_equal(f->rig.f->C_DestroyObject(f->s, other), CKR_OK);
	(void)half_of(f, "plant");
}

static void expect_dates(struct fixture *f, int64_t nbf, int64_t exp)
{
	struct cmk_key_info info;
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	assert_int_equal(info.nbf, nbf);
	assert_int_equal(info.exp, exp);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_int_equal(info.nbf, nbf);
	assert_int_equal(info.exp, exp);
}

static void a_planted_public_key_gives_a_key_no_dates(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	plant(f, "20250105");
	expect_dates(f, 0, 0);
	p11_rig_destroy(&f->rig, f->s, "plant");
	// Nor if the key has no public half.
	assert_int_equal(f->rig.f->C_DestroyObject(f->s, half_of(f, "disk")), CKR_OK);
	plant(f, "20250105");
	expect_dates(f, 0, 0);
	expect(f, ask_wrap(f), CMK_GRANTED);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void a_planted_public_key_takes_no_dates_away(void **state)
{
	struct fixture *f = *state;
	make_key(f, &dated);
	expect_dates(f, JAN_1 + DAY, JAN_1 + 19 * DAY);
	plant(f, "20250105");
	expect_dates(f, JAN_1 + DAY, JAN_1 + 19 * DAY);
}

static void of_several_public_halves_the_strictest_dates_count(void **state)
{
	struct fixture *f = *state;
	make_key(f, &dated);
	copy_half(f, "20260101", "20260110");
	expect_dates(f, JAN_1 + DAY, JAN_1 + 10 * DAY);
	copy_half(f, "20260105", "20260130");
	expect_dates(f, JAN_1 + 4 * DAY, JAN_1 + 10 * DAY);
	// What is no date does not hide one.
	copy_half(f, "20261301", "yyyymmdd");
	expect_dates(f, JAN_1 + 4 * DAY, JAN_1 + 10 * DAY);
}

static void of_several_keys_with_one_id_the_strictest_dates_count(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	expect(f, ask_wrap(f), CMK_GRANTED);
	make_key(f, &dated);
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	assert_int_equal(info.nbf, JAN_1 + DAY);
	assert_int_equal(info.exp, JAN_1 + 19 * DAY);
	make_key(f, &(struct p11_rig_key){.label = "disk",
			    .id = "a1",
			    .bits = 2048,
			    .start = "20260103",
			    .end = "20260121"});
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	assert_int_equal(info.nbf, JAN_1 + 2 * DAY);
	assert_int_equal(info.exp, JAN_1 + 19 * DAY);
	expect(f, ask_unwrap(f), CMK_GRANTED); // the only AES key
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_planted_public_key_gives_a_key_no_dates),
		TEST(a_planted_public_key_takes_no_dates_away),
		TEST(of_several_public_halves_the_strictest_dates_count),
		TEST(of_several_keys_with_one_id_the_strictest_dates_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
