// SPDX-License-Identifier: MIT
// Signing in as an application: which credential is chosen, exactly what Entra is asked, which
// tenant, and what its refusals come to.
#include "token_rig.h"

#include <sys/stat.h>

static void a_client_secret_is_posted_to_the_tenants_token_url(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	start(r, CMK_GRANTED);
	assert_string_equal(token_source_name(r->tokens), "client secret of application " CLIENT);
	PLAN(r, 200, GRANT("1", "3599"));
	assert_string_equal(get(r), TOKEN("1"));
	const struct asked *a = &r->asked[0];
	assert_string_equal(a->method, "POST");
	assert_string_equal(a->url, ENTRA_URL);
	assert_false(a->direct);
	require_header(a, "Content-Type: application/x-www-form-urlencoded");
	require_header(a, "Accept: application/json");
	assert_string_equal(field(a->body, "grant_type"), "client_credentials");
	assert_string_equal(field(a->body, "client_id"), CLIENT);
	assert_string_equal(field(a->body, "client_secret"), SECRET);
	assert_string_equal(field(a->body, "scope"), VAULT "/.default");
	assert_string_equal(
		field(a->body, "claims"), "{\"access_token\":{\"xms_cc\":{\"values\":[\"CP1\"]}}}");
	assert_null(strstr(a->body, SECRET));
	require_unsaid(r, SECRET);
}

static void a_scope_in_the_resources_place_is_understood(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	start(r, CMK_GRANTED);
	PLAN(r, 200, GRANT("1", "3599"));
	assert_non_null(get_want(r, &(struct token_want){.resource = VAULT "/.default"}));
	assert_string_equal(field(r->asked[0].body, "scope"), VAULT "/.default");
	assert_non_null(get(r)); // the same token
	assert_null(get_want(r, &(struct token_want){.resource = ""}));
	require_verdict(r, CMK_UNREACHABLE, "empty");
}

static void the_chain_takes_the_first_that_is_complete(void **state)
{
	struct token_rig *r = *state;
	r->id->tenant_id = TENANT;
	r->id->client_id = CLIENT;
	start(r, CMK_GRANTED);
	assert_string_equal(token_source_name(r->tokens),
		"managed identity client id " CLIENT " (instance metadata)");
	r->id->token_file = r->file;
	start(r, CMK_GRANTED);
	assert_string_equal(
		token_source_name(r->tokens), "workload identity of application " CLIENT);
	r->id->certificate_path = r->file;
	start(r, CMK_GRANTED);
	assert_string_equal(
		token_source_name(r->tokens), "client certificate of application " CLIENT);
	r->id->client_secret = SECRET;
	start(r, CMK_GRANTED);
	assert_string_equal(token_source_name(r->tokens), "client secret of application " CLIENT);
	r->id->which = AZURE_WORKLOAD_IDENTITY;
	start(r, CMK_GRANTED);
	assert_string_equal(
		token_source_name(r->tokens), "workload identity of application " CLIENT);
}

static void the_variable_that_narrows_the_chain_is_heeded(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	r->id->token_file = r->file;
	static const struct {
		const char *value, *name; // "": misconfigured
	} cases[] = {
		{"prod", "client secret"},
		{"PROD", "client secret"},
		{"EnvironmentCredential", "client secret"},
		{"workloadidentitycredential", "workload identity"},
		{"ManagedIdentityCredential", "managed identity"},
		{"dev", ""},
		{"AzureCliCredential", ""},
		{"nonsense", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r->id->token_credentials = cases[i].value;
		start(r, *cases[i].name ? CMK_GRANTED : CMK_MISCONFIGURED);
		if (*cases[i].name)
			assert_ptr_equal(strstr(token_source_name(r->tokens), cases[i].name),
				token_source_name(r->tokens));
		else
			require_verdict(r, CMK_MISCONFIGURED, "AZURE_TOKEN_CREDENTIALS");
	}
	r->id->token_credentials = "EnvironmentCredential";
	r->id->tenant_id = "";
	start(r, CMK_MISCONFIGURED);
	require_verdict(r, CMK_MISCONFIGURED, "client secret (AZURE_TENANT_ID is not set)");
	require_unsaid(r, SECRET);
}

static void what_was_passed_over_is_told_when_the_last_step_fails(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	r->id->tenant_id = "";
	start(r, CMK_GRANTED);
	assert_int_equal(r->host.warnings, 1);
	assert_non_null(strstr(r->log, "client secret is passed over because AZURE_TENANT_ID"));
	PLAN_FAILURE(r, HTTP_NO_CONNECTION);
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "client secret (AZURE_TENANT_ID is not set)");
	require_verdict(r, CMK_UNREACHABLE, "workload identity (AZURE_FEDERATED_TOKEN_FILE is not");
	assert_int_equal(r->asked[0].timeout_ms, 1000);
	require_unsaid(r, SECRET);
}

static void a_key_sets_credential_that_is_not_complete_is_told(void **state)
{
	struct token_rig *r = *state;
	r->id->which = AZURE_CLIENT_CERTIFICATE;
	r->id->client_id = CLIENT;
	start(r, CMK_MISCONFIGURED);
	require_verdict(r, CMK_MISCONFIGURED, "AZURE_CLIENT_CERTIFICATE_PATH");
	r->id->certificate_path = r->file;
	r->id->client_id = "";
	start(r, CMK_MISCONFIGURED);
	require_verdict(r, CMK_MISCONFIGURED, "AZURE_CLIENT_ID");
}

static void another_tenant_than_ours_is_refused_unless_allowed(void **state)
{
	struct token_rig *r = *state;
	const struct token_want other = {.resource = VAULT, .tenant = OTHER_TENANT};
	use_secret(r);
	start(r, CMK_GRANTED);
	static const char *const lists[] = {NULL, "", "a;b", OTHER_TENANT "0", "9*", "*9"};
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		r->id->allowed_tenants = lists[i];
		assert_null(get_want(r, &other));
		require_verdict(r, CMK_MISCONFIGURED, OTHER_TENANT);
	}
	static const char *const allowing[] = {"a; " OTHER_TENANT ";", "*"};
	for (size_t i = 0; i < sizeof(allowing) / sizeof(*allowing); i++) {
		start(r, CMK_GRANTED);
		r->id->allowed_tenants = allowing[i];
		PLAN(r, 200, GRANT("1", "3599"));
		assert_non_null(get_want(r, &other));
		assert_string_equal(r->asked[0].url,
			"https://login.microsoftonline.com/" OTHER_TENANT "/oauth2/v2.0/token");
		r->count = r->planned = 0;
	}
}

static void without_a_tenant_of_our_own_the_vaults_serves(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	r->id->which = AZURE_CLIENT_SECRET;
	r->id->tenant_id = "";
	start(r, CMK_GRANTED);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "AZURE_TENANT_ID");
	PLAN(r, 200, GRANT("1", "3599"));
	assert_non_null(get_want(r, &(struct token_want){VAULT, TENANT, NULL, false}));
	assert_string_equal(r->asked[0].url, ENTRA_URL);
	assert_null(get_want(r, &(struct token_want){VAULT, "../../evil", NULL, false}));
	require_verdict(r, CMK_MISCONFIGURED, "GUID or a domain name");
}

static void the_authority_must_be_https(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	start(r, CMK_GRANTED);
	static const char *const bad[] = {"http://login.microsoftonline.com", "login.example.com",
		"", "https://a@b", "https://a?b=", "ftp://login.microsoftonline.com"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		r->id->authority_host = bad[i];
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "authority host");
	}
	r->id->authority_host = "https://login.microsoftonline.com//";
	PLAN(r, 200, GRANT("1", "3599"));
	assert_non_null(get(r));
	assert_string_equal(r->asked[0].url, ENTRA_URL);
	// Loopback is http_do()'s to check; here it is only let through.
	r->config.http_loopback = true;
	r->id->authority_host = "http://127.0.0.1:8080";
	PLAN(r, 200, GRANT("2", "3599"));
	assert_non_null(get_want(r, &(struct token_want){VAULT, "", NULL, true}));
}

static void claims_are_merged_with_our_capability(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	start(r, CMK_GRANTED);
	PLAN(r, 200, GRANT("1", "3599"));
	assert_string_equal(get(r), TOKEN("1"));
	static const struct {
		const char *wanted, *sent;
	} cases[] = {
		{"{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1604106651\"}}}",
			"{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1604106651\"},"
			"\"xms_cc\":{\"values\":[\"CP1\"]}}}"},
		{"{\"id_token\":{}}",
			"{\"id_token\":{},\"access_token\":{\"xms_cc\":{\"values\":[\"CP1\"]}}}"},
		{"{\"access_token\":{\"xms_cc\":{\"values\":[\"x\"]}}}",
			"{\"access_token\":{\"xms_cc\":{\"values\":[\"x\"]}}}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		PLAN(r, 200, GRANT("2", "3599"));
		assert_string_equal(
			get_want(r, &(struct token_want){VAULT, "", cases[i].wanted, false}),
			TOKEN("2"));
		assert_string_equal(field(r->asked[i + 1].body, "claims"), cases[i].sent);
	}
	assert_string_equal(get(r), TOKEN("2")); // what satisfies the claims is kept
	static const char *const bad[] = {"", "[]", "{", "{\"access_token\":7}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_null(get_want(r, &(struct token_want){VAULT, "", bad[i], false}));
		require_verdict(r, CMK_UNREACHABLE, "claims");
	}
}

static void renew_file(struct token_rig *r)
{
	put_file(r, r->file, "second.assertion.x\n");
}

static void a_workloads_token_file_is_read_again_for_each_request(void **state)
{
	struct token_rig *r = *state;
	r->id->tenant_id = TENANT;
	r->id->client_id = CLIENT;
	r->id->token_file = r->file;
	start(r, CMK_GRANTED);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, r->file);
	put_file(r, r->file, "");
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "empty");
	put_file(r, r->file, "first.assertion.x\n");
	PLAN(r, 200, GRANT("1", "3599"));
	assert_non_null(get(r));
	assert_string_equal(field(r->asked[0].body, "client_assertion"), "first.assertion.x");
	assert_string_equal(field(r->asked[0].body, "client_assertion_type"),
		"urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	assert_string_equal(field(r->asked[0].body, "client_secret"), "");
	// Refused, but replaced meanwhile: asked once more.
	PLAN(r, 401, "{\"error\":\"invalid_client\"}", .meanwhile = renew_file);
	PLAN(r, 200, GRANT("2", "3599"));
	assert_non_null(get_want(r, &(struct token_want){VAULT, "", NULL, true}));
	assert_string_equal(field(r->asked[2].body, "client_assertion"), "second.assertion.x");
	// Refused and the same as before: that is the answer.
	PLAN(r, 401, "{\"error\":\"invalid_client\"}");
	assert_null(get_want(r, &(struct token_want){VAULT, "", NULL, true}));
	require_verdict(r, CMK_DENIED, "workload identity");
	require_unsaid(r, "second.assertion");
}

static void entras_refusals_become_verdicts_by_their_code(void **state)
{
	struct token_rig *r = *state;
	static const struct {
		int status;
		const char *body;
		enum cmk_verdict verdict;
		const char *words;
	} cases[] = {
		{401,
			"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS1: "
			"no.\\r\\nTrace\","
			"\"trace_id\":\"T-1\",\"correlation_id\":\"C-1\"}",
			CMK_DENIED, "; it says: AADSTS1: no, trace id T-1, correlation id C-1"},
		{400, "{\"error\":\"unauthorized_client\"}", CMK_DENIED, "unauthorized_client"},
		{400, "{\"error\":\"invalid_grant\"}", CMK_DENIED, "invalid_grant"},
		{400, "{\"error\":\"invalid_request\"}", CMK_MISCONFIGURED, "invalid_request"},
		{400, "{\"error\":\"invalid_scope\",\"error_description\":\"invalid_client\"}",
			CMK_MISCONFIGURED, "invalid_scope"},
		{400, "{\"error\":\"invalid_resource\"}", CMK_MISCONFIGURED, "invalid_resource"},
		{400, "{\"error\":\"temporarily_unavailable\"}", CMK_UNREACHABLE, "temporarily"},
		{400, "{\"error\":\"server_error\"}", CMK_UNREACHABLE, "server_error"},
		{429, "{\"error\":\"invalid_client\"}", CMK_UNREACHABLE, "429"},
		{503, "{\"error\":\"invalid_client\"}", CMK_UNREACHABLE, "503"},
		{401, "<html>invalid_client</html>", CMK_UNREACHABLE, "401"},
		{400, "", CMK_UNREACHABLE, "400"},
		{400, "{\"error\":{\"code\":\"invalid_client\"}}", CMK_UNREACHABLE, "400"},
		{403, "{}", CMK_UNREACHABLE, "403"},
		{302, "", CMK_UNREACHABLE, "redirection"},
		{204, "", CMK_UNREACHABLE, "204"},
	};
	use_secret(r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r->count = r->planned = 0;
		start(r, CMK_GRANTED);
		PLAN(r, cases[i].status, cases[i].body, .retry_after = "7");
		assert_null(get(r));
		require_verdict(r, cases[i].verdict, cases[i].words);
		require_verdict(r, cases[i].verdict, "client secret of application " CLIENT);
		assert_int_equal(r->o.retry_after_ms, 7000);
		assert_string_equal(r->o.request_id, "request-1");
		assert_null(strpbrk(r->o.err.text, "\r\n"));
	}
}

static void a_token_file_that_others_may_write_is_refused(void **state)
{
	struct token_rig *r = *state;
	r->id->tenant_id = TENANT;
	r->id->client_id = CLIENT;
	r->id->token_file = r->file;
	put_file(r, r->file, "an.assertion.x\n");
	start(r, CMK_GRANTED);
	static const mode_t bad[] = {0620, 0602, 0666};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(chmod(r->file, bad[i]), 0);
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "chmod go-w it");
	}
	assert_int_equal(chmod(r->file, 0644), 0);
	PLAN(r, 200, GRANT("1", "3600"));
	assert_string_equal(get(r), TOKEN("1"));
}

#define T(x) cmocka_unit_test_setup_teardown(x, token_rig_setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_client_secret_is_posted_to_the_tenants_token_url),
		T(a_scope_in_the_resources_place_is_understood),
		T(the_chain_takes_the_first_that_is_complete),
		T(the_variable_that_narrows_the_chain_is_heeded),
		T(what_was_passed_over_is_told_when_the_last_step_fails),
		T(a_key_sets_credential_that_is_not_complete_is_told),
		T(another_tenant_than_ours_is_refused_unless_allowed),
		T(without_a_tenant_of_our_own_the_vaults_serves),
		T(the_authority_must_be_https),
		T(claims_are_merged_with_our_capability),
		T(a_workloads_token_file_is_read_again_for_each_request),
		T(entras_refusals_become_verdicts_by_their_code),
		T(a_token_file_that_others_may_write_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
