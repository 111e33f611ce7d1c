// SPDX-License-Identifier: MIT
// PKCS#11 URIs as far as commands look into them: which two are one key, which version one names,
// and what is printed of it.
#include "key_uri.h"
#include "keyurl.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY "pkcs11:token=bank;object=disk"

static void one_key_is_spelled_in_many_ways(void **state)
{
	(void)state;
	static const char *const same[][2] = {{KEY, KEY}, {KEY, "pkcs11:object=disk;token=bank"},
		{KEY, "PKCS11:token=b%61nk;object=d%69sk"},
		{"pkcs11:id=%AA%bb;object=a", "pkcs11:object=a;id=%aa%BB"},
		{"pkcs11:id=%00%01", "pkcs11:id=%00%01"}, {"pkcs11:id=%41", "pkcs11:id=A"},
		{"pkcs11:token=a%3Bb;object=c", "pkcs11:object=c;token=a%3bb"},
		{"pkcs11:object=", "PKCS11:object="},
		{"pkcs11:x-vendor=1;object=a", "pkcs11:object=a;x-vendor=1"}};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(key_url_same(same[i][0], same[i][1]));
		assert_true(key_url_same(same[i][1], same[i][0]));
	}
}

static void another_key_is_another_key(void **state)
{
	(void)state;
	static const char *const other[][2] = {{KEY, "pkcs11:token=bank;object=Disk"},
		{KEY, "pkcs11:token=bank"}, {KEY, KEY ";type=private"}, {KEY, KEY ";id=%01"},
		{KEY ";id=%01", KEY ";id=%02"}, {KEY ";id=%01", KEY ";id=%01%00"},
		{"pkcs11:id=%00%01", "pkcs11:id=%00%02"}, {"pkcs11:object=", "pkcs11:token="},
		{KEY, "pkcs11:token=bank%3Bobject=disk"}, {KEY, "pkcs11:token=disk;object=bank"},
		{KEY, "pkcs11:token=bank;object=disk%20"}, {KEY, "file:token=bank;object=disk"},
		{KEY, "pkcs12:token=bank;object=disk"}};
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_false(key_url_same(other[i][0], other[i][1]));
		assert_false(key_url_same(other[i][1], other[i][0]));
	}
}

// Each is the same as itself, and never the same as what it may have been meant to be.
static void what_is_malformed_is_compared_letter_by_letter(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"pkcs11:token=bank;object=disk;", "pkcs11:object=disk;token=bank;"},
		{"pkcs11:token=bank;;object=disk", "pkcs11:object=disk;;token=bank"},
		{"pkcs11:token;object=disk", "pkcs11:object=disk;token"},
		{"pkcs11:token=%6;object=d", "pkcs11:object=d;token=%6"},
		{"pkcs11:token=%6g;object=d", "pkcs11:object=d;token=%6G"},
		{"pkcs11:object=d;token=%", "pkcs11:token=%;object=d"},
		{"pkcs11:token=a%00;object=d", "pkcs11:object=d;token=a%00"},
		{"pkcs11:object=d;object=d;token=t", "pkcs11:object=d;token=t;object=d"},
		{"pkcs11:=a;object=d", "pkcs11:object=d;=a"}, {"pkcs11:", "PKCS11:"},
		{KEY "?pin-source=file:/a", "pkcs11:object=disk;token=bank?pin-source=file:/a"},
		{KEY, KEY "?"}, {KEY, KEY "?module-path=/evil.so"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(key_url_same(pairs[i][0], pairs[i][0]));
		assert_true(key_url_same(pairs[i][1], pairs[i][1]));
		assert_false(key_url_same(pairs[i][0], pairs[i][1]));
	}
}

static void the_id_is_the_version(void **state)
{
	(void)state;
	static const struct {
		const char *url, *version, *without;
	} urls[] = {{KEY, "", KEY}, {KEY ";id=%01%fF", "01ff", KEY},
		{"pkcs11:id=%01;token=bank;object=disk", "01", KEY},
		{"pkcs11:token=bank;id=disk;object=disk", "6469736b", KEY},
		{"PKCS11:id=%00;object=a", "00", "PKCS11:object=a"},
		{"pkcs11:id=%00%41%00", "004100", "pkcs11:id=%00%41%00"}, // else no key is named
		{"pkcs11:token=bank;id=%01", "01", "pkcs11:token=bank;id=%01"},
		{"pkcs11:object=a;id=", "", "pkcs11:object=a"}, {KEY ";id=%0", "", KEY ";id=%0"},
		{KEY ";id=%01;id=%01", "", KEY ";id=%01;id=%01"},
		{KEY ";id=%01?version=2", "", KEY ";id=%01?version=2"},
		{KEY ";uid=%01", "", KEY ";uid=%01"}};
	char out[BINDING_URL_MAX], version[CMK_VERSION_MAX];
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		key_url_version(urls[i].url, version);
		assert_string_equal(version, urls[i].version);
		assert_int_equal(key_url_has_version(urls[i].url), *version != '\0');
		key_url_unversioned(urls[i].url, out);
		assert_string_equal(out, urls[i].without);
		assert_false(key_url_rotates(urls[i].url));
	}
}

static void an_id_longer_than_a_version_is_none(void **state)
{
	(void)state;
	char url[512] = "pkcs11:object=a;id=", version[CMK_VERSION_MAX];
	const size_t most = (CMK_VERSION_MAX - 1) / 2;
	for (size_t i = 0; i < most; i++)
		memcpy(url + strlen(url), "%0a", 4);
	key_url_version(url, version);
	assert_int_equal(strlen(version), 2 * most);
	assert_true(key_url_has_version(url));
	memcpy(url + strlen(url), "%0a", 4);
	assert_false(key_url_has_version(url));
}

static void the_longest_url_stays_whole(void **state)
{
	(void)state;
	char url[BINDING_URL_MAX], out[BINDING_URL_MAX];
	(void)snprintf(url, sizeof(url), "pkcs11:object=");
	memset(url + strlen(url), 'a', sizeof(url) - strlen(url));
	url[sizeof(url) - 1] = '\0';
	key_url_unversioned(url, out);
	assert_string_equal(out, url);
}

static void attributes_come_one_by_one(void **state)
{
	(void)state;
	const char *at = "a=1&b&=2&c=%7c%20&d=%00&e=%4";
	struct key_uri_attribute a;
	char value[4];
	size_t len = 0;
	assert_true(key_uri_next(&at, '&', &a) && key_uri_named(&a, "a"));
	assert_false(key_uri_named(&a, "a=") || key_uri_named(&a, ""));
	assert_int_equal(key_uri_decode(&a, value, sizeof(value), &len), 0);
	assert_string_equal(value, "1");
	assert_true(key_uri_next(&at, '&', &a) && key_uri_named(&a, "b") && !a.value);
	assert_int_equal(key_uri_decode(&a, value, sizeof(value), &len), -EBADMSG);
	assert_true(key_uri_next(&at, '&', &a) && key_uri_named(&a, ""));
	assert_true(key_uri_next(&at, '&', &a) && key_uri_named(&a, "c"));
	assert_int_equal(key_uri_decode(&a, value, sizeof(value), &len), 0);
	assert_string_equal(value, "| ");
	assert_int_equal(len, 2);
	assert_int_equal(key_uri_decode(&a, value, 2, &len), -ENOSPC);
	for (int i = 0; i < 2; i++) { // a NUL, half a byte
		assert_true(key_uri_next(&at, '&', &a));
		assert_int_equal(key_uri_decode(&a, value, sizeof(value), &len), -EBADMSG);
	}
	assert_false(key_uri_next(&at, '&', &a));
}

static void a_pin_in_the_path_is_found(void **state)
{
	(void)state;
	static const char *const values[] = {KEY ";pin-value=1", KEY "&pin-value=1",
		"pkcs11:pin-value=1;token=bank", KEY ";PIN-Value=1?module-path=/m",
		KEY ";pin-value", "PKCS11:a=b&c;pin-value=1"};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char *name = key_uri_misplaced_pin(values[i]);
		assert_non_null(name);
		assert_string_equal(name, "pin-value");
	}
	assert_string_equal(key_uri_misplaced_pin(KEY ";pin-source=/p"), "pin-source");
	static const char *const good[] = {KEY, KEY "?pin-value=1", "pkcs11:object=pin-value",
		"pkcs11:object=a=pin-value=1", "pkcs11:x-pin-value=1", "pkcs11:", "pkcs11:;&",
		KEY "?a;pin-value=1", "file:/a;pin-value=1", "https://v/keys/k&pin-value=1"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(key_uri_misplaced_pin(good[i]));
}

static void a_short_name_tells_keys_apart(void **state)
{
	(void)state;
	static const char *const names[][2] = {{KEY, "bank/disk"}, {"pkcs11:object=a%2Fb", "a/b"},
		{"pkcs11:token=bank;id=%0A", "bank/0a"}, {"pkcs11:serial=1", "pkcs11:serial=1"},
		{"https://contoso.vault.azure.net/keys/disks/0a1b", "contoso/disks"},
		{"https://vault.localhost:8443/keys/disks", "vault/disks"},
		{"https://localhost/keys/a", "localhost/a"},
		{"https://127.0.0.1:8443/keys/a", "127.0.0.1/a"},
		{"https://[::1]:8443/keys/a", "[::1]/a"}, {"file:/k/key.json", "key.json"},
		{"file:///key.json?version=2", "key.json"},
		{"file:/k/key.json?version=a/b", "key.json"}, {"https://x/y", "https://x/y"},
		{"other:thing", "other:thing"}};
	char out[KEY_URL_SHORT_MAX];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		key_url_short(names[i][0], out);
		assert_string_equal(out, names[i][1]);
	}
}

static void a_long_name_is_cut(void **state)
{
	(void)state;
	char url[300], out[KEY_URL_SHORT_MAX];
	(void)snprintf(url, sizeof(url), "https://h.x/keys/%0200d", 0);
	key_url_short(url, out);
	assert_int_equal(strlen(out), KEY_URL_SHORT_MAX - 1);
	(void)snprintf(url, sizeof(url), "pkcs11:token=%050d;object=%050d", 0, 0);
	key_url_short(url, out);
	assert_int_equal(strlen(out), KEY_URL_SHORT_MAX - 1);
}

static void a_store_is_a_host_a_directory_or_a_token(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"https://v.x/keys/a", "https://V.x:443/keys/b/1", true},
		{"https://v.x/keys/a", "https://w.x/keys/a", false},
		{"https://v.x/keys/a", "https://v.x:8443/keys/a", false},
		{"https://v.x/keys/a", "http://v.x:443/keys/a", false},
		{"file:/k/a", "file:///k/b?version=1", true},
		{"file:/k/a", "file:/k/l/a", false},
		{"file:/a", "file:/b", true},
		{KEY, "pkcs11:object=other;token=b%61nk", true},
		{KEY, "pkcs11:token=other;object=disk", false},
		{"pkcs11:object=a", "pkcs11:object=a", false},
		{"file:/k/a", KEY, false},
		{"other:a", "other:a", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(key_url_same_store(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(key_url_same_store(rows[i].b, rows[i].a), rows[i].same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key_is_spelled_in_many_ways),
		cmocka_unit_test(another_key_is_another_key),
		cmocka_unit_test(what_is_malformed_is_compared_letter_by_letter),
		cmocka_unit_test(the_id_is_the_version),
		cmocka_unit_test(an_id_longer_than_a_version_is_none),
		cmocka_unit_test(the_longest_url_stays_whole),
		cmocka_unit_test(attributes_come_one_by_one),
		cmocka_unit_test(a_pin_in_the_path_is_found),
		cmocka_unit_test(a_short_name_tells_keys_apart),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(a_store_is_a_host_a_directory_or_a_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
