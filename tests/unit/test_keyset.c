// SPDX-License-Identifier: MIT
// Key sets: both forms of Azure's, each mistake told by file and member, which keys a pin lets be
// asked, and what is warned of before a disk depends on a key.
#include "json.h"
#include "keyguard.h"
#include "keyset.h"
#include "keyset_fixture.h"
#include "keyurl.h"
#include "scope.h"

#include <cmkdisk/keyprov.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void takes_what_az_prints(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	good("{" ACTIVE ", \"autoKeyRotationError\": null, \"encryptionType\": "
	     "\"EncryptionAtRestWithPlatformAndCustomerKeys\", \"federatedClientId\": null, "
	     "\"identity\": {\"principalId\": \"p\", \"type\": \"SystemAssigned\", "
	     "\"userAssignedIdentities\": null}, \"previousKeys\": [{\"keyUrl\": \"old\"}], "
	     "\"rotationToLatestKeyVersionEnabled\": true, \"tags\": {}}",
		&k);
	assert_string_equal(k.key_url, VAULT "/0123");
	assert_int_equal(k.rotation, KEYSET_ROTATION_ON);
	assert_string_equal(k.encryption_type, "EncryptionAtRestWithPlatformAndCustomerKeys");
	assert_int_equal(k.near_expiry_s, 0);
	assert_true(k.interval_ms == DURATION_UNSET && !k.on_expiry_given);
}

static void takes_what_the_resource_api_answers(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	good("{\"identity\": {\"type\": \"UserAssigned\", \"userAssignedIdentities\": {\"/a\": "
	     "{}}}, \"properties\": {" ACTIVE ", \"encryptionType\": "
	     "\"ConfidentialVmEncryptedWithCustomerKey\", "
	     "\"rotationToLatestKeyVersionEnabled\": false}, "
	     "\"cmkdisk\": {\"nearExpiry\": \"2d\", \"onExpiry\": \"ignore\"}}",
		&k);
	assert_string_equal(k.key_url, VAULT "/0123");
	assert_int_equal(k.rotation, KEYSET_ROTATION_OFF);
	assert_string_equal(k.encryption_type, "ConfidentialVmEncryptedWithCustomerKey");
	assert_int_equal(k.near_expiry_s, 2 * 86400);
	assert_true(k.on_expiry_given && !k.expiry_stops);
}

static void null_is_not_said(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	good("{" ACTIVE ", \"encryptionType\": null, \"identity\": null, "
	     "\"rotationToLatestKeyVersionEnabled\": null}",
		&k);
	assert_int_equal(k.rotation, KEYSET_ROTATION_UNSET);
	assert_null(k.encryption_type);
}

static void rotation_is_read_as_the_provider_reads_it(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE, l scoped(keyset_free) = KEYSET_NONE;
	good("{\"rotationToLatestKeyVersionEnabled\": false, \"properties\": {" ACTIVE
	     ", \"rotationToLatestKeyVersionEnabled\": true}}",
		&k);
	assert_int_equal(k.rotation, KEYSET_ROTATION_OFF);
	good("{\"rotationToLatestKeyVersionEnabled\": null, \"properties\": {" ACTIVE
	     ", \"rotationToLatestKeyVersionEnabled\": true}}",
		&l);
	assert_int_equal(l.rotation, KEYSET_ROTATION_ON);
}

static void mistakes_of_azures_part_are_told(void **state)
{
	(void)state;
	bad("{\"properties\": {}}", "no activeKey.keyUrl");
	bad("{" ACTIVE ", \"encryptionType\": \"EncryptionAtRest\"}",
		": encryptionType: expected EncryptionAtRestWithCustomerKey, ");
	bad("{" ACTIVE ", \"encryptionType\": 1}", ": encryptionType: expected ");
	bad("{" ACTIVE ", \"rotationToLatestKeyVersionEnabled\": \"true\"}",
		": rotationToLatestKeyVersionEnabled: expected true, false or null");
	bad("{\"rotationToLatestKeyVersionEnabled\": 1, \"properties\": {" ACTIVE "}}",
		": rotationToLatestKeyVersionEnabled: expected true, false or null");
	bad("{" ACTIVE ", \"identity\": \"SystemAssigned\"}", ": identity: expected an object");
	bad("{" ACTIVE ", \"identity\": {\"type\": 1}}", ": identity.type: expected a string");
	bad("{" ACTIVE ", \"identity\": {\"userAssignedIdentities\": [\"/a\"]}}",
		": identity.userAssignedIdentities: expected an object");
}

static void mistyped_members_of_ours_are_refused(void **state)
{
	(void)state;
	bad("{" ACTIVE ", \"cmkdisk\": {\"gracedenied\": \"1s\"}}",
		": cmkdisk.gracedenied: there is no such member; known are graceDenied, "
		"graceUnreachable, interval, onExpiry, nearExpiry, azure and pkcs11");
	bad("{" ACTIVE ", \"cmkdisk\": {\"apiVersion\": \"7.4\"}}", "cmkdisk.apiVersion: there is");
	bad("{\"properties\": {" ACTIVE ", \"cmkdisk\": {}}}", ": properties.cmkdisk: ");
	bad("{" ACTIVE ", \"cmkdisk\": {\"azure\": []}}", ": cmkdisk.azure: expected an object");
	bad("{" ACTIVE ", \"cmkdisk\": null}", ": cmkdisk: expected an object");
	bad("{" ACTIVE ", \"cmkdisk\": {\"nearExpiry\": 30}}",
		": cmkdisk.nearExpiry: expected a string");
	bad("{" ACTIVE ", \"cmkdisk\": {\"nearExpiry\": \"999ms\"}}",
		": cmkdisk.nearExpiry: expected at least 1s");
}

static void what_is_the_providers_is_let_be(void **state)
{
	(void)state;
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	good("{" ACTIVE ", \"cmkdisk\": {\"azure\": {\"what\": [\"ever\"]}}, \"mine\": 1}", &k);
}

static void the_pinned_text_differs_in_rotation_alone(void **state)
{
	(void)state;
	static const struct {
		const char *set, *pinned;
	} pairs[] = {
		{"{" ACTIVE "}", "{" ACTIVE ", \"rotationToLatestKeyVersionEnabled\": false}"},
		{"{\"rotationToLatestKeyVersionEnabled\": true, " ACTIVE "}",
			"{\"rotationToLatestKeyVersionEnabled\": false, " ACTIVE "}"},
		{"{\"properties\": {\"rotationToLatestKeyVersionEnabled\": true, " ACTIVE "}}",
			"{\"properties\": {\"rotationToLatestKeyVersionEnabled\": false, " ACTIVE
			"}, \"rotationToLatestKeyVersionEnabled\": false}"},
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct keyset k scoped(keyset_free) = KEYSET_NONE;
		struct json *j scoped(json_free) = NULL;
		char *pinned autofree = NULL, *want autofree = NULL;
		good(pairs[i].set, &k);
		assert_int_equal(keyset_config_pinned(&k, &pinned), 0);
		assert_int_equal(json_parse(pairs[i].pinned, strlen(pairs[i].pinned), &j), 0);
		assert_int_equal(json_print(j, false, &want), 0);
		assert_string_equal(pinned, want);
	}
}

static bool pins(const char *pinned, const char *asked)
{
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	struct errmsg err;
	assert_int_equal(keyset_of_url(pinned, &k, &err), 0);
	return keyset_pins(&k, asked);
}

static void a_pin_lets_every_version_of_its_key_be_asked(void **state)
{
	(void)state;
	assert_true(keyset_pins(NULL, VAULT));
	assert_true(pins(VAULT "/0123", VAULT "/4567"));
	assert_true(pins(VAULT, VAULT "/4567"));
	assert_true(pins(VAULT "/0123", VAULT));
	assert_true(pins(VAULT, VAULT "/"));
	assert_true(pins(VAULT, "HTTPS://Contoso.Vault.Azure.NET:443/keys/DISKS/0123"));
	assert_true(pins("https://[::1]:8443/keys/a", "https://[::1]:8443/keys/a/1"));
	assert_true(pins("http://localhost:8080/keys/a", "http://LOCALHOST:8080/keys/a/1"));
	assert_true(pins("http://localhost/keys/a", "http://localhost:80/keys/a"));
	assert_true(pins("file:/a", "file:///a"));
	assert_true(pins("pkcs11:object=a;token=t?module-path=/m.so", "pkcs11:token=t;object=%61"));
}

static void a_pin_lets_no_other_key_be_asked(void **state)
{
	(void)state;
	assert_false(pins(VAULT, VAULT "2"));
	assert_false(pins(VAULT, "https://contoso.vault.azure.net/keys/disk"));
	assert_false(pins(VAULT, "https://contoso.vault.azure.net:8443/keys/disks"));
	assert_false(pins(VAULT, "https://contoso.vault.azure.net.example/keys/disks"));
	assert_false(pins(VAULT, "https://contoso.vault.azure.net@example/keys/disks"));
	assert_false(pins(VAULT, "https://example/https://contoso.vault.azure.net/keys/disks"));
	assert_false(pins(VAULT, "https://contoso.vault.azure.net/secrets/disks"));
	assert_false(pins(VAULT, VAULT "/0123/more"));
	assert_false(pins(VAULT, VAULT "?x=/0123"));
	assert_false(pins(VAULT, VAULT "%2F0123"));
	assert_false(pins(VAULT, "http://contoso.vault.azure.net/keys/disks"));
	assert_false(pins("https://[::1]:8443/keys/a", "https://[::1]:8444/keys/a"));
	assert_false(pins("file:/a", "file:/b"));
	assert_false(pins("pkcs11:object=a", "pkcs11:object=A"));
	assert_false(
		pins("pkcs11:object=a?module-path=/m.so", "pkcs11:object=a?module-path=/m.so"));
	assert_false(pins("pkcs11:object=a", "pkcs11:object=a;id=%01"));
}

static void a_url_says_whether_it_names_a_version(void **state)
{
	(void)state;
	static const struct {
		const char *url, *without, *version;
	} urls[] = {{VAULT "/0123", VAULT, "0123"}, {VAULT "/0123/", VAULT, "0123"},
		{VAULT, VAULT, ""}, {VAULT "/", VAULT "/", ""},
		{"file:/a?version=12", "file:/a", "12"}, {"file:/a", "file:/a", ""},
		{"pkcs11:object=a?version=1", "pkcs11:object=a?version=1", ""}};
	char out[BINDING_URL_MAX], version[CMK_VERSION_MAX];
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		key_url_unversioned(urls[i].url, out);
		assert_string_equal(out, urls[i].without);
		assert_int_equal(key_url_has_version(urls[i].url), strcmp(urls[i].url, out) != 0);
		key_url_version(urls[i].url, version);
		assert_string_equal(version, urls[i].version);
	}
	assert_true(key_url_rotates(VAULT) && !key_url_rotates("file:/a"));
}

#define NOW 1800000000

static void look(const char *url, enum keyset_rotation rotation, const struct cmk_key_info *info,
	struct keyguard_warnings *out)
{
	struct keyset k = KEYSET_NONE;
	(void)snprintf(k.key_url, sizeof(k.key_url), "%s", url);
	k.rotation = rotation;
	keyguard_look(&k, info, "the vault said no", NOW, out);
}

static void a_key_without_purge_protection_is_refused(void **state)
{
	(void)state;
	struct cmk_key_info info = {.version = "0123"};
	struct keyguard_warnings w;
	struct errmsg err = {{0}};
	static const char *const fine[] = {
		"", "Recoverable", "CustomizedRecoverable", "Recoverable+ProtectedSubscription"};
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		(void)snprintf(info.recovery_level, sizeof(info.recovery_level), "%s", fine[i]);
		assert_int_equal(keyguard_refuse_purgeable(VAULT, &info, &err), 0);
		look(VAULT, KEYSET_ROTATION_UNSET, &info, &w);
		assert_int_equal(w.count, 0);
	}
	static const char *const open[] = {
		"Purgeable", "Recoverable+Purgeable", "CustomizedRecoverable+Purgeable"};
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		(void)snprintf(info.recovery_level, sizeof(info.recovery_level), "%s", open[i]);
		assert_int_equal(keyguard_refuse_purgeable(VAULT, &info, &err), -EDOM);
		assert_non_null(strstr(err.text, open[i]));
		assert_non_null(strstr(err.text, "--allow-purgeable"));
		look(VAULT, KEYSET_ROTATION_UNSET, &info, &w);
		assert_int_equal(w.count, 1);
		assert_non_null(strstr(w.text[0], "turn on purge protection"));
	}
}

static void near_expiry_is_told_in_time(void **state)
{
	(void)state;
	struct keyguard_warnings w;
	struct cmk_key_info info = {.version = "0123", .exp = NOW + 30 * 86400 + 1};
	assert_false(keyguard_near_expiry(&info, 0, NOW));
	look(VAULT, KEYSET_ROTATION_UNSET, &info, &w);
	assert_int_equal(w.count, 0);
	info.exp--;
	assert_true(keyguard_near_expiry(&info, 0, NOW));
	assert_false(keyguard_near_expiry(&info, 86400, NOW));
	look(VAULT, KEYSET_ROTATION_UNSET, &info, &w);
	assert_int_equal(w.count, 1);
	assert_non_null(
		strstr(w.text[0], "version 0123 expires at 2027-02-14T08:00:00Z, in 30 days"));
	info.exp = NOW; // past: refused, not warned of
	assert_true(keyguard_near_expiry(&info, 0, NOW));
	look(VAULT, KEYSET_ROTATION_UNSET, &info, &w);
	assert_int_equal(w.count, 0);
	info.exp = 0; // never
	assert_false(keyguard_near_expiry(&info, 0, NOW));
	assert_int_equal(keyguard_days_left(NOW + 86399, NOW), 0);
	assert_int_equal(keyguard_days_left(NOW + 86400, NOW), 1);
	assert_int_equal(keyguard_days_left(NOW - 1, NOW), -1);
	assert_int_equal(keyguard_days_left(NOW - 86401, NOW), -2);
}

static void what_will_not_rotate_or_cannot_be_seen_is_told(void **state)
{
	(void)state;
	struct keyguard_warnings w;
	struct cmk_key_info info = {.version = "0123"};
	look(VAULT "/0123", KEYSET_ROTATION_UNSET, &info, &w);
	assert_int_equal(w.count, 1);
	assert_non_null(strstr(w.text[0], "set rotationToLatestKeyVersionEnabled"));
	look(VAULT "/0123", KEYSET_ROTATION_ON, &info, &w);
	assert_int_equal(w.count, 0);
	look(VAULT, KEYSET_ROTATION_OFF, &info, &w); // as it was asked for
	assert_int_equal(w.count, 0);
	look("file:/a?version=12", KEYSET_ROTATION_ON, &info, &w);
	assert_int_equal(w.count, 1);
	look(VAULT "/0123", KEYSET_ROTATION_OFF, NULL, &w);
	assert_int_equal(w.count, 2);
	assert_non_null(strstr(w.text[0], "the vault said no"));
	struct keyset k = KEYSET_NONE; // where it is told elsewhere what the vault said
	(void)snprintf(k.key_url, sizeof(k.key_url), VAULT);
	keyguard_look(&k, NULL, NULL, NOW, &w);
	assert_int_equal(w.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_az_prints),
		cmocka_unit_test(takes_what_the_resource_api_answers),
		cmocka_unit_test(null_is_not_said),
		cmocka_unit_test(rotation_is_read_as_the_provider_reads_it),
		cmocka_unit_test(mistakes_of_azures_part_are_told),
		cmocka_unit_test(mistyped_members_of_ours_are_refused),
		cmocka_unit_test(what_is_the_providers_is_let_be),
		cmocka_unit_test(the_pinned_text_differs_in_rotation_alone),
		cmocka_unit_test(a_pin_lets_every_version_of_its_key_be_asked),
		cmocka_unit_test(a_pin_lets_no_other_key_be_asked),
		cmocka_unit_test(a_url_says_whether_it_names_a_version),
		cmocka_unit_test(a_key_without_purge_protection_is_refused),
		cmocka_unit_test(near_expiry_is_told_in_time),
		cmocka_unit_test(what_will_not_rotate_or_cannot_be_seen_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
