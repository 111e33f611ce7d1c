// SPDX-License-Identifier: MIT
// The emulator's vaults: every route, the shapes of keys and refusals, pages, deletion.
#include "emu_vaults_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EC_KEY "{\"kty\":\"EC\"}"

static void create_answers_with_the_bundle_of_a_new_version(void **state)
{
	struct rig *r = *state;
	char first[160];
	ASK(r, 200, "POST", "/keys/Disk-Key/create",
		"{\"kty\":\"RSA\",\"key_size\":2048,\"tags\":{\"a\":\"b\"},"
		"\"attributes\":{\"exp\":4000000000,\"nbf\":1000}}");
	(void)snprintf(first, sizeof(first), "%s", str(r, "key.kid"));
	assert_int_equal(
		strncmp(first, "https://contoso.vault.localhost:8443/keys/Disk-Key/", 51), 0);
	assert_int_equal(strlen(first), 51 + 32);
	assert_string_equal(str(r, "key.kty"), "RSA");
	assert_string_equal(str(r, "key.e"), "AQAB");
	assert_int_equal(strlen(str(r, "key.n")), 342);
	assert_int_equal(kp_json_count(kp_json_get(member(r, "key.x"), "key_ops")), 6);
	assert_int_equal(num(r, "attributes.exp"), 4000000000);
	assert_int_equal(num(r, "attributes.nbf"), 1000);
	assert_int_equal(num(r, "attributes.recoverableDays"), 90);
	assert_string_equal(str(r, "attributes.recoveryLevel"), "Recoverable+Purgeable");
	assert_string_equal(str(r, "attributes.hsmPlatform"), "0");
	assert_string_equal(str(r, "tags.a"), "b");
	// The order of declaration; a private part nowhere.
	assert_int_equal(strncmp(r->reply.body, "{\"key\":{\"kid\":", 14), 0);
	assert_null(strstr(r->reply.body, "\"d\":"));
	ASK(r, 200, "POST", "/keys/disk-key/create", EC_KEY);
	assert_string_not_equal(str(r, "key.kid"), first);
	// No version is the latest, in any case of letters; a name keeps the case it was given.
	ASK(r, 200, "GET", "/keys/DISK-KEY", NULL);
	assert_string_equal(str(r, "key.kty"), "EC");
	ASK(r, 200, "GET", strstr(first, "/keys"), NULL);
	assert_string_equal(str(r, "key.kid"), first);
}

static void a_managed_hsm_sorts_members_and_keeps_keys_in_hardware(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "hsm:/keys/k/create", "{\"kty\":\"RSA\"}");
	assert_string_equal(str(r, "key.kty"), "RSA-HSM");
	assert_int_equal(strncmp(r->reply.body, "{\"attributes\":{\"created\":", 24), 0);
	assert_string_equal(str(r, "attributes.hsmPlatform"), "");
	assert_string_equal(r->audience, "https://managedhsm.localhost");
	assert_string_equal(header(r, "X-Frame-Options"), "SAMEORIGIN");
	assert_string_equal(header(r, "x-ms-keyvault-service-version"), "");
	ASK(r, 200, "POST", "hsm:/keys/aes/create", "{\"kty\":\"oct-HSM\",\"key_size\":128}");
	assert_string_equal(str(r, "key.kty"), "oct-HSM");
	assert_null(strstr(r->reply.body, "\"k\":"));
	ASK(r, 200, "POST", "hsm:/rng", "{\"count\":128}");
	assert_int_equal(strlen(str(r, "value")), 171);
	ASK(r, 400, "POST", "hsm:/rng", "{\"count\":129}");
	ASK(r, 404, "POST", "/rng", "{\"count\":8}");
	ASK(r, 400, "POST", "/keys/aes/create", "{\"kty\":\"oct-HSM\"}");
}

static void paths_are_taken_as_clients_spell_them(void **state)
{
	struct rig *r = *state;
	static const char *const versions[] = {
		"7.0", "7.4", "7.6-preview.2", "2025-07-01", "2026-05-01-preview"};
	char path[200], query[64];
	ACT(r, "key.create", "{\"vault\":\"contoso\",\"key\":\"k\",\"size\":2048}");
	(void)snprintf(path, sizeof(path), "/keys/k/%s/wrapKey", str(r, "version"));
	ASK(r, 200, "POST", path, "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
	ASK(r, 200, "POST", "/keys/k/WRAPKEY", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
	ASK(r, 200, "GET", "/keys/k/", NULL);
	ASK(r, 200, "GET", "//keys//k", NULL);
	ASK(r, 400, "POST", "/keys//restore", "{\"value\":\"AAAA\"}");
	ASK(r, 400, "GET", "/keys/no_such!", NULL);
	ASK(r, 400, "GET", "/keys/k/0123", NULL);
	ASK(r, 405, "POST", "/keys/k", "{}");
	assert_string_equal(r->audit_operation, "Authentication");
	ASK(r, 404, "GET", "/secrets/k", NULL);
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		(void)snprintf(query, sizeof(query), "api-version=%s", versions[i]);
		r->query = query;
		ASK(r, 200, "GET", "/keys/k", NULL);
	}
	r->query = "";
	ASK(r, 400, "GET", "/keys/k", NULL);
	r->query = "api-version=8.0";
	ASK(r, 400, "GET", "/keys/k", NULL);
}

static void replies_carry_the_headers_of_the_service(void **state)
{
	struct rig *r = *state;
	r->client_request_id = "11111111-2222-3333-4444-555555555555";
	ASK(r, 200, "GET", "/keys", NULL);
	assert_string_equal(header(r, "x-ms-client-request-id"), r->client_request_id);
	assert_int_equal(strlen(header(r, "x-ms-request-id")), 36);
	assert_string_equal(header(r, "Cache-Control"), "no-cache");
	assert_true(*header(r, "x-ms-keyvault-service-version"));
	assert_true(*header(r, "x-ms-keyvault-network-info"));
	assert_string_equal(r->audit_operation, "KeyList");
	assert_int_equal(r->audit_status, 200);
	// A Host that would have to be escaped is not taken into a kid.
	r->authority = "contoso.vault.localhost:1\"2";
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
	assert_int_equal(
		strncmp(str(r, "key.kid"), "https://contoso.vault.localhost/keys/k/", 39), 0);
}

static void update_changes_what_is_named_and_nothing_else(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create",
		"{\"kty\":\"EC\",\"tags\":{\"a\":\"1\"},\"attributes\":{\"exp\":4000000000}}");
	ASK(r, 200, "PATCH", "/keys/k", "{\"attributes\":{\"enabled\":false}}");
	assert_int_equal(num(r, "attributes.exp"), 4000000000);
	assert_string_equal(str(r, "tags.a"), "1");
	// A disabled key is still shown, changed and deleted.
	ASK(r, 200, "GET", "/keys/k", NULL);
	assert_non_null(strstr(r->reply.body, "\"enabled\":false"));
	ASK(r, 200, "PATCH", "/keys/k", "{\"key_ops\":[],\"tags\":{}}");
	assert_non_null(strstr(r->reply.body, "\"key_ops\":[]"));
	assert_string_equal(str(r, "tags.a"), "");
	ASK(r, 400, "PATCH", "/keys/k", "{\"key_ops\":[\"open\"]}");
	assert_refusal(r, 400, "BadParameter", "");
	ASK(r, 400, "PATCH", "/keys/k", "{\"attributes\":{\"exp\":\"soon\"}}");
	ASK(r, 400, "PATCH", "/keys/k", "{\"tags\":{\"a\":1}}");
	ASK(r, 400, "PATCH", "/keys/k", "{\"attributes\":{\"nbf\":20,\"exp\":10}}");
	ASK(r, 400, "PATCH", "/keys/k", "{");
	ASK(r, 400, "POST", "/keys/k/create", "{\"kty\":\"RSA\",\"key_size\":1024}");
	ASK(r, 400, "POST", "/keys/k/create", "{\"kty\":\"EC\",\"crv\":\"P-1\"}");
	ASK(r, 400, "POST", "/keys/k/create", "{}");
	ASK(r, 404, "PATCH", "/keys/nobody", "{}");
	assert_refusal(r, 404, "KeyNotFound", "");
	assert_non_null(
		strstr(str(r, "error.message"), "A key with (name/id) nobody was not found"));
	ASK(r, 404, "GET", "/keys/k/0123456789abcdef0123456789abcdef", NULL);
	assert_non_null(strstr(str(r, "error.message"), "k/0123456789abcdef"));
	ASK(r, 400, "POST", "/keys/k/release", "{\"target\":\"x\"}");
	assert_refusal(r, 400, "NotSupported", "");
}

// Follows nextLink to the end; the items, in order of appearance, into kids.
static size_t walk(struct rig *r, const char *path, int max, char kids[][128], size_t room)
{
	char query[256];
	size_t n = 0, pages = 0;
	(void)snprintf(query, sizeof(query), "api-version=7.4&maxresults=%d", max);
	for (const char *next = query; next && pages < 20; pages++) {
		r->query = query;
		ASK(r, 200, "GET", path, NULL);
		const struct kp_json *v = kp_json_first(kp_json_get(r->json, "value"));
		for (; v && n < room; v = kp_json_next(v))
			(void)snprintf(kids[n++], 128, "%s", kp_json_str(v, "kid"));
		next = kp_json_str(r->json, "nextLink");
		if (!next)
			break;
		assert_int_equal(strncmp(next, "https://contoso.vault.localhost:8443/", 37), 0);
		assert_non_null(strchr(next, '?'));
		(void)snprintf(query, sizeof(query), "%s", strchr(next, '?') + 1);
	}
	r->query = NULL;
	return n;
}

static void lists_come_in_pages(void **state)
{
	struct rig *r = *state;
	char kids[40][128], path[64];
	for (int i = 0; i < 7; i++) {
		(void)snprintf(path, sizeof(path), "/keys/k%d/create", i);
		ASK(r, 200, "POST", path, EC_KEY);
	}
	for (int i = 0; i < 6; i++)
		ASK(r, 200, "POST", "/keys/k3/create", EC_KEY);
	assert_int_equal(walk(r, "/keys", 3, kids, 40), 7);
	for (int i = 0; i < 7; i++) {
		(void)snprintf(
			path, sizeof(path), "https://contoso.vault.localhost:8443/keys/k%d", i);
		assert_string_equal(kids[i], path);
	}
	assert_int_equal(walk(r, "/keys", 25, kids, 40), 7);
	assert_non_null(strstr(r->reply.body, "\"nextLink\":null"));
	assert_int_equal(walk(r, "/keys/k3/versions", 2, kids, 40), 7);
	for (int i = 1; i < 7; i++)
		assert_true(strcmp(kids[i - 1], kids[i]) < 0);
	ASK(r, 404, "GET", "/keys/nobody/versions", NULL);
	static const char *const bad[] = {
		"maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=!"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(path, sizeof(path), "api-version=7.4&%s", bad[i]);
		r->query = path;
		ASK(r, 400, "GET", "/keys", NULL);
	}
	r->query = NULL;
	ASK(r, 200, "GET", "hsm:/keys", NULL);
	assert_null(strstr(r->reply.body, "nextLink"));
}

static void a_deleted_key_can_be_recovered_but_not_made_again(void **state)
{
	struct rig *r = *state;
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"notFoundLag\":\"10s\",\"days\":7}");
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
	assert_string_equal(str(r, "attributes.recoveryLevel"), "CustomizedRecoverable+Purgeable");
	ASK(r, 200, "DELETE", "/keys/k", NULL);
	assert_string_equal(
		str(r, "recoveryId"), "https://contoso.vault.localhost:8443/deletedkeys/k");
	assert_int_equal(num(r, "scheduledPurgeDate") - num(r, "deletedDate"), 7 * 86400);
	ASK(r, 404, "GET", "/keys/k", NULL);
	// Not found on either side for the lag.
	ASK(r, 404, "GET", "/deletedkeys/k", NULL);
	assert_string_equal(str(r, "error.message"), "Deleted Key not found: k");
	ASK(r, 409, "POST", "/keys/k/create", EC_KEY);
	assert_refusal(r, 409, "Conflict", "ObjectIsDeletedButRecoverable");
	r->clock.offset_s += 11;
	ASK(r, 200, "GET", "/deletedkeys/k", NULL);
	ASK(r, 200, "GET", "/deletedkeys", NULL);
	assert_int_equal(kp_json_count(kp_json_get(r->json, "value")), 1);
	ASK(r, 200, "GET", "/keys", NULL);
	assert_int_equal(kp_json_count(kp_json_get(r->json, "value")), 0);
	ASK(r, 200, "POST", "/deletedkeys/k/recover", NULL);
	assert_string_equal(str(r, "recoveryId"), "");
	ASK(r, 404, "GET", "/keys/k", NULL);
	ASK(r, 404, "POST", "/keys/k/sign", "{}");
	assert_refusal(r, 404, "KeyNotFound", "");
	r->clock.offset_s += 11;
	ASK(r, 200, "GET", "/keys/k", NULL);
	ASK(r, 404, "POST", "/deletedkeys/k/recover", NULL);
}

static void purging_ends_a_key_unless_it_is_protected(void **state)
{
	struct rig *r = *state;
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
	ASK(r, 200, "DELETE", "/keys/k", NULL);
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"purgeProtection\":true}");
	ASK(r, 403, "DELETE", "/deletedkeys/k", NULL);
	assert_non_null(strstr(str(r, "error.message"), "purge protection is enabled"));
	ASK(r, 200, "GET", "/deletedkeys/k", NULL);
	assert_string_equal(str(r, "attributes.recoveryLevel"), "Recoverable");
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"purgeProtection\":false}");
	ASK(r, 204, "DELETE", "/deletedkeys/k", NULL);
	assert_int_equal(r->reply.len, 0);
	ASK(r, 404, "GET", "/deletedkeys/k", NULL);
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
	// The end of the retention does the same.
	ASK(r, 200, "DELETE", "/keys/k", NULL);
	r->clock.offset_s += 90 * 86400 - 5;
	ASK(r, 200, "GET", "/deletedkeys/k", NULL);
	r->clock.offset_s += 10;
	ASK(r, 404, "GET", "/deletedkeys/k", NULL);
	// Without soft delete there is nothing to recover.
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"days\":0}");
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
	assert_string_equal(str(r, "attributes.recoveryLevel"), "Purgeable");
	ASK(r, 200, "DELETE", "/keys/k", NULL);
	ASK(r, 404, "GET", "/deletedkeys/k", NULL);
	ASK(r, 200, "POST", "/keys/k/create", EC_KEY);
}

static void rotation_makes_a_like_version_that_the_policy_dates(void **state)
{
	struct rig *r = *state;
	char old[160];
	ASK(r, 200, "POST", "/keys/k/create",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"key_ops\":[\"sign\"],\"tags\":{\"a\":\"b\"}}");
	(void)snprintf(old, sizeof(old), "%s", str(r, "key.kid"));
	ASK(r, 200, "GET", "/keys/k/rotationpolicy", NULL);
	assert_non_null(strstr(r->reply.body, "\"timeBeforeExpiry\":\"P30D\""));
	ASK(r, 200, "PUT", "/keys/k/rotationpolicy",
		"{\"lifetimeActions\":[{\"trigger\":{\"timeAfterCreate\":\"P60D\"},\"action\":{"
		"\"type\":"
		"\"Rotate\"}}],\"attributes\":{\"expiryTime\":\"P90D\"}}");
	assert_string_equal(str(r, "attributes.expiryTime"), "P90D");
	assert_int_equal(kp_json_count(kp_json_get(r->json, "lifetimeActions")), 2);
	ASK(r, 200, "POST", "/keys/k/rotate", NULL);
	assert_string_not_equal(str(r, "key.kid"), old);
	assert_string_equal(str(r, "key.crv"), "P-384");
	assert_string_equal(str(r, "tags.a"), "b");
	assert_non_null(strstr(r->reply.body, "\"key_ops\":[\"sign\"]"));
	assert_int_equal(num(r, "attributes.exp") - num(r, "attributes.created"), 90 * 86400);
	ASK(r, 404, "POST", "/keys/nobody/rotate", NULL);
	static const char *const bad[] = {
		"{\"attributes\":{\"expiryTime\":\"P27D\"}}",
		"{\"attributes\":{\"expiryTime\":\"90\"}}",
		"{\"lifetimeActions\":[{\"trigger\":{\"timeAfterCreate\":\"P6D\"},\"action\":{"
		"\"type\":"
		"\"Rotate\"}}]}",
		"{\"lifetimeActions\":[{\"trigger\":{\"timeBeforeExpiry\":\"P6D\"},\"action\":{"
		"\"type\":"
		"\"Rotate\"}}]}",
		"{\"lifetimeActions\":[{\"trigger\":{},\"action\":{\"type\":\"Rotate\"}}]}",
		"{\"lifetimeActions\":[{\"trigger\":{\"timeAfterCreate\":\"P60D\"},\"action\":{"
		"\"type\":"
		"\"Burn\"}}]}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ASK(r, 400, "PUT", "/keys/k/rotationpolicy", "%s", bad[i]);
	// A Managed HSM wants the policy first.
	ASK(r, 200, "POST", "hsm:/keys/k/create", EC_KEY);
	ASK(r, 400, "POST", "hsm:/keys/k/rotate", NULL);
	ASK(r, 200, "PUT", "hsm:/keys/k/rotationpolicy",
		"{\"attributes\":{\"expiryTime\":\"P1Y\"}}");
	ASK(r, 200, "POST", "hsm:/keys/k/rotate", NULL);
}

static void host_names_tell_ours_from_others(void **state)
{
	(void)state;
	assert_true(vaults_host("contoso.vault.localhost"));
	assert_true(vaults_host("contoso.managedhsm.localhost"));
	assert_false(vaults_host("login.vault.localhost"));
	assert_false(vaults_host("vault.localhost"));
	assert_false(vaults_host(".vault.localhost"));
	assert_false(vaults_host("a.b.vault.localhost"));
	assert_false(vaults_host("contoso.vault.azure.net"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(create_answers_with_the_bundle_of_a_new_version),
		T(a_managed_hsm_sorts_members_and_keeps_keys_in_hardware),
		T(paths_are_taken_as_clients_spell_them),
		T(replies_carry_the_headers_of_the_service),
		T(update_changes_what_is_named_and_nothing_else),
		T(lists_come_in_pages),
		T(a_deleted_key_can_be_recovered_but_not_made_again),
		T(purging_ends_a_key_unless_it_is_protected),
		T(rotation_makes_a_like_version_that_the_policy_dates),
		T(host_names_tell_ours_from_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
