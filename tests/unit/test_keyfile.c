// SPDX-License-Identifier: MIT
// The file provider's verdicts: one test for each thing that can be the matter with a bundle. The
// test is the host.
#include "keyfile_fixture.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static void a_good_bundle_wraps_and_unwraps(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, K1);
	assert_string_equal(f->w.alg, "A256KW");
	assert_int_equal(f->w.len, 72);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

static void a_disabled_version_is_denied_at_once_and_works_again_when_enabled(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
	put_text(f, OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":false")));
	assert_denied(f, ask_unwrap(f), CMK_REASON_DISABLED);
	assert_denied(f, ask_wrap(f), CMK_REASON_DISABLED);
	f->w.len = 0;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

static void a_deleted_key_is_denied(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info = {0};
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	put_text(f, "{\"format\":1,\"kty\":\"oct\",\"deletedDate\":77,\"versions\":[" OCT_VERSION(
			    K1, "\"enabled\":true") "]}");
	assert_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	assert_denied(f, ask_wrap(f), CMK_REASON_DELETED);
	assert_denied(f, f->prov->describe(f->key, "", &info), CMK_REASON_DELETED);
}

static void a_version_that_is_not_there_is_denied_as_deleted(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	put_text(f, OCT_BUNDLE(OCT_VERSION(K2, "\"enabled\":true")));
	assert_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
}

static void a_missing_file_is_denied_as_deleted_but_only_when_confirmed(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_int_equal(unlink(f->path), 0);
	assert_denied(f, ask_unwrap(f), CMK_REASON_DELETED);
	f->host.time_left = 60; // not enough to look again
	assert_int_equal(ask_unwrap(f), CMK_UNREACHABLE);
	f->host.time_left = 10000;
	f->host.cancelled = 1;
	assert_int_equal(ask_unwrap(f), CMK_UNREACHABLE);
}

static void a_missing_directory_says_nothing_about_the_key(void **state)
{
	struct fixture *f = *state;
	char away[4100];
	(void)snprintf(away, sizeof(away), "%s.away", f->dir);
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_int_equal(rename(f->dir, away), 0);
	enum cmk_verdict v = ask_unwrap(f);
	assert_int_equal(rename(away, f->dir), 0);
	assert_int_equal(v, CMK_UNREACHABLE);
	assert_non_null(strstr(f->host.sentence, "no directory"));
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

static void a_file_others_may_read_is_refused_as_misconfigured(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(chmod(f->path, bad[i]), 0);
		assert_int_equal(ask_unwrap(f), CMK_MISCONFIGURED);
		assert_non_null(strstr(f->host.sentence, "chmod 600"));
	}
	assert_int_equal(chmod(f->path, 0400), 0);
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

static void a_directory_anybody_may_write_to_is_refused_unless_sticky(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(ask_wrap(f), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "chmod o-w"));
	assert_int_equal(chmod(f->dir, 01777), 0);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
}

static void links_fifos_and_directories_are_refused(void **state)
{
	struct fixture *f = *state;
	char other[4200];
	put_text(f, OCT_SIMPLE);
	(void)snprintf(other, sizeof(other), "%s.real", f->path);
	assert_int_equal(rename(f->path, other), 0);
	assert_int_equal(symlink(other, f->path), 0);
	assert_int_equal(ask_wrap(f), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->host.sentence, "symbolic link"));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(ask_wrap(f), CMK_MISCONFIGURED);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(ask_wrap(f), CMK_MISCONFIGURED);
}

static void permission_taken_away_is_a_denial_and_a_foreign_owner_is_not(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	bool root = geteuid() == 0;
	if (root) {
		assert_int_equal(chown(f->path, 65534, 65534), 0);
		assert_int_equal(ask_unwrap(f), CMK_MISCONFIGURED);
		assert_non_null(strstr(f->host.sentence, "belongs to user"));
		assert_int_equal(chown(f->path, 0, 0), 0);
		assert_int_equal(seteuid(65534), 0);
	} else {
		assert_int_equal(chmod(f->path, 0), 0);
	}
	enum cmk_verdict v = ask_unwrap(f);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_denied(f, v, CMK_REASON_FORBIDDEN);
}

static void malformed_bundles_are_misconfigured_and_never_shown(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		OCT_SIMPLE "x",
		"{\"kty\":\"oct\",\"versions\":[" OCT_VERSION(K1, "\"enabled\":true") "]}",
		"{\"format\":2,\"kty\":\"oct\",\"versions\":[" OCT_VERSION(
			K1, "\"enabled\":true") "]}",
		"{\"format\":1,\"kty\":\"EC\",\"versions\":[" OCT_VERSION(
			K1, "\"enabled\":true") "]}",
		"{\"format\":1,\"kty\":\"RSA\",\"versions\":[" OCT_VERSION(
			K1, "\"enabled\":true") "]}",
		"{\"format\":1,\"kty\":\"oct\",\"deletedDate\":\"x\",\"versions\":[" OCT_VERSION(
			K1, "\"enabled\":true") "]}",
		OCT_BUNDLE(""),
		OCT_BUNDLE("7"),
		OCT_BUNDLE(OCT_VERSION("xyz", "\"enabled\":true")),
		OCT_BUNDLE(OCT_VERSION("0000000000000000000000000000000A", "\"enabled\":true")),
		OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true") "," OCT_VERSION(
			K1, "\"enabled\":true")),
		OCT_BUNDLE(OCT_VERSION(K1, "")),
		OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":1")),
		OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"nbf\":1.5")),
		OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"exp\":-1")),
		OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"exp\":1e300")),
		OCT_BUNDLE("{\"version\":\"" K1 "\",\"attributes\":{\"enabled\":true}}"),
		OCT_BUNDLE("{\"version\":\"" K1 "\",\"key\":{\"k\":\"" OCT_K
			   "AAAA\"},\"attributes\":{\"enabled\":true}}"),
		OCT_BUNDLE("{\"version\":\"" K1 "\",\"key\":{\"k\":\"\\u0041" OCT_K
			   "\"},\"attributes\":{\"enabled\":true}}"),
		OCT_BUNDLE("{\"version\":\"" K1 "\",\"key\":{\"k\":\"\\u00010\"},"
			   "\"attributes\":{\"enabled\":true}}"),
		OCT_BUNDLE("{\"version\":\"" K1 "\",\"key\":{\"kty\":\"RSA\",\"k\":\"" OCT_K
			   "\"},\"attributes\":{\"enabled\":true}}"),
		OCT_BUNDLE(
			"{\"version\":\"" K1 "\",\"key\":{\"k\":\"!!ECAwQFBgcICQoLDA0ODxAREhMUFRYX"
			"GBkaGxwdHh8\"},\"attributes\":{\"enabled\":true}}"),
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		put_text(f, bad[i]);
		enum cmk_verdict v = ask_wrap(f);
		if (v != CMK_MISCONFIGURED)
			fail_msg("bundle %zu: verdict %d: %s", i, v, f->host.sentence);
		assert_non_null(strstr(f->host.sentence, f->path));
		assert_null(strstr(f->host.sentence, "ECAwQFBgcI"));
		assert_int_equal(f->host.secrets, 0);
	}
}

static void wrap_takes_the_newest_usable_version_and_respects_its_dates(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_BUNDLE(OCT_VERSION(K2, "\"enabled\":true,\"created\":9") "," OCT_VERSION(
			    K1, "\"enabled\":true,\"created\":5")));
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, K2);
	// Equal ages: the later in the file.
	put_text(f, OCT_BUNDLE(OCT_VERSION(K2, "\"enabled\":true,\"created\":9") "," OCT_VERSION(
			    K1, "\"enabled\":true,\"created\":9")));
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, K1);
	put_text(f, OCT_BUNDLE(OCT_VERSION(K2, "\"enabled\":false,\"created\":9") "," OCT_VERSION(
			    K1, "\"enabled\":true,\"created\":5")));
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	assert_string_equal(f->w.version, K1);
	f->host.now = 1000;
	put_text(f, OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"nbf\":500,\"exp\":1001")));
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	f->host.now = 1001; // valid until before exp
	assert_denied(f, ask_wrap(f), CMK_REASON_NOT_PERMITTED);
	f->host.now = 499;
	assert_denied(f, ask_wrap(f), CMK_REASON_NOT_PERMITTED);
	f->host.now = 500;
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	// As in a vault, what was wrapped can still be unwrapped outside the dates.
	f->host.now = 5000;
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

static void a_pinned_version_is_the_one_that_wraps(void **state)
{
	struct fixture *f = *state;
	char url[4300];
	void *key = NULL;
	(void)snprintf(url, sizeof(url), "%s?version=" K1, f->url);
	struct cmk_key_ref ref = {sizeof(ref), url, "{}", "", NULL};
	assert_int_equal(f->prov->open(&f->host.api, &ref, &key), CMK_GRANTED);
	put_text(f, OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"created\":5") "," OCT_VERSION(
			    K2, "\"enabled\":true,\"created\":9")));
	struct cmk_wrapped w = {0};
	struct cmk_key_info info = {0};
	assert_int_equal(f->prov->wrap(key, f->plain, 64, &w), CMK_GRANTED);
	assert_string_equal(w.version, K1);
	assert_int_equal(f->prov->describe(key, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, K1);
	assert_int_equal(f->prov->describe(f->key, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, K2);
	put_text(f, OCT_BUNDLE(OCT_VERSION(K2, "\"enabled\":true,\"created\":9")));
	assert_denied(f, f->prov->wrap(key, f->plain, 64, &w), CMK_REASON_DELETED);
	f->prov->close(key);
}

static void describe_tells_the_attributes_also_of_a_disabled_version(void **state)
{
	struct fixture *f = *state;
	struct cmk_key_info info = {0};
	put_text(f, OCT_BUNDLE(OCT_VERSION(K1,
			    "\"enabled\":false,\"created\":5,\"nbf\":6,\"exp\":7,\"updated\":8")));
	assert_int_equal(f->prov->describe(f->key, "", &info), CMK_GRANTED);
	assert_string_equal(info.version, K1);
	assert_string_equal(info.kty, "oct");
	assert_string_equal(info.recovery_level, "Recoverable");
	assert_int_equal(info.bits, 256);
	assert_int_equal(info.enabled, 0);
	assert_int_equal(info.nbf, 6);
	assert_int_equal(info.exp, 7);
	assert_int_equal(info.created, 5);
	assert_denied(f, f->prov->describe(f->key, K2, &info), CMK_REASON_DELETED);
}

static void wrong_wrapped_bytes_are_a_bad_blob(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	struct cmk_wrapped good = f->w;
	for (size_t i = 0; i < good.len; i += 9) {
		f->w.data[i] ^= 1;
		assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
		f->w = good;
	}
	for (f->w.len = 0; f->w.len < good.len; f->w.len++)
		assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	f->w.len = good.len + 8;
	assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	f->w = good;
	(void)snprintf(f->w.alg, sizeof(f->w.alg), "RSA-OAEP-256");
	assert_int_equal(ask_unwrap(f), CMK_BAD_BLOB);
	assert_non_null(strstr(f->host.sentence, "A256KW"));
	f->w = good;
	assert_int_equal(ask_unwrap(f), CMK_GRANTED);
}

#define T(x) cmocka_unit_test_setup_teardown(x, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_bundle_wraps_and_unwraps),
		T(a_disabled_version_is_denied_at_once_and_works_again_when_enabled),
		T(a_deleted_key_is_denied),
		T(a_version_that_is_not_there_is_denied_as_deleted),
		T(a_missing_file_is_denied_as_deleted_but_only_when_confirmed),
		T(a_missing_directory_says_nothing_about_the_key),
		T(a_file_others_may_read_is_refused_as_misconfigured),
		T(a_directory_anybody_may_write_to_is_refused_unless_sticky),
		T(links_fifos_and_directories_are_refused),
		T(permission_taken_away_is_a_denial_and_a_foreign_owner_is_not),
		T(malformed_bundles_are_misconfigured_and_never_shown),
		T(wrap_takes_the_newest_usable_version_and_respects_its_dates),
		T(a_pinned_version_is_the_one_that_wraps),
		T(describe_tells_the_attributes_also_of_a_disabled_version),
		T(wrong_wrapped_bytes_are_a_bad_blob),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
