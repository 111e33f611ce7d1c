// SPDX-License-Identifier: MIT
// The emulator's token endpoint: every way to a token, and every way to be refused.
#include "emu_identities_rig.h"

#include <openssl/pem.h>
#include <time.h>

#define WITH_SECRET BY_SECRET "&" SCOPE
#define JTI "'jti':'5f0e7a52-0000-4000-8000-00000000000"

static int ask_assertion(struct rig *r, char *assertion) // frees it
{
	char *form;
	assert_true(asprintf(&form, "%s%s", BY_ASSERTION, assertion) > 0);
	free(assertion);
	int status = ask_token(r, form);
	free(form);
	return status;
}

// Claims of an application's own assertion: who, to whom, from and to (seconds from now), the rest.
static const char *claims(struct rig *r, char out[1024], const char *who, const char *aud, int from,
	int to, const char *rest)
{
	long long now = (long long)emu_now(&r->clock);
	(void)snprintf(out, 1024, "{'iss':'%s','sub':'%s','aud':'%s','nbf':%lld,'exp':%lld,%s}",
		CLIENT, who, aud, now + from, now + to, rest);
	return out;
}

static void add_by_certificate(struct rig *r, const struct test_cert *c)
{
	char *args;
	assert_true(asprintf(&args,
			    "{'name':'disk-host','clientId':'" CLIENT "','objectId':'" OBJECT
			    "','certificates':['%s']}",
			    c->json) > 0);
	must_act(r, "identity.add", args);
	free(args);
}

static void a_secret_gives_a_token_for_a_vault_or_an_hsm(void **state)
{
	static const struct {
		const char *scope, *audience;
	} good[] = {
		{"https://vault.localhost/.default", "https://vault.localhost"},
		{"https://vault.azure.net/.default", "https://vault.localhost"},
		{"https%3A%2F%2Fvault.azure.cn%2f.default+openid+profile",
			"https://vault.azure.cn"},
		{"https://managedhsm.localhost/.default", "https://managedhsm.localhost"},
		{"https://managedhsm.usgovcloudapi.net/.default", "https://managedhsm.localhost"},
	};
	struct rig *r = *state;
	struct caller c;
	char text[5000];
	int64_t n;
	add_disk_host(r);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		(void)snprintf(text, sizeof(text), "%s&scope=%s", BY_SECRET, good[i].scope);
		if (ask_token(r, text) != 200)
			fail_msg("%s: %s", good[i].scope, r->text);
		assert_member(r, "token_type", "Bearer");
		assert_true(kp_json_int(r->json, "expires_in", &n) && n == 3599);
		assert_false(kp_json_int(r->json, "refresh_in", &n));
		(void)snprintf(text, sizeof(text), "Bearer %s", r->token);
		assert_int_equal(
			identities_authenticate(r->ids, text, good[i].audience, &c), TOKEN_GOOD);
	}
	must_act(r, "identity.set", "{'tokenLifetime':'1d'}");
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_true(kp_json_int(r->json, "refresh_in", &n) && n == 43200);
}

static void the_older_endpoint_speaks_of_resources_in_strings(void **state)
{
	struct rig *r = *state;
	add_disk_host(r);
	assert_int_equal(
		post(r, "/" TENANT "/oauth2/token", BY_SECRET "&resource=https://vault.localhost"),
		200);
	assert_member(r, "expires_in", "3599");
	assert_member(r, "resource", "https://vault.localhost");
	assert_non_null(kp_json_str(r->json, "expires_on"));
	assert_int_equal(authenticate(r, r->token, NULL), TOKEN_GOOD);
	// The newer one has no such parameter.
	assert_int_equal(ask_token(r, BY_SECRET "&resource=https://vault.localhost"), 400);
	assert_refused(r, 400, "invalid_request");
}

static void a_bad_request_is_refused_as_entra_does(void **state)
{
#define GRANT "grant_type=client_credentials"
	static const struct {
		const char *form;
		int status;
		const char *error;
	} bad[] = {
		{"", 400, "invalid_request"},
		{"grant_type=password", 400, "unsupported_grant_type"},
		{"grant_type=client_credentials&grant_type=password", 400, "invalid_request"},
		{"%zz=1", 400, "invalid_request"},
		{BY_SECRET "%00x&" SCOPE, 400, "invalid_request"},
		{GRANT, 400, "invalid_request"},
		{GRANT "&client_id=", 400, "invalid_request"},
		{GRANT "&client_id=" OBJECT "&client_secret=" SECRET, 400, "unauthorized_client"},
		{GRANT "&client_id=disk-host&client_secret=" SECRET, 400, "unauthorized_client"},
		{GRANT "&client_id=" CLIENT "&" SCOPE, 401, "invalid_client"},
		{GRANT "&client_id=" CLIENT "&client_secret=wrong-secret&" SCOPE, 401,
			"invalid_client"},
		{BY_SECRET "x&" SCOPE, 401, "invalid_client"},
		{GRANT "&client_id=" CLIENT "&client_assertion=x", 400, "invalid_request"},
		{BY_ASSERTION "x", 401, "invalid_client"},
		{BY_ASSERTION "e30.e30.e30", 401, "invalid_client"},
		{BY_SECRET, 400, "invalid_request"},
		{BY_SECRET "&scope=https://vault.localhost", 400, "invalid_scope"},
		{BY_SECRET "&scope=openid", 400, "invalid_scope"},
		{BY_SECRET "&scope=https://storage.localhost/.default", 400, "invalid_resource"},
		{BY_SECRET "&scope=https://vault.localhost.example/.default", 400,
			"invalid_resource"},
		{BY_SECRET "&scope=http://vault.localhost/.default", 400, "invalid_resource"},
		{WITH_SECRET "&claims=%7B", 400, "invalid_request"},
	};
	struct rig *r = *state;
	add_disk_host(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (ask_token(r, bad[i].form) != bad[i].status)
			fail_msg("%s: %d %s", bad[i].form, r->reply.status, r->text);
		assert_refused(r, bad[i].status, bad[i].error);
	}
	(void)post(r, "/" OBJECT "/oauth2/v2.0/token", WITH_SECRET);
	assert_refused(r, 400, "invalid_request");
	assert_int_equal(get(r, EMU_TLS, "/" TENANT "/oauth2/v2.0/token", NULL, NULL), 400);
	assert_refused(r, 400, "invalid_request");
	assert_int_equal(post(r, "/" TENANT "/nowhere", WITH_SECRET), 404);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
}

static void a_certificate_gives_a_token_however_it_is_named(void **state)
{
	struct rig *r = *state;
	struct test_cert c;
	char text[1024], header[4096];
	cert_make(&c, -3600, 86400);
	add_by_certificate(r, &c);
	(void)snprintf(header, sizeof(header), "'x5t#S256':'%s'", c.s256);
	assert_int_equal(
		ask_assertion(r, sign(c.key, "PS256", header,
					 claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "1'"))),
		200);
	assert_int_equal(authenticate(r, r->token, NULL), TOKEN_GOOD);
	(void)snprintf(header, sizeof(header), "'x5t':'%s','kid':'%s'", c.s1, c.hex);
	assert_int_equal(
		ask_assertion(r, sign(c.key, "RS256", header,
					 claims(r, text, CLIENT, AUTHORITY "/" TENANT "/v2.0", 0,
						 600, JTI "2'"))),
		200);
	(void)snprintf(header, sizeof(header), "'x5c':['%.1800s']", c.der64);
	assert_int_equal(
		ask_assertion(r, sign(c.key, "PS256", header,
					 claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "3'"))),
		200);
	rig_reopen(r);
	(void)snprintf(header, sizeof(header), "'kid':'%s'", c.hex);
	assert_int_equal(
		ask_assertion(r, sign(c.key, "PS256", header,
					 claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "4'"))),
		200);
	cert_end(&c);
}

static void a_bad_assertion_is_refused(void **state)
{
	static const struct {
		const char *who, *aud;
		int from, to;
		const char *rest;
	} bad[] = {
		{OBJECT, TOKEN_URL, 0, 600, JTI "1'"},
		{CLIENT, "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token", 0, 600,
			JTI "1'"},
		{CLIENT, AUTHORITY "/" OBJECT "/oauth2/v2.0/token", 0, 600, JTI "1'"},
		{CLIENT, TOKEN_URL, -700, -1, JTI "1'"},
		{CLIENT, TOKEN_URL, 900, 1500, JTI "1'"},
		{CLIENT, TOKEN_URL, 0, 200000, JTI "1'"},
		{CLIENT, TOKEN_URL, 0, 600, "'jti':''"},
		{CLIENT, TOKEN_URL, 0, 600, "'x':1"},
	};
	struct rig *r = *state;
	struct test_cert c, other;
	char text[1024], header[1024];
	cert_make(&c, -3600, 86400);
	cert_make(&other, -3600, 86400);
	add_by_certificate(r, &c);
	(void)snprintf(header, sizeof(header), "'x5t#S256':'%s'", c.s256);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)claims(r, text, bad[i].who, bad[i].aud, bad[i].from, bad[i].to, bad[i].rest);
		if (ask_assertion(r, sign(c.key, "PS256", header, text)) != 401)
			fail_msg("%s: %d %s", text, r->reply.status, r->text);
		assert_refused(r, 401, "invalid_client");
	}
	(void)claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "1'");
	// Signed by another key; by a certificate that is not registered; not at all.
	assert_int_equal(ask_assertion(r, sign(other.key, "PS256", header, text)), 401);
	char foreign[1024];
	(void)snprintf(foreign, sizeof(foreign), "'x5t#S256':'%s'", other.s256);
	assert_int_equal(ask_assertion(r, sign(other.key, "PS256", foreign, text)), 401);
	assert_int_equal(ask_assertion(r, sign(c.key, "none", header, text)), 401);
	assert_int_equal(ask_assertion(r, sign(c.key, "HS256", header, text)), 401);
	// Good more than once: clients keep an assertion for minutes.
	assert_int_equal(ask_assertion(r, sign(c.key, "PS256", header, text)), 200);
	assert_int_equal(ask_assertion(r, sign(c.key, "PS256", header, text)), 200);
	cert_end(&c);
	cert_end(&other);
}

static void an_expired_certificate_signs_nothing(void **state)
{
	struct rig *r = *state;
	struct test_cert c;
	char text[1024], header[1024];
	cert_make(&c, -3600, 3600);
	add_by_certificate(r, &c);
	(void)snprintf(header, sizeof(header), "'x5t#S256':'%s'", c.s256);
	(void)claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "1'");
	assert_int_equal(ask_assertion(r, sign(c.key, "PS256", header, text)), 200);
	atomic_store(&r->clock.offset_s, 7200);
	(void)claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "2'");
	assert_int_equal(ask_assertion(r, sign(c.key, "PS256", header, text)), 401);
	atomic_store(&r->clock.offset_s, -7200);
	(void)claims(r, text, CLIENT, TOKEN_URL, 0, 600, JTI "3'");
	assert_int_equal(ask_assertion(r, sign(c.key, "PS256", header, text)), 401);
	cert_end(&c);
}

static char *federated_token(struct rig *r, EVP_PKEY *key, const char *kid, const char *iss,
	const char *sub, const char *aud, int to)
{
	char text[1024], header[64];
	(void)snprintf(text, sizeof(text), "{'iss':'%s','sub':'%s','aud':%s,'exp':%lld}", iss, sub,
		aud, (long long)emu_now(&r->clock) + to);
	(void)snprintf(header, sizeof(header), "'kid':'%s'", kid);
	return sign(key, "RS256", header, text);
}

// The public key as the set that an issuer publishes.
static char *key_set(EVP_PKEY *key, const char *kid)
{
	struct kp_json *jwk;
	char *one, *set;
	assert_int_equal(jwt_key_print(key, kid, &jwk), 0);
	assert_int_equal(kp_json_print(jwk, false, &one), 0);
	kp_json_free(&jwk);
	assert_true(asprintf(&set, "{'keys':[{'kty':'EC','kid':'e'},%s]}", one) > 0);
	free(one);
	for (char *p = set; *p; p++)
		*p = *p == '"' ? '\'' : *p;
	return set;
}

#define ISS "https://issuer.example/"
#define SUB "system:serviceaccount:disks:cmkdisk"
#define AUD "'api://AzureADTokenExchange'"
static void a_trusted_issuer_vouches_for_an_identity(void **state)
{
	static const struct {
		const char *kid, *iss, *sub, *aud;
		int to, status;
	} given[] = {
		{"k1", ISS, SUB, AUD, 600, 200},
		{"k1", ISS, SUB, AUD, 600, 200}, // may be presented again, as it is in its file
		{"k1", ISS, SUB, "[" AUD "]", 600, 200},
		{"k1", ISS, SUB, "[" AUD ",'other']", 600, 401},
		{"k1", ISS, SUB, "'https://vault.azure.net'", 600, 401},
		{"k1", "https://issuer.example", SUB, AUD, 600, 401},
		{"k1", ISS, "system:serviceaccount:disks:Cmkdisk", AUD, 600, 401},
		{"k2", ISS, SUB, AUD, 600, 401},
		{"k1", ISS, SUB, AUD, 0, 401},
	};
	struct rig *r = *state;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	char *set = key_set(key, "k1"), *args;
	assert_true(asprintf(&args,
			    "{'name':'disk-host','clientId':'" CLIENT "','objectId':'" OBJECT
			    "','federated':[{'issuer':'" ISS "','subject':'" SUB "','key':%s}]}",
			    set) > 0);
	must_act(r, "identity.add", args);
	rig_reopen(r);
	for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
		char *t = federated_token(r, key, given[i].kid, given[i].iss, given[i].sub,
			given[i].aud, given[i].to);
		if (ask_assertion(r, t) != given[i].status)
			fail_msg("%zu: %d %s", i, r->reply.status, r->text);
		if (given[i].status != 200)
			assert_refused(r, given[i].status, "invalid_client");
	}
	assert_int_equal(
		ask_assertion(r, federated_token(r, other, "k1", ISS, SUB, AUD, 600)), 401);
	free(args);
	free(set);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void clients_find_the_endpoint_and_its_keys(void **state)
{
	struct rig *r = *state;
	struct jwt t;
	EVP_PKEY *key = NULL;
	char *set;
	assert_int_equal(get(r, EMU_TLS, "/common/discovery/instance",
				 "api-version=1.1&authorization_endpoint=x", NULL),
		200);
	assert_member(r, "tenant_discovery_endpoint",
		AUTHORITY "/" TENANT "/v2.0/.well-known/openid-configuration");
	assert_int_equal(
		get(r, EMU_TLS, "/" TENANT "/v2.0/.well-known/openid-configuration", NULL, NULL),
		200);
	assert_member(r, "token_endpoint", TOKEN_URL);
	assert_member(r, "issuer", AUTHORITY "/" TENANT "/v2.0");
	assert_member(r, "jwks_uri", AUTHORITY "/" TENANT "/discovery/v2.0/keys");
	assert_int_equal(
		get(r, EMU_TLS, "/" TENANT "/.well-known/openid-configuration", NULL, NULL), 200);
	assert_member(r, "token_endpoint", AUTHORITY "/" TENANT "/oauth2/token");
	// What the set publishes verifies what the endpoint signs.
	add_disk_host(r);
	assert_int_equal(ask_token(r, WITH_SECRET), 200);
	assert_int_equal(get(r, EMU_TLS, "/" TENANT "/discovery/v2.0/keys", NULL, NULL), 200);
	assert_int_equal(kp_json_print(r->json, false, &set), 0);
	assert_null(strstr(set, "\"d\"")); // nothing private
	assert_int_equal(jwt_parse(r->token, &t), 0);
	assert_int_equal(jwt_key_parse(set, kp_json_str(t.header, "kid"), &key), 0);
	assert_int_equal(jwt_verify(&t, key), 0);
	assert_string_equal(kp_json_str(t.claims, "tid"), TENANT);
	assert_string_equal(kp_json_str(t.claims, "appidacr"), "1");
	assert_int_equal(jwt_key_parse(set, "another", &(EVP_PKEY *){NULL}), -ENOENT);
	free(set);
	jwt_end(&t);
	EVP_PKEY_free(key);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_secret_gives_a_token_for_a_vault_or_an_hsm),
		TEST(the_older_endpoint_speaks_of_resources_in_strings),
		TEST(a_bad_request_is_refused_as_entra_does),
		TEST(a_certificate_gives_a_token_however_it_is_named),
		TEST(a_bad_assertion_is_refused),
		TEST(an_expired_certificate_signs_nothing),
		TEST(a_trusted_issuer_vouches_for_an_identity),
		TEST(clients_find_the_endpoint_and_its_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
