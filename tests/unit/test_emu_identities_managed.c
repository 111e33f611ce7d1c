// SPDX-License-Identifier: MIT
// The emulator's managed identities: IMDS, App Service and Azure Arc, each with its own rules.
#include "emu_identities_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#define PATH "/metadata/identity/oauth2/token"
#define IMDS_QUERY "api-version=2018-02-01&resource=https://vault.localhost"
#define ARC_QUERY "api-version=2020-06-01&resource=https://vault.localhost"
#define USER1 "11111111-aaaa-4aaa-8aaa-000000000001"
#define USER2 "11111111-aaaa-4aaa-8aaa-000000000002"

static int imds(struct rig *r, const char *query)
{
	return get(r, EMU_IMDS, PATH, query, "Metadata: true");
}

static void add_users(struct rig *r)
{
	must_act(r, "identity.add", "{'name':'u1','clientId':'" USER1 "','managed':'user'}");
	must_act(r, "identity.add",
		"{'name':'u2','clientId':'" USER2 "','objectId':'" OBJECT
		"','managed':'user','resourceId':'/subscriptions/s/u2'}");
}

static void imds_gives_the_machines_identity_in_strings(void **state)
{
	static const char *const members[] = {"access_token", "client_id", "expires_in",
		"expires_on", "not_before", "resource", "token_type", "refresh_token"};
	struct rig *r = *state;
	struct caller c;
	must_act(r, "identity.add", "{'name':'vm','managed':'system'}");
	assert_int_equal(imds(r, IMDS_QUERY), 200);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (!kp_json_str(r->json, members[i]))
			fail_msg("no string %s in %s", members[i], r->text);
	assert_member(r, "resource", "https://vault.localhost");
	assert_member(r, "expires_in", "3599");
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	assert_string_equal(c.name, "vm");
	// Its tokens answer a claims challenge, for it cannot be told of claims.
	char old[4096];
	memcpy(old, r->token, sizeof(old));
	must_act(r, "identity.challenge", "{}");
	assert_int_equal(authenticate(r, old, &c), TOKEN_CLAIMS_WANTED);
	assert_int_equal(imds(r, IMDS_QUERY), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
}

static void imds_refuses_what_may_be_forged_or_lacks_something(void **state)
{
	struct rig *r = *state;
	must_act(r, "identity.add", "{'name':'vm','managed':'system'}");
	assert_int_equal(get(r, EMU_IMDS, PATH, IMDS_QUERY, NULL), 400);
	assert_member(r, "error", "bad_request_102");
	assert_int_equal(get(r, EMU_IMDS, PATH, IMDS_QUERY, "Metadata: no"), 400);
	assert_int_equal(
		get(r, EMU_IMDS, PATH, IMDS_QUERY, "Metadata: true|X-Forwarded-For: 10.0.0.1"),
		400);
	assert_int_equal(imds(r, "resource=https://vault.localhost"), 400);
	assert_member(r, "error", "invalid_request");
	assert_int_equal(imds(r, "api-version=2018-02-01"), 400);
	assert_int_equal(imds(r, "api-version=2018-02-01&resource=https://x.localhost"), 400);
	assert_member(r, "error", "invalid_resource");
	assert_int_equal(get(r, EMU_IMDS, "/metadata/instance", IMDS_QUERY, "Metadata: true"), 404);
	assert_int_equal(get(r, EMU_IMDS, "/MSI/token", IMDS_QUERY, "Metadata: true"), 404);
}

static void imds_finds_the_identity_that_is_asked_for(void **state)
{
	struct rig *r = *state;
	assert_int_equal(imds(r, IMDS_QUERY), 400);
	assert_member(r, "error", "invalid_request");
	assert_member(r, "error_description", "Identity not found");
	add_users(r);
	assert_int_equal(imds(r, IMDS_QUERY), 400); // which of the two?
	assert_non_null(strstr(kp_json_str(r->json, "error_description"), "Multiple"));
	assert_int_equal(imds(r, IMDS_QUERY "&client_id=" USER1), 200);
	assert_member(r, "client_id", USER1);
	assert_int_equal(imds(r, IMDS_QUERY "&object_id=" OBJECT), 200);
	assert_member(r, "client_id", USER2);
	assert_int_equal(imds(r, IMDS_QUERY "&msi_res_id=/subscriptions/S/u2"), 200);
	assert_member(r, "client_id", USER2);
	assert_int_equal(imds(r, IMDS_QUERY "&client_id=" CLIENT), 400);
	assert_member(r, "error_description", "Identity not found");
	assert_int_equal(imds(r, IMDS_QUERY "&client_id=" USER1 "&object_id=" OBJECT), 400);
	must_act(r, "identity.disable", "{'identity':'u1'}");
	assert_int_equal(imds(r, IMDS_QUERY "&client_id=" USER1), 400);
	assert_int_equal(imds(r, IMDS_QUERY), 200); // the only one left
	assert_member(r, "client_id", USER2);
	must_act(r, "identity.enable", "{'identity':'u1'}");
	must_act(r, "identity.add", "{'name':'vm','managed':'system','clientId':'" CLIENT "'}");
	assert_int_equal(imds(r, IMDS_QUERY), 200); // the machine's own comes first
	assert_member(r, "client_id", CLIENT);
	// A service principal is nobody's managed identity.
	must_act(r, "identity.set", "{'identity':'vm','managed':null}");
	assert_int_equal(imds(r, IMDS_QUERY "&client_id=" CLIENT), 400);
}

static void app_service_wants_its_secret(void **state)
{
	struct rig *r = *state;
	char path[300], secret[80] = "", headers[200];
	static const char query[] = "api-version=2019-08-01&resource=https://vault.localhost";
	static const char old[] = "api-version=2017-09-01&resource=https://vault.localhost";
	(void)snprintf(path, sizeof(path), "%s/app-service-secret", r->dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(secret, sizeof(secret), f));
	(void)fclose(f);
	add_users(r);
	must_act(r, "identity.add", "{'name':'app','managed':'system','clientId':'" CLIENT "'}");
	assert_int_equal(get(r, EMU_APP_SERVICE, "/MSI/token", query, NULL), 401);
	assert_int_equal(
		get(r, EMU_APP_SERVICE, "/MSI/token", query, "X-IDENTITY-HEADER: guess"), 401);
	rig_reopen(r); // the secret stays the same
	(void)snprintf(headers, sizeof(headers), "X-IDENTITY-HEADER: %s", secret);
	assert_int_equal(get(r, EMU_APP_SERVICE, "/MSI/token/", query, headers), 200);
	assert_member(r, "client_id", CLIENT);
	assert_null(kp_json_str(r->json, "expires_in"));
	assert_true(strspn(kp_json_str(r->json, "expires_on"), "0123456789") >= 10);
	assert_int_equal(authenticate(r, r->token, NULL), TOKEN_GOOD);
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH, old, headers), 401); // its header is another
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH,
				 "api-version=2019-08-01&resource=https://vault.localhost"
				 "&mi_res_id=/subscriptions/s/u2",
				 headers),
		200);
	assert_member(r, "client_id", USER2);
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH,
				 "api-version=2019-08-01&resource=https://vault.localhost"
				 "&client_id=" OBJECT,
				 headers),
		400);
	assert_non_null(strstr(kp_json_str(r->json, "message"), "No User Assigned"));
	assert_int_equal(
		get(r, EMU_APP_SERVICE, PATH,
			"api-version=2018-02-01&resource=https://vault.localhost", headers),
		400);
	(void)snprintf(headers, sizeof(headers), "secret: %s", secret);
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH, old, headers), 200);
	assert_non_null(strstr(kp_json_str(r->json, "expires_on"), " +00:00")); // a date
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH,
				 "api-version=2017-09-01&resource=https://vault.localhost"
				 "&clientid=" USER1,
				 headers),
		200);
	assert_int_equal(get(r, EMU_APP_SERVICE, PATH, query, headers), 401);
}

// The content of the file that the challenge names, as "Basic ..."; and its path.
static void read_key(struct rig *r, char path[300], char headers[200])
{
	static const char prefix[] = "Basic realm=";
	char key[128] = "";
	struct stat st;
	const char *realm = reply_header(r, "WWW-Authenticate");
	assert_true(strncmp(realm, prefix, sizeof(prefix) - 1) == 0);
	(void)snprintf(path, 300, "%s", realm + sizeof(prefix) - 1);
	assert_true(strncmp(path, r->dir, strlen(r->dir)) == 0);
	assert_string_equal(path + strlen(path) - 4, ".key");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(key, sizeof(key), f));
	(void)fclose(f);
	(void)snprintf(headers, 200, "Metadata: true|Authorization: Basic %s", key);
}

static void arc_wants_to_see_that_its_file_was_read(void **state)
{
	struct rig *r = *state;
	char path[300], headers[200], first[300], unused[200];
	must_act(r, "identity.add", "{'name':'server','managed':'system','clientId':'" CLIENT "'}");
	add_users(r);
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, NULL), 400);
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, "Metadata: true"), 401);
	read_key(r, path, headers);
	assert_int_equal(
		get(r, EMU_ARC, PATH, ARC_QUERY, "Metadata: true|Authorization: Basic 00000000"),
		401);
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, headers), 200);
	assert_member(r, "client_id", CLIENT);
	assert_int_equal(authenticate(r, r->token, NULL), TOKEN_GOOD);
	// Good once, and the file is gone.
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, headers), 401);
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, "Metadata: true"), 401);
	read_key(r, path, headers);
	assert_int_equal(
		get(r, EMU_ARC, PATH, ARC_QUERY "&msi_res_id=/subscriptions/s/u2", headers), 200);
	assert_member(r, "client_id", USER2);
	assert_member(r, "msi_res_id", "/subscriptions/s/u2");
	// Challenges that nobody answers do not pile up.
	assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, "Metadata: true"), 401);
	read_key(r, first, unused);
	for (int i = 0; i < 16; i++)
		assert_int_equal(get(r, EMU_ARC, PATH, ARC_QUERY, "Metadata: true"), 401);
	assert_int_equal(access(first, F_OK), -1);
	read_key(r, path, headers);
	rig_reopen(r);
	assert_int_equal(access(path, F_OK), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(imds_gives_the_machines_identity_in_strings),
		TEST(imds_refuses_what_may_be_forged_or_lacks_something),
		TEST(imds_finds_the_identity_that_is_asked_for),
		TEST(app_service_wants_its_secret),
		TEST(arc_wants_to_see_that_its_file_was_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
