// SPDX-License-Identifier: MIT
// The emulator's identities: what they may do, what their tokens prove, what outlives a restart.
#include "emu_identities_rig.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define WITH_SECRET BY_SECRET "&" SCOPE
#define V1 "0123456789abcdef0123456789abcde1"
#define V2 "0123456789abcdef0123456789abcde2"

static void move_clock(struct rig *r, int64_t seconds)
{
	atomic_fetch_add(&r->clock.offset_s, seconds);
}

static void an_identity_may_do_what_was_granted_and_no_more(void **state)
{
	struct rig *r = *state;
	add_disk_host(r);
	assert_false(allowed(r, "contoso", "k", V1, "unwrapKey"));
	must_act(r, "access.grant", "{'identity':'disk-host','vault':'contoso','key':'k'}");
	assert_true(allowed(r, "contoso", "k", V1, "unwrapKey"));
	assert_true(allowed(r, "Contoso", "K", V2, "WrapKey")); // names know no case
	assert_true(allowed(r, "contoso", "k", NULL, "get"));
	assert_false(allowed(r, "contoso", "k", V1, "delete"));
	assert_false(allowed(r, "contoso", "other", V1, "get"));
	assert_false(allowed(r, "contoso", NULL, NULL, "get"));
	assert_false(allowed(r, "fabrikam", "k", V1, "get"));
	assert_false(allowed(r, "contoso", "k", V1, "no-such-permission"));
	must_act(r, "access.grant",
		"{'identity':'disk-host','vault':'contoso','permissions':['list','delete']}");
	assert_true(allowed(r, "contoso", NULL, NULL, "list"));
	assert_true(allowed(r, "contoso", "other", V1, "delete"));
}

static void a_right_on_one_version_does_not_extend_to_newer_ones(void **state)
{
	struct rig *r = *state;
	add_disk_host(r);
	must_act(r, "access.grant",
		"{'identity':'" CLIENT "','vault':'contoso','key':'k','version':'" V1
		"','permissions':'get,unwrapKey'}");
	assert_true(allowed(r, "contoso", "k", V1, "unwrapKey"));
	assert_false(allowed(r, "contoso", "k", V2, "unwrapKey"));
	assert_false(allowed(r, "contoso", "k", NULL, "get"));
	assert_false(allowed(r, "contoso", "k", V1, "wrapKey"));
	assert_int_equal(
		act(r, "access.grant", "{'identity':'disk-host','version':'" V1 "'}"), -EINVAL);
}

static void a_lag_delays_a_grant_and_a_revocation(void **state)
{
	struct rig *r = *state;
	add_disk_host(r);
	must_act(r, "access.grant", "{'vault':'contoso','key':'k','lag':'60s'}");
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	move_clock(r, 30);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	rig_reopen(r);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	move_clock(r, 31);
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	must_act(r, "access.revoke", "{'vault':'contoso','key':'k','lag':'1min'}");
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	rig_reopen(r);
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	move_clock(r, 61);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	// One that is taken back before it arrived never does.
	must_act(r, "access.grant", "{'vault':'contoso','lag':'60s'}");
	must_act(r, "access.revoke", "{'vault':'contoso'}");
	move_clock(r, 61);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	// Granted again while it is going away: it stays.
	must_act(r, "access.grant", "{'vault':'contoso'}");
	must_act(r, "access.revoke", "{'vault':'contoso','lag':'60s'}");
	must_act(r, "access.grant", "{'vault':'contoso'}");
	move_clock(r, 61);
	assert_true(allowed(r, "contoso", "k", V1, "get"));
}

static void a_revocation_takes_what_was_granted_there_and_inside(void **state)
{
	struct rig *r = *state;
	int64_t n = 0;
	add_disk_host(r);
	must_act(r, "access.grant", "{'vault':'contoso','key':'k','permissions':'get,unwrapKey'}");
	must_act(r, "access.revoke", "{'vault':'contoso','key':'k','permissions':['unwrapKey']}");
	assert_false(allowed(r, "contoso", "k", V1, "unwrapKey"));
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	must_act(r, "access.revoke", "{'vault':'contoso'}");
	assert_true(kp_json_int(r->result, "revoked", &n));
	assert_int_equal(n, 1);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
	must_act(r, "access.revoke", "{'vault':'contoso'}");
	assert_true(kp_json_int(r->result, "revoked", &n));
	assert_int_equal(n, 0);
	must_act(r, "access.grant", "{'vault':'contoso'}");
	assert_int_equal(act(r, "access.revoke", "{'vault':'contoso','key':'k'}"), -EINVAL);
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	must_act(r, "access.list", "{}");
	assert_int_equal(kp_json_count(kp_json_get(r->result, "access")), 3);
}

static void wrong_actions_say_what_is_wrong(void **state)
{
	static const struct {
		const char *action, *args;
		int ret;
	} bad[] = {
		{"identity.fly", "{}", -EINVAL},
		{"access.fly", "{}", -EINVAL},
		{"identity.add", "{}", -EINVAL},
		{"identity.add", "{'name':'../x'}", -EINVAL},
		{"identity.add", "{'name':'disk-host'}", -EEXIST},
		{"identity.add", "{'name':'b','clientId':'" CLIENT "'}", -EEXIST},
		{"identity.add", "{'name':'b','clientId':'no-guid'}", -EINVAL},
		{"identity.add", "{'name':'b','secret':'short'}", -EINVAL},
		{"identity.add", "{'name':'b','certificates':['no pem']}", -EINVAL},
		{"identity.add", "{'name':'b','managed':'maybe'}", -EINVAL},
		{"identity.add", "{'name':'b','managed':'user','resourceId':'a\\\"b'}", -EINVAL},
		{"identity.add",
			"{'name':'b','federated':[{'issuer':'i','subject':'s','key':'x'}]}",
			-EINVAL},
		{"identity.add", "{'name':'b','tokenLifetime':'soon'}", -EINVAL},
		{"identity.set", "{'identity':'disk-host','clientId':'" OBJECT "'}", -EINVAL},
		{"identity.remove", "{'identity':'nobody'}", -ENOENT},
		{"identity.removeSecret", "{'identity':'disk-host','secret':'another-secret'}",
			-ENOENT},
		{"access.grant", "{'identity':'nobody'}", -ENOENT},
		{"access.grant", "{'permissions':'fly'}", -EINVAL},
		{"access.grant", "{'permissions':7}", -EINVAL},
		{"access.grant", "{'lag':'soon'}", -EINVAL},
	};
	struct rig *r = *state;
	add_disk_host(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int ret = act(r, bad[i].action, bad[i].args);
		if (ret != bad[i].ret || strlen(r->err.text) < 20)
			fail_msg("%s %s: %d '%s'", bad[i].action, bad[i].args, ret, r->err.text);
	}
	must_act(r, "identity.list", "{}");
	assert_int_equal(kp_json_count(kp_json_get(r->result, "identities")), 1);
}

static void a_token_proves_its_identity_until_it_expires(void **state)
{
	struct rig *r = *state;
	struct caller c;
	add_disk_host(r);
	must_act(r, "identity.set", "{'tokenLifetime':'10min'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	assert_string_equal(c.name, "disk-host");
	assert_string_equal(c.app_id, CLIENT);
	assert_string_equal(c.object_id, OBJECT);
	assert_string_equal(c.issuer, "https://sts.windows.net/" TENANT "/");
	move_clock(r, 599);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	move_clock(r, 1);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_EXPIRED);
	move_clock(r, -3600); // before it was issued
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_EXPIRED);
}

static void what_is_no_token_of_ours_is_told_apart(void **state)
{
	struct rig *r = *state;
	struct caller c;
	add_disk_host(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_int_equal(identities_authenticate(r->ids, NULL, VAULT, &c), TOKEN_MISSING);
	assert_int_equal(identities_authenticate(r->ids, "Basic eA", VAULT, &c), TOKEN_MISSING);
	assert_int_equal(authenticate(r, "", &c), TOKEN_MALFORMED);
	assert_int_equal(authenticate(r, "a.b", &c), TOKEN_MALFORMED);
	assert_int_equal(authenticate(r, "a.b.c", &c), TOKEN_MALFORMED);
	char header[5000];
	(void)snprintf(header, sizeof(header), "bearer %s", r->token);
	assert_int_equal(
		identities_authenticate(r->ids, header, "https://managedhsm.localhost", &c),
		TOKEN_WRONG_AUDIENCE);
	assert_int_equal(
		identities_authenticate(r->ids, header, "https://vault.azure.net", &c), TOKEN_GOOD);

	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	char *foreign = sign(key, "RS256", "'kid':'x'",
		"{'iss':'https://sts.windows.net/" OBJECT "/','aud':'" VAULT "'}");
	assert_int_equal(authenticate(r, foreign, &c), TOKEN_WRONG_TENANT);
	assert_string_equal(c.issuer, "https://sts.windows.net/" OBJECT "/");
	free(foreign);
	foreign = sign(key, "RS256", "'kid':'x'",
		"{'iss':'https://sts.windows.net/" TENANT "/','aud':'" VAULT "'}");
	assert_int_equal(authenticate(r, foreign, &c), TOKEN_UNKNOWN_KEY);
	free(foreign);
	// Everything right but the signature, which is another key's.
	struct jwt t;
	char id[64], text[512];
	assert_int_equal(jwt_parse(r->token, &t), 0);
	(void)snprintf(id, sizeof(id), "'kid':'%s'", kp_json_str(t.header, "kid"));
	(void)snprintf(text, sizeof(text),
		"{'iss':'https://sts.windows.net/" TENANT "/','aud':'" VAULT "','oid':'" OBJECT
		"','nbf':0,'exp':%lld}",
		(long long)emu_now(&r->clock) + 600);
	foreign = sign(key, "RS256", id, text);
	assert_int_equal(authenticate(r, foreign, &c), TOKEN_MALFORMED);
	assert_string_equal(c.object_id, "");
	free(foreign);
	jwt_end(&t);
	EVP_PKEY_free(key);
}

static void a_removed_identity_gets_no_token_and_its_old_one_no_permission(void **state)
{
	struct rig *r = *state;
	struct caller c;
	add_disk_host(r);
	must_act(r, "access.grant", "{'vault':'contoso'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	must_act(r, "identity.remove", "{'identity':'disk-host'}");
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	assert_string_equal(c.name, "");
	assert_string_equal(c.object_id, OBJECT);
	assert_false(identities_allowed(r->ids, &c, "contoso", "k", V1, "get"));
	assert_int_equal(ask_token(r, WITH_SECRET), 400);
	assert_refused(r, 400, "unauthorized_client");
	// The same name is not the same identity.
	add_disk_host(r);
	assert_false(allowed(r, "contoso", "k", V1, "get"));
}

static void a_disabled_identity_gets_no_token_until_it_is_enabled(void **state)
{
	struct rig *r = *state;
	add_disk_host(r);
	must_act(r, "identity.disable", "{'identity':'disk-host'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 401);
	assert_refused(r, 401, "unauthorized_client");
	rig_reopen(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 401);
	must_act(r, "identity.enable", "{'identity':'disk-host'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
}

static void a_claims_challenge_lasts_until_its_claims_are_repeated(void **state)
{
	struct rig *r = *state;
	struct caller c;
	char old[4096], form[2048], *claims;
	add_disk_host(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	memcpy(old, r->token, sizeof(old));
	must_act(r, "identity.challenge", "{'identity':'disk-host'}");
	assert_int_equal(authenticate(r, old, &c), TOKEN_CLAIMS_WANTED);
	// Asking again without the claims, even later and after a restart, is no answer.
	move_clock(r, 10);
	rig_reopen(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_CLAIMS_WANTED);
	assert_int_equal(ask_token(r, WITH_SECRET "&claims=%7B%22access_token%22%3A%7B%22xms_cc%22"
						  "%3A%7B%22values%22%3A%5B%22CP1%22%5D%7D%7D%7D"),
		200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_CLAIMS_WANTED);
	assert_int_equal(identities_claims(r->ids, &c, &claims), 0);
	(void)snprintf(form, sizeof(form), "%s&claims=%s", WITH_SECRET, claims);
	free(claims);
	assert_int_equal(ask_token(r, form), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	assert_int_equal(authenticate(r, old, &c), TOKEN_CLAIMS_WANTED);
	// Now any new token will do, and the next challenge is one of its own.
	move_clock(r, 2);
	rig_reopen(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_GOOD);
	must_act(r, "identity.challenge", "{}");
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_CLAIMS_WANTED);
	assert_int_equal(ask_token(r, form), 200);
	assert_int_equal(authenticate(r, r->token, &c), TOKEN_CLAIMS_WANTED);
}

static void the_state_survives_reopening(void **state)
{
	struct rig *r = *state;
	char path[300], old[4096];
	struct stat st;
	add_disk_host(r);
	must_act(r, "access.grant", "{'vault':'contoso','key':'k','version':'" V1 "'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	memcpy(old, r->token, sizeof(old));
	rig_reopen(r);
	assert_int_equal(authenticate(r, old, NULL), TOKEN_GOOD);
	assert_true(allowed(r, "contoso", "k", V1, "get"));
	assert_false(allowed(r, "contoso", "k", V2, "get"));
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	static const char *const names[] = {
		"identities.json", "token-key.pem", "app-service-secret"};
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	// The secret itself is in no file.
	char line[512];
	(void)snprintf(line, sizeof(line), "grep -rq '%s' %s", "disk-host", r->dir);
	assert_int_equal(system(line), 0);
	(void)snprintf(line, sizeof(line), "grep -rq '%s' %s", SECRET, r->dir);
	assert_int_not_equal(system(line), 0);
	(void)snprintf(path, sizeof(path), "%s/identities.json", r->dir);
	assert_int_equal(truncate(path, 40), 0);
	identities_free(&r->ids);
	struct identities_config c = {
		.dir = r->dir, .clock = &r->clock, .tenant = TENANT, .authority = AUTHORITY};
	assert_int_equal(identities_open(&c, &r->ids, &r->err), -EBADMSG);
	assert_non_null(strstr(r->err.text, "identities.json"));
}

static void secrets_can_be_added_and_taken_away(void **state)
{
	struct rig *r = *state;
	char form[512], secret[128] = "";
	add_disk_host(r);
	must_act(r, "identity.addSecret", "{'identity':'disk-host'}");
	FILE *f = fopen(kp_json_str(r->result, "file"), "r");
	assert_non_null(f);
	assert_non_null(fgets(secret, sizeof(secret), f));
	(void)fclose(f);
	assert_int_equal(strlen(secret), 64);
	(void)snprintf(form, sizeof(form),
		"grant_type=client_credentials&client_id=" CLIENT "&%s&client_secret=%s", SCOPE,
		secret);
	assert_int_equal(ask_token(r, form), 200);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	must_act(r, "identity.removeSecret", "{'secret':'" SECRET "'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 401);
	assert_int_equal(ask_token(r, form), 200);
	must_act(r, "identity.removeSecret", "{}");
	assert_int_equal(ask_token(r, form), 401);
	must_act(r, "identity.addSecret", "{'secret':'" SECRET "'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
}

static void *hammer(void *arg)
{
	struct rig *r = arg;
	struct caller c;
	char header[5000];
	(void)snprintf(header, sizeof(header), "Bearer %s", r->token);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(identities_authenticate(r->ids, header, VAULT, &c), TOKEN_GOOD);
		assert_true(identities_allowed(r->ids, &c, "contoso", "k", V1, "get"));
	}
	return NULL;
}

static void several_threads_may_ask_while_it_changes(void **state)
{
	struct rig *r = *state;
	pthread_t t[4];
	add_disk_host(r);
	must_act(r, "access.grant", "{'vault':'contoso'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, r), 0);
	for (int i = 0; i < 20; i++) {
		char args[128];
		(void)snprintf(args, sizeof(args), "{'identity':'disk-host','vault':'v%d'}", i);
		must_act(r, "access.grant", args);
		(void)snprintf(args, sizeof(args), "{'name':'other%d'}", i);
		must_act(r, "identity.add", args);
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_identity_may_do_what_was_granted_and_no_more),
		TEST(a_right_on_one_version_does_not_extend_to_newer_ones),
		TEST(a_lag_delays_a_grant_and_a_revocation),
		TEST(a_revocation_takes_what_was_granted_there_and_inside),
		TEST(wrong_actions_say_what_is_wrong),
		TEST(a_token_proves_its_identity_until_it_expires),
		TEST(what_is_no_token_of_ours_is_told_apart),
		TEST(a_removed_identity_gets_no_token_and_its_old_one_no_permission),
		TEST(a_disabled_identity_gets_no_token_until_it_is_enabled),
		TEST(a_claims_challenge_lasts_until_its_claims_are_repeated),
		TEST(the_state_survives_reopening),
		TEST(secrets_can_be_added_and_taken_away),
		TEST(several_threads_may_ask_while_it_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
