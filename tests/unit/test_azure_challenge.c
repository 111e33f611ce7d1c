// SPDX-License-Identifier: MIT
// What a vault says about signing in, and which vault may ask for which token.
#include "azure_challenge.h"
#include "azure_fixture.h"

#include <errno.h>
#include <stdlib.h>

#define AUTHORITY "https://login.microsoftonline.com"
#define GOOD \
	"Bearer authorization=\"" AUTHORITY "/" TENANT "\", resource=\"https://vault.azure.net\""

static struct azure_challenge parsed(const char *header)
{
	struct azure_challenge c;
	if (!azure_challenge_parse(header, &c))
		fail_msg("not taken: %s", header);
	return c;
}

static void every_spelling_of_a_challenge_is_read(void **state)
{
	(void)state;
	static const char *const good[] = {
		GOOD,
		"bearer  authorization=\"" AUTHORITY "/" TENANT
		"\",resource=\"https://vault.azure.net\"",
		"Bearer authorization_uri=\"" AUTHORITY "/" TENANT
		"/oauth2/authorize\", scope=\"https://vault.azure.net/.default\"",
		"Bearer authorization=" AUTHORITY "/" TENANT "/, resource=https://vault.azure.net/",
		"Bearer Authorization = \"" AUTHORITY "/" TENANT
		"\" , RESOURCE = \"https://vault.azure.net\"",
		"Negotiate, PoP a=\"b\", " GOOD,
		"Basic realm=\"a, b\\\"c\", " GOOD ", PoP resource=\"https://other.example\"",
		GOOD ", Bearer authorization=\"https://second.example/x\", resource=\"https://y\"",
		"Bearer realm=\"\", scope=\"https://other/.default\", authorization=\"" AUTHORITY
		"/" TENANT "\", resource=\"https://vault.azure.net\"",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct azure_challenge c = parsed(good[i]);
		assert_string_equal(c.authority, AUTHORITY);
		assert_string_equal(c.tenant, TENANT);
		assert_string_equal(c.resource, "https://vault.azure.net");
		assert_false(azure_challenge_wants_claims(&c));
	}
}

static void what_is_no_bearer_challenge_is_none(void **state)
{
	(void)state;
	static const char *const bad[] = {NULL, "", " ", "Basic realm=\"x\"",
		"Negotiate abc==", "Bearer authorization=\"https://x",
		"Bearer authorization=\"no url\"", "=", "Bearer =\"x\"", "\"Bearer\"",
		"Bearer error=insufficient_claims, claims=\"!!\""};
	struct azure_challenge c;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (azure_challenge_parse(bad[i], &c))
			fail_msg("taken: %s", bad[i]);
	char *huge = malloc(20001);
	assert_non_null(huge);
	memset(huge, 'a', 20000);
	huge[20000] = '\0';
	memcpy(huge, "Bearer resource=\"", 17);
	huge[19999] = '"';
	assert_false(azure_challenge_parse(huge, &c));
	free(huge);
}

static void claims_are_decoded_from_either_base64(void **state)
{
	(void)state;
	// {"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}
#define CLAIMS                                                                       \
	"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYwND" \
	"EwNjY1MSJ9fX0"
	static const char json[] =
		"{\"access_token\":{\"nbf\":{\"essential\":true, \"value\":\"1604106651\"}}}";
	static const char *const good[] = {
		"Bearer realm=\"\", authorization_uri=\"" AUTHORITY
		"/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"" CLAIMS "=\"",
		GOOD ", error=\"insufficient_claims\", claims=\"" CLAIMS "\"",
		GOOD ", Bearer error=insufficient_claims, claims=" CLAIMS,
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct azure_challenge c = parsed(good[i]);
		assert_true(azure_challenge_wants_claims(&c));
		assert_string_equal(c.claims, json);
	}
	struct azure_challenge c = parsed("Bearer error=\"invalid_token\"");
	assert_false(azure_challenge_wants_claims(&c));
	c = parsed("Bearer error=insufficient_claims, claims=\"Pz8_\"");
	assert_string_equal(c.claims, "???");
	c = parsed("Bearer error=insufficient_claims, claims=\"Pz8/\"");
	assert_string_equal(c.claims, "???");
}

struct check {
	const char *vault, *authority, *resource, *tenant;
	const char *refused; // part of the sentence; NULL: allowed
};

static void run_checks(const struct check *rows, size_t n, const struct azure_config *config)
{
	for (size_t i = 0; i < n; i++) {
		struct azure_challenge c = {{0}, {0}, {0}, {0}, {0}};
		struct azure_url u;
		struct kp_err err = {""};
		assert_int_equal(azure_url_parse(rows[i].vault, &u, &err), 0);
		assert_int_equal(azure_url_allow(&u, config, &err), 0);
		(void)snprintf(c.authority, sizeof(c.authority), "%s", rows[i].authority);
		(void)snprintf(c.resource, sizeof(c.resource), "%s", rows[i].resource);
		(void)snprintf(c.tenant, sizeof(c.tenant), "%s", rows[i].tenant);
		int ret = azure_challenge_check(&c, &u, config, &err);
		if ((ret == 0) != !rows[i].refused)
			fail_msg("row %zu: %d, %s", i, ret, err.text);
		if (rows[i].refused)
			require_text(err.text, rows[i].refused);
	}
}

#define C "https://contoso.vault.azure.net/keys/k"
#define HSM "https://contoso.managedhsm.azure.net/keys/k"
#define KV "https://vault.azure.net"
#define NOT_OWN "not its own to ask for"
#define NO_AUTHORITY "no known authority"

static void a_vault_of_a_cloud_gets_that_clouds_token_from_a_known_authority(void **state)
{
	(void)state;
	static const struct check rows[] = {
		{C, AUTHORITY, KV, TENANT, NULL},
		{C, "https://login.windows.net", KV, TENANT, NULL},
		{C, "https://LOGIN.microsoftonline.com", "https://Vault.azure.net", "contoso.org",
			NULL},
		{HSM, AUTHORITY, "https://managedhsm.azure.net", TENANT, NULL},
		{"https://c.vault.azure.cn/keys/k", "https://login.chinacloudapi.cn",
			"https://vault.azure.cn", TENANT, NULL},
		{"https://c.vault.azure.cn/keys/k", "https://login.partner.microsoftonline.cn",
			"https://vault.azure.cn", TENANT, NULL},
		{"https://c.vault.usgovcloudapi.net/keys/k", "https://login.microsoftonline.us",
			"https://vault.usgovcloudapi.net", TENANT, NULL},
		{C, AUTHORITY, "https://management.azure.com", TENANT, NOT_OWN},
		{C, AUTHORITY, "https://managedhsm.azure.net", TENANT, NOT_OWN},
		{HSM, AUTHORITY, KV, TENANT, NOT_OWN},
		{C, AUTHORITY, "https://azure.net", TENANT, NOT_OWN},
		{C, AUTHORITY, "https://net", TENANT, NOT_OWN},
		{C, AUTHORITY, "http://vault.azure.net", TENANT, NOT_OWN},
		{C, AUTHORITY, "https://fabrikam.vault.azure.net", TENANT, NOT_OWN},
		{C, AUTHORITY, "", TENANT, NOT_OWN},
		{C, "https://login.example.org", KV, TENANT, NO_AUTHORITY},
		{C, "http://login.microsoftonline.com", KV, TENANT, NO_AUTHORITY},
		{C, "https://login.microsoftonline.com:8443", KV, TENANT, NO_AUTHORITY},
		{C, "https://x@login.microsoftonline.com", KV, TENANT, NO_AUTHORITY},
		{C, "https://login.microsoftonline.com@evil.example", KV, TENANT, NO_AUTHORITY},
		{C, "https://login.microsoftonline.com.evil.example", KV, TENANT, NO_AUTHORITY},
		{C, "", KV, TENANT, NO_AUTHORITY},
		{C, AUTHORITY, KV, "", "no tenant"},
		{C, AUTHORITY, KV, "a/b", "no tenant"},
		{C, AUTHORITY, KV, "a?b", "no tenant"},
	};
	struct azure_config config = plain_config();
	run_checks(rows, sizeof(rows) / sizeof(*rows), &config);
}

static void a_vault_of_a_further_suffix_gets_a_token_for_what_is_above_it(void **state)
{
	(void)state;
#define L "https://contoso.vault.localhost:8443/keys/k"
#define LOGIN "https://login.vault.localhost:8443"
	static const struct check rows[] = {
		{L, LOGIN, "https://vault.localhost", TENANT, NULL},
		{L, LOGIN, "https://vault.localhost:8443", TENANT, NULL},
		{L, AUTHORITY, "https://vault.localhost", TENANT, NULL},
		{"https://a.b.vault.localhost/keys/k", LOGIN, "https://b.vault.localhost", TENANT,
			NULL},
		{L, LOGIN, "https://localhost", TENANT, NOT_OWN},
		{L, LOGIN, "https://contoso.vault.localhost", TENANT, NOT_OWN},
		{L, LOGIN, "https://ault.localhost", TENANT, NOT_OWN},
		{L, LOGIN, KV, TENANT, NOT_OWN},
		{L, "https://login.vault.localhost", "https://vault.localhost", TENANT,
			NO_AUTHORITY},
		{C, LOGIN, KV, TENANT, NULL},
	};
	static const char *suffixes[] = {"vault.localhost"};
	struct azure_config config = plain_config();
	config.suffixes = suffixes;
	config.suffix_count = 1;
	config.identity.authority_host = LOGIN "/";
	run_checks(rows, sizeof(rows) / sizeof(*rows), &config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_challenge_is_read),
		cmocka_unit_test(what_is_no_bearer_challenge_is_none),
		cmocka_unit_test(claims_are_decoded_from_either_base64),
		cmocka_unit_test(a_vault_of_a_cloud_gets_that_clouds_token_from_a_known_authority),
		cmocka_unit_test(a_vault_of_a_further_suffix_gets_a_token_for_what_is_above_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
