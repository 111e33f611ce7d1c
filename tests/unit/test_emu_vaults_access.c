// SPDX-License-Identifier: MIT
// Whom the emulator's vaults let in, and how they turn the others away.
#include "emu_vaults_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void strangers_are_challenged(void **state)
{
	struct rig *r = *state;
	static const struct {
		enum token_fault fault;
		const char *text;
	} rows[] = {{TOKEN_MISSING, "AKV10000: "}, {TOKEN_WRONG_TENANT, "AKV10032: "},
		{TOKEN_WRONG_AUDIENCE, "AKV10022: "}, {TOKEN_UNKNOWN_KEY, "AKV10046: "},
		{TOKEN_EXPIRED, "Error validating token"},
		{TOKEN_MALFORMED, "Error validating token"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		r->token = rows[i].fault;
		// Also before anything is said about the path or the version.
		r->query = "";
		ASK(r, 401, "POST", "/keys/k/unwrapkey", NULL);
		assert_refusal(r, 401, "Unauthorized", "");
		assert_int_equal(
			strncmp(str(r, "error.message"), rows[i].text, strlen(rows[i].text)), 0);
		assert_string_equal(header(r, "WWW-Authenticate"),
			"Bearer authorization=\"https://login.vault.localhost:8443/tenant\", "
			"resource=\"https://vault.localhost\"");
		assert_string_equal(r->audit_operation, "Authentication");
	}
	ASK(r, 401, "GET", "hsm:/keys/k", NULL);
	assert_null(r->reply.body);
	assert_non_null(strstr(header(r, "WWW-Authenticate"), "https://managedhsm.localhost"));
	r->token = TOKEN_CLAIMS_WANTED;
	ASK(r, 401, "GET", "/keys/k", NULL);
	// {"access_token":{"nbf":1}} in Base64.
	assert_non_null(strstr(header(r, "WWW-Authenticate"),
		"error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjoxfX0=\""));
}

static void who_may_not_is_told_in_the_words_of_the_model(void **state)
{
	struct rig *r = *state;
	ACT(r, "key.create", "{\"vault\":\"contoso\",\"key\":\"k\",\"kty\":\"EC\"}");
	char version[40];
	(void)snprintf(version, sizeof(version), "%s", str(r, "version"));
	r->denied = "get";
	ASK(r, 403, "GET", "/keys/k", NULL);
	assert_refusal(r, 403, "Forbidden", "ForbiddenByRbac");
	assert_non_null(strstr(str(r, "error.message"), "'Microsoft.KeyVault/vaults/keys/read'"));
	assert_non_null(strstr(r->audit_text, "Caller: appid=app-1"));
	// Known or unknown is not told to those who may not.
	ASK(r, 403, "GET", "/keys/nobody", NULL);
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"model\":\"policy\"}");
	ASK(r, 403, "GET", "/keys/k", NULL);
	assert_refusal(r, 403, "Forbidden", "ForbiddenByPolicy");
	assert_non_null(strstr(str(r, "error.message"), "does not have keys get permission"));
	// A right on one version does not reach the next one, also when no version is named.
	r->denied_version = "none";
	ASK(r, 200, "GET", "/keys/k", NULL);
	assert_string_equal(r->version, version);
	ACT(r, "key.rotate", "{\"vault\":\"contoso\",\"key\":\"k\"}");
	r->denied_version = str(r, "version");
	char newest[40];
	(void)snprintf(newest, sizeof(newest), "%s", r->denied_version);
	r->denied_version = newest;
	ASK(r, 403, "GET", "/keys/k", NULL);
	char path[80];
	(void)snprintf(path, sizeof(path), "/keys/k/%s", version);
	ASK(r, 200, "GET", path, NULL);
}

static void the_network_may_be_closed(void **state)
{
	struct rig *r = *state;
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"firewall\":true}");
	ASK(r, 403, "GET", "/keys", NULL);
	assert_refusal(r, 403, "Forbidden", "ForbiddenByFirewall");
	assert_non_null(strstr(str(r, "error.message"), "Client address: 127.0.0.1"));
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"publicAccess\":false}");
	ASK(r, 403, "GET", "/keys", NULL);
	assert_refusal(r, 403, "Forbidden", "ForbiddenByConnection");
	ACT(r, "vault.set", "{\"vault\":\"contoso\",\"publicAccess\":true,\"firewall\":false}");
	ASK(r, 200, "GET", "/keys", NULL);
	r->host = "nobody.vault.localhost";
	ASK(r, 404, "GET", "/keys", NULL);
	assert_refusal(r, 404, "VaultNotFound", "");
	// The other kind of vault under this name.
	r->host = "contoso.managedhsm.localhost";
	ASK(r, 404, "GET", "/keys", NULL);
	r->host = NULL;
	ACT(r, "vault.remove", "{\"vault\":\"contoso\"}");
	ASK(r, 404, "GET", "/keys", NULL);
}

static void faults_come_after_the_token_and_before_the_rights(void **state)
{
	struct rig *r = *state;
	r->fault_status = 429;
	r->denied = "unwrapKey";
	ASK(r, 429, "POST", "/keys/k/unwrapkey", "{}");
	assert_string_equal(r->fault_operation, "KeyUnwrap");
	assert_string_equal(r->fault_key, "k");
	assert_string_equal(r->permission, "");
	assert_int_equal(r->audit_status, 429);
	r->fault_operation[0] = '\0';
	r->token = TOKEN_MISSING;
	ASK(r, 401, "POST", "/keys/k/unwrapkey", "{}");
	assert_string_equal(r->fault_operation, "");
	r->token = TOKEN_GOOD;
	r->fault_status = 0;
	r->fault_delay = 250;
	ASK(r, 200, "GET", "/keys", NULL);
	assert_int_equal(r->reply.delay_ms, 250);
}

// fault.add refuses operations that are not in its list; so no route may be missing there.
static void every_route_can_be_met_by_a_fault(void **state)
{
	struct rig *r = *state;
	static const char *const routes[][2] = {{"GET", "/keys"}, {"POST", "/keys/restore"},
		{"POST", "/keys/k/create"}, {"PUT", "/keys/k"}, {"GET", "/keys/k"},
		{"PATCH", "/keys/k"}, {"DELETE", "/keys/k"}, {"GET", "/keys/k/versions"},
		{"POST", "/keys/k/backup"}, {"POST", "/keys/k/rotate"},
		{"GET", "/keys/k/rotationpolicy"}, {"PUT", "/keys/k/rotationpolicy"},
		{"GET", "/keys/k/attestation"}, {"POST", "/keys/k/encrypt"},
		{"POST", "/keys/k/decrypt"}, {"POST", "/keys/k/wrapkey"},
		{"POST", "/keys/k/unwrapkey"}, {"POST", "/keys/k/sign"}, {"POST", "/keys/k/verify"},
		{"POST", "/keys/k/release"}, {"POST", "/keys/k/securewrapkey"},
		{"POST", "/keys/k/secureunwrapkey"}, {"GET", "/deletedkeys"},
		{"GET", "/deletedkeys/k"}, {"DELETE", "/deletedkeys/k"},
		{"POST", "/deletedkeys/k/recover"}, {"POST", "hsm:/rng"}};
	r->fault_status = 503;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		struct kp_err err = {""};
		r->fault_operation[0] = '\0';
		ASK(r, 503, routes[i][0], routes[i][1], NULL);
		if (faults_operation(r->fault_operation, &err))
			fail_msg("%s %s: %s", routes[i][0], routes[i][1], err.text);
	}
}

static void place(struct rig *r, const char *text, int expected, const char *says)
{
	char copy[256];
	struct kp_err err = {""};
	scoped(kp_json_free) struct kp_json *args = NULL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(kp_json_parse(copy, strlen(copy), &args), 0);
	int ret = vaults_place(r->v, args, &err);
	if (ret != expected || !strstr(err.text, says))
		fail_msg("%s: %d %s", text, ret, err.text);
}

static void a_place_is_there_or_is_told_to_be_missing(void **state)
{
	struct rig *r = *state;
	char text[160];
	ACT(r, "key.create", "{\"vault\":\"contoso\",\"key\":\"k\",\"kty\":\"EC\"}");
	(void)snprintf(text, sizeof(text),
		"{\"vault\":\"contoso\",\"key\":\"k\",\"version\":\"%s\"}", str(r, "version"));
	place(r, text, 0, "");
	place(r, "{}", 0, "");
	place(r, "{\"vault\":\"Contoso\",\"key\":\"k\"}", 0, "");
	place(r, "{\"key\":\"k\"}", 0, "");
	place(r, "{\"vault\":\"loose\"}", -ENOENT, "no vault loose");
	place(r, "{\"vault\":\"vaulty\",\"key\":\"k\"}", -ENOENT, "no key k in vaulty");
	place(r, "{\"key\":\"j\"}", -ENOENT, "no key j in any vault");
	place(r, "{\"key\":\"k\",\"version\":\"0123\"}", -ENOENT, "no key k/0123");
	ACT(r, "vault.remove", "{\"vault\":\"contoso\"}");
	place(r, "{\"vault\":\"contoso\"}", -ENOENT, "no vault contoso");
	place(r, "{\"key\":\"k\"}", -ENOENT, "no key k in any vault");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(strangers_are_challenged),
		T(who_may_not_is_told_in_the_words_of_the_model),
		T(the_network_may_be_closed),
		T(faults_come_after_the_token_and_before_the_rights),
		T(every_route_can_be_met_by_a_fault),
		T(a_place_is_there_or_is_told_to_be_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
