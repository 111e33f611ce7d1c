// SPDX-License-Identifier: MIT
// The PKCS#11 plug-in against SoftHSM: what happens to the key in the token, and what the host is
// told of it. The test is the host.
#include "p11_provider_fixture.h"

#include <dirent.h>
#include <limits.h>

#define RSA(name) ((struct p11_rig_key){.label = "disk", .id = (name), .bits = 2048})
#define AES(name) ((struct p11_rig_key){.label = "disk", .id = (name)})

static void a_key_wraps_and_unwraps_and_is_described(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, "6131");
	assert_string_equal(f->w.alg, "RSA-OAEP");
	assert_int_equal(f->w.len, 256);
	expect(f, ask_unwrap(f), CMK_GRANTED);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, "6131");
	assert_string_equal(info.kty, "RSA-HSM");
	assert_int_equal(info.bits, 2048);
	assert_int_equal(info.enabled, 1);
	assert_int_equal(info.exp, 0);
}

static void an_aes_key_does_as_well(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	make_key(f, &AES("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.alg, "A256KW");
	assert_int_equal(f->w.len, 40);
	expect(f, ask_unwrap(f), CMK_GRANTED);
	expect(f, ask_describe(f, "6131", &info), CMK_GRANTED);
	assert_string_equal(info.kty, "oct-HSM");
	assert_int_equal(info.bits, 256);
}

static void opening_touches_no_token_and_refuses_a_query(void **state)
{
	struct fixture *f = *state;
	void *key = NULL;
	open_key(f, "pkcs11:token=nowhere;object=disk", NULL);
	expect(f, ask_wrap(f), CMK_UNREACHABLE);
	struct cmk_key_ref ref = {
		sizeof(ref), "pkcs11:token=bank;object=disk?pin-source=file:/x", "{}", "", NULL};
	expect(f, f->prov->open(&f->host.api, &ref, &key), CMK_MISCONFIGURED);
	assert_null(key);
}

static void a_destroyed_key_is_denied_as_deleted(void **state)
{
	struct fixture *f = *state;
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	expect(f, ask_unwrap(f), CMK_GRANTED);
	p11_rig_destroy(&f->rig, f->s, "disk");
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	assert_non_null(strstr(f->host.sentence, "6131"));
	struct cmk_key_info info;
	expect_denied(f, ask_describe(f, "6131", &info), CMK_REASON_DELETED);
	expect_denied(f, ask_wrap(f), CMK_REASON_DELETED);
}

static void gone_counts_only_when_there_was_time_to_look_twice(void **state)
{
	struct fixture *f = *state;
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	p11_rig_destroy(&f->rig, f->s, "disk");
	f->host.time_left = 50;
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	f->host.time_left = 10000;
	f->host.cancelled = 1;
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	f->host.cancelled = 0;
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
}

static void another_version_of_the_key_does_not_stand_in_for_a_destroyed_one(void **state)
{
	struct fixture *f = *state;
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	p11_rig_destroy(&f->rig, f->s, "disk");
	make_key(f, &RSA("a2"));
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
}

static void a_key_made_anew_with_the_same_id_is_never_taken_for_the_old_one(void **state)
{
	struct fixture *f = *state;
	static const struct p11_rig_key kinds[] = {
		{.label = "disk", .id = "a1", .bits = 2048}, {.label = "disk", .id = "a1"}};
	for (size_t i = 0; i < 2; i++) {
		make_key(f, &kinds[i]);
		expect(f, ask_wrap(f), CMK_GRANTED);
		expect(f, ask_unwrap(f), CMK_GRANTED);
		p11_rig_destroy(&f->rig, f->s, "disk");
		make_key(f, &kinds[i]);
		for (int n = 0; n < 5; n++)
			expect(f, ask_unwrap(f), CMK_BAD_BLOB);
		make_key(f, &(struct p11_rig_key){.label = "other", .id = "a1"});
		expect(f, ask_unwrap(f), CMK_BAD_BLOB);
		p11_rig_destroy(&f->rig, f->s, "disk");
		p11_rig_destroy(&f->rig, f->s, "other");
	}
}

static void damaged_and_foreign_blobs_are_bad_blobs(void **state)
{
	struct fixture *f = *state;
	make_key(f, &RSA("a1"));
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a2"});
	open_key(f, "pkcs11:token=bank;object=disk;type=private", NULL);
	expect(f, ask_wrap(f), CMK_GRANTED);
	struct cmk_wrapped good = f->w;
	f->w.data[100] ^= 1;
	expect(f, ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	f->w.len--;
	expect(f, ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	(void)snprintf(f->w.alg, sizeof(f->w.alg), "A256KW");
	expect(f, ask_unwrap(f), CMK_BAD_BLOB);
	(void)snprintf(f->w.alg, sizeof(f->w.alg), "RSA1_5");
	expect(f, ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void withdrawing_the_use_denies_and_giving_it_back_grants(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info;
	CK_OBJECT_HANDLE k = make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	set_bool(f, k, CKA_DECRYPT, false);
	expect(f, ask_unwrap(f), CMK_GRANTED); // C_UnwrapKey does it
	set_bool(f, k, CKA_UNWRAP, false);
	expect_denied(f, ask_unwrap(f), CMK_REASON_NOT_PERMITTED);
	expect_denied(f, ask_wrap(f), CMK_REASON_NOT_PERMITTED);
	expect(f, ask_describe(f, "", &info), CMK_GRANTED);
	assert_int_equal(info.enabled, 0);
	assert_int_equal(info.bits, 2048);
	set_bool(f, k, CKA_DECRYPT, true);
	expect(f, ask_wrap(f), CMK_GRANTED);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void an_aes_key_whose_unwrapping_is_withdrawn_is_denied(void **state)
{
	struct fixture *f = *state;
	CK_OBJECT_HANDLE k = make_key(f, &AES("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	set_bool(f, k, CKA_UNWRAP, false); // SoftHSM has no C_Decrypt with this mechanism
	expect_denied(f, ask_unwrap(f), CMK_REASON_NOT_PERMITTED);
	set_bool(f, k, CKA_DECRYPT, false);
	expect_denied(f, ask_unwrap(f), CMK_REASON_NOT_PERMITTED);
	set_bool(f, k, CKA_UNWRAP, true);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void a_token_that_is_away_is_unreachable_and_back_without_more(void **state)
{
	struct fixture *f = *state;
	char here[128], away[128];
	(void)snprintf(here, sizeof(here), "%s/tokens", f->rig.dir);
	(void)snprintf(away, sizeof(away), "%s/away", f->rig.dir);
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	assert_int_equal(rename(here, away), 0);
	assert_int_equal(mkdir(here, 0700), 0);
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	assert_int_equal(rmdir(here), 0);
	assert_int_equal(rename(away, here), 0);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

// The one token in dir/tokens that is none of `not`.
static void the_token(struct fixture *f, const char * not, char out[NAME_MAX + 1])
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/tokens", f->rig.dir);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	*out = '\0';
	for (const struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.' && strcmp(e->d_name, not ) != 0)
			memcpy(out, e->d_name, strlen(e->d_name) + 1);
	(void)closedir(dir);
	assert_true(*out);
}

static void move_token(struct fixture *f, const char *name, bool in)
{
	char here[NAME_MAX + 128], away[NAME_MAX + 128];
	(void)snprintf(here, sizeof(here), "%s/tokens/%s", f->rig.dir, name);
	(void)snprintf(away, sizeof(away), "%s/%s", f->rig.dir, name);
	assert_int_equal(rename(in ? away : here, in ? here : away), 0);
}

// Cards are changed: the wrong one says nothing about the key, to the next process neither.
static void another_token_without_the_key_is_unreachable(void **state)
{
	struct fixture *f = *state;
	char right[NAME_MAX + 1], wrong[NAME_MAX + 1];
	make_key(f, &RSA("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	the_token(f, "", right);
	p11_rig_token(&f->rig, "bank");
	the_token(f, right, wrong);
	move_token(f, right, false);
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	assert_non_null(strstr(f->host.sentence, "another token answers to this URL"));
	assert_non_null(strstr(f->host.sentence, "before it was"));
	f->prov->close(f->key);
	struct cmk_key_ref ref = {
		sizeof(ref), f->url, f->config, "", provider_host_environment(&f->host)};
	expect(f, f->prov->open(&f->host.api, &ref, &f->key), CMK_GRANTED);
	expect(f, ask_unwrap(f), CMK_UNREACHABLE);
	assert_non_null(strstr(f->host.sentence, "another token answers to this URL"));
	// Another command, that never saw the right one.
	open_key(f, "pkcs11:token=bank;object=disk", NULL);
	expect_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	ref.environment = provider_host_environment(&f->host);
	f->prov->close(f->key);
	expect(f, f->prov->open(&f->host.api, &ref, &f->key), CMK_GRANTED);
	move_token(f, wrong, false);
	move_token(f, right, true);
	expect(f, ask_unwrap(f), CMK_GRANTED);
}

static void two_thousand_checks_leave_nothing_behind(void **state)
{
	struct fixture *f = *state;
	make_key(f, &AES("a1"));
	expect(f, ask_wrap(f), CMK_GRANTED);
	long before = 0, after = 0;
	for (int i = 0; i < 2000; i++) {
		expect(f, ask_unwrap(f), CMK_GRANTED);
		if (i != 199 && i != 1999)
			continue;
		FILE *in = fopen("/proc/self/statm", "re");
		assert_non_null(in);
		assert_int_equal(fscanf(in, "%*s %ld", i == 199 ? &before : &after), 1);
		assert_int_equal(fclose(in), 0);
		assert_int_equal(f->host.secrets, 1); // the key itself
	}
	assert_true(before > 0);
#if !defined(__SANITIZE_ADDRESS__)
	if ((after - before) * getpagesize() > 1 << 20)
		fail_msg("%ld pages more after 1800 checks", after - before);
#endif
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_wraps_and_unwraps_and_is_described),
		TEST(an_aes_key_does_as_well),
		TEST(opening_touches_no_token_and_refuses_a_query),
		TEST(a_destroyed_key_is_denied_as_deleted),
		TEST(gone_counts_only_when_there_was_time_to_look_twice),
		TEST(another_version_of_the_key_does_not_stand_in_for_a_destroyed_one),
		TEST(a_key_made_anew_with_the_same_id_is_never_taken_for_the_old_one),
		TEST(damaged_and_foreign_blobs_are_bad_blobs),
		TEST(withdrawing_the_use_denies_and_giving_it_back_grants),
		TEST(an_aes_key_whose_unwrapping_is_withdrawn_is_denied),
		TEST(a_token_that_is_away_is_unreachable_and_back_without_more),
		TEST(another_token_without_the_key_is_unreachable),
		TEST(two_thousand_checks_leave_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
