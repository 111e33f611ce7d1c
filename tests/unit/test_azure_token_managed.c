// SPDX-License-Identifier: MIT
// Managed identities: exactly what each form of the service is asked, which identity is selected,
// and how long a service that is not ready is waited for.
#include "token_rig.h"

#define IMDS "http://169.254.169.254/metadata/identity/oauth2/token"
#define RESOURCE "resource=https%3A%2F%2Fvault.azure.net"
#define RESOURCE_ID "/subscriptions/s/resourcegroups/g/providers/p/userAssignedIdentities/disk 1"
#define RESOURCE_ID_SENT                                                                        \
	"%2Fsubscriptions%2Fs%2Fresourcegroups%2Fg%2Fproviders%2Fp%2FuserAssignedIdentities%2F" \
	"disk%201"
#define OBJECT "0b1ec700-0000-0000-0000-000000000000"

enum { BY_NOTHING, BY_CLIENT, BY_OBJECT, BY_RESOURCE, WAYS };

static void select_by(struct token_rig *r, int way)
{
	r->id->client_id = way == BY_CLIENT ? CLIENT : "";
	r->id->object_id = way == BY_OBJECT ? OBJECT : "";
	r->id->resource_id = way == BY_RESOURCE ? RESOURCE_ID : "";
}

static void prepare(struct token_rig *r)
{
	r->count = r->planned = 0;
	r->id->which = AZURE_MANAGED_IDENTITY;
	start(r, CMK_GRANTED);
}

// url[way] NULL: refused without asking.
static void check_ways(struct token_rig *r, const char *const url[WAYS], const char *header)
{
	for (int way = 0; way < WAYS; way++) {
		select_by(r, way);
		r->id->which = AZURE_MANAGED_IDENTITY;
		r->count = r->planned = 0;
		start(r, url[way] ? CMK_GRANTED : CMK_MISCONFIGURED);
		if (!url[way])
			continue;
		PLAN(r, 200, GRANT("1", "\"86400\""));
		assert_string_equal(get(r), TOKEN("1"));
		assert_string_equal(r->asked[0].method, "GET");
		assert_string_equal(r->asked[0].url, url[way]);
		assert_string_equal(r->asked[0].body, "");
		assert_true(r->asked[0].direct);
		require_header(&r->asked[0], header);
		assert_string_equal(r->asked[0].headers[1], "");
	}
}

static void imds_is_asked_with_its_header_and_selectors(void **state)
{
	struct token_rig *r = *state;
#define URL IMDS "?api-version=2018-02-01&" RESOURCE
	check_ways(r,
		(const char *const[]){URL, URL "&client_id=" CLIENT, URL "&object_id=" OBJECT,
			URL "&msi_res_id=" RESOURCE_ID_SENT},
		"Metadata: true");
#undef URL
	r->id->imds_host = "http://10.0.0.1:8080/";
	select_by(r, BY_NOTHING);
	prepare(r);
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
	assert_string_equal(r->asked[0].url, "http://10.0.0.1:8080/metadata/identity/oauth2/"
					     "token?api-version=2018-02-01&" RESOURCE);
	assert_string_equal(token_source_name(r->tokens),
		"managed identity of this machine (instance metadata)");
}

static void app_service_is_asked_with_its_header_and_selectors(void **state)
{
	struct token_rig *r = *state;
	r->id->identity_endpoint = "http://127.0.0.1:41/msi/token";
	r->id->identity_header = "header-secret";
#define URL "http://127.0.0.1:41/msi/token?api-version=2019-08-01&" RESOURCE
	check_ways(r,
		(const char *const[]){URL, URL "&client_id=" CLIENT, URL "&principal_id=" OBJECT,
			URL "&mi_res_id=" RESOURCE_ID_SENT},
		"X-IDENTITY-HEADER: header-secret");
#undef URL
	require_unsaid(r, "header-secret");
}

static void app_service_of_2017_is_asked_with_its_header_and_selector(void **state)
{
	struct token_rig *r = *state;
	r->id->msi_endpoint = "http://127.0.0.1:41/msi/token?a=b";
	r->id->msi_secret = "msi-secret";
#define URL "http://127.0.0.1:41/msi/token?a=b&api-version=2017-09-01&" RESOURCE
	check_ways(r, (const char *const[]){URL, URL "&clientid=" CLIENT, NULL, NULL},
		"secret: msi-secret");
#undef URL
	require_unsaid(r, "msi-secret");
	select_by(r, BY_NOTHING);
	prepare(r);
	PLAN(r, 200,
		"{\"access_token\":\"" TOKEN(
			"1") "\",\"expires_on\":\"1/15/2027 9:00:00 AM +00:00\"}");
	assert_non_null(get(r));
	pass(r, 3299);
	assert_non_null(get(r));
	pass(r, 301);
	PLAN(r, 200, GRANT("2", "\"3600\""));
	assert_string_equal(get(r), TOKEN("2"));
}

static void cloud_shell_is_asked_by_a_form_and_has_one_identity(void **state)
{
	struct token_rig *r = *state;
	r->id->msi_endpoint = "http://localhost:50342/oauth2/token";
	prepare(r);
	PLAN(r, 200, GRANT("1", "\"3600\""));
	assert_non_null(get(r));
	assert_string_equal(r->asked[0].method, "POST");
	assert_string_equal(r->asked[0].url, "http://localhost:50342/oauth2/token");
	assert_string_equal(r->asked[0].body, RESOURCE);
	assert_true(r->asked[0].direct);
	require_header(&r->asked[0], "Metadata: true");
	require_header(&r->asked[0], "Content-Type: application/x-www-form-urlencoded");
	for (int way = BY_CLIENT; way < WAYS; way++) {
		r->count = r->planned = 0;
		select_by(r, way);
		start(r, CMK_MISCONFIGURED);
		require_verdict(r, CMK_MISCONFIGURED, "Cloud Shell");
	}
}

static void service_fabric_is_said_not_to_be_supported(void **state)
{
	struct token_rig *r = *state;
	r->id->identity_endpoint = "https://localhost:2377/metadata/identity/oauth2/token";
	r->id->identity_header = "header-secret";
	r->id->identity_thumbprint = "00112233";
	start(r, CMK_MISCONFIGURED);
	require_verdict(r, CMK_MISCONFIGURED, "not supported");
	require_unsaid(r, "header-secret");
}

static void the_chain_looks_for_the_metadata_service_first(void **state)
{
	struct token_rig *r = *state;
	start(r, CMK_GRANTED);
	PLAN_FAILURE(r, HTTP_TIMEOUT);
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "not used: client secret (AZURE_CLIENT_SECRET is not");
	assert_int_equal(r->asked[0].timeout_ms, 1000);
	assert_string_equal(r->asked[0].headers[0], ""); // gives no token to anybody
	assert_true(r->asked[0].direct);
	PLAN(r, 400, "{\"error\":\"bad_request\"}");
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
	assert_int_equal(r->asked[2].timeout_ms, 0);
	PLAN(r, 200, GRANT("2", "\"86400\"")); // known to be there
	assert_non_null(get_want(r, &(struct token_want){VAULT, "", NULL, true}));
	// Who names it does not wonder whether it is there.
	r->id->token_credentials = "ManagedIdentityCredential";
	r->count = r->planned = 0;
	start(r, CMK_GRANTED);
	PLAN(r, 200, GRANT("3", "\"86400\""));
	assert_string_equal(get(r), TOKEN("3"));
}

static void a_managed_identity_has_no_tenant_to_choose(void **state)
{
	struct token_rig *r = *state;
	r->id->tenant_id = TENANT;
	prepare(r);
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get_want(r, &(struct token_want){VAULT, OTHER_TENANT, NULL, false}));
	assert_non_null(get_want(r, &(struct token_want){VAULT, TENANT, NULL, false}));
}

static void refusals_become_verdicts(void **state)
{
	struct token_rig *r = *state;
	static const struct {
		int status;
		const char *body;
		enum cmk_verdict verdict;
		const char *words;
	} cases[] = {
		{400,
			"{\"error\":\"invalid_request\",\"error_description\":\"Identity not "
			"found\"}",
			CMK_DENIED, "Identity not found"},
		{400,
			"{\"statusCode\":400,\"message\":\"No User Assigned or Delegated Managed "
			"Identity found for specified ClientId/ResourceId/PrincipalId.\"}",
			CMK_DENIED, "Delegated"},
		{400,
			"{\"StatusCode\":400,\"Message\":\"No MSI found for specified ClientId/"
			"ResourceId.\",\"CorrelationId\":\"C-7\"}",
			CMK_DENIED, "correlation id C-7"},
		{400, "{\"error\":\"unauthorized_client\"}", CMK_DENIED, "unauthorized_client"},
		{400,
			"{\"error\":\"invalid_request\",\"error_description\":\"Multiple user "
			"assigned "
			"identities exist\"}",
			CMK_MISCONFIGURED, "Multiple user assigned"},
		{400, "{\"error\":\"invalid_resource\"}", CMK_MISCONFIGURED, "invalid_resource"},
		{401, "{\"error\":\"unknown_source\"}", CMK_MISCONFIGURED, "unknown_source"},
		{400, "Bad Request", CMK_UNREACHABLE, "400"},
		{403, "<html>", CMK_UNREACHABLE, "403"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		prepare(r);
		PLAN(r, cases[i].status, cases[i].body);
		assert_null(get(r));
		require_verdict(r, cases[i].verdict, cases[i].words);
		assert_int_equal(r->slept_ms, 0);
	}
}

static void a_service_that_is_not_ready_is_waited_for_by_the_table(void **state)
{
	struct token_rig *r = *state;
	static const int statuses[] = {404, 408, 429, 500, 503};
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		prepare(r);
		r->host.time_left = 600000;
		r->slept_ms = 0;
		for (int k = 0; k < 5; k++)
			PLAN(r, statuses[i], "<html>");
		assert_null(get(r));
		require_verdict(r, CMK_UNREACHABLE, "HTTP status");
		assert_int_equal(r->slept_ms, 2000 + 6000 + 14000 + 30000);
	}
	prepare(r);
	r->slept_ms = 0;
	PLAN(r, 404, "");
	PLAN(r, 429, "", .retry_after = "9");
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
	assert_int_equal(r->slept_ms, 2000 + 9000);
}

static void an_update_of_the_service_is_waited_for_up_to_70_s(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	r->host.time_left = 600000;
	for (int k = 0; k < 8; k++)
		PLAN(r, 410, "");
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "being updated");
	assert_int_equal(r->slept_ms, 70000);
}

static void nothing_is_waited_for_beyond_the_callbacks_time(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	r->host.time_left = 8900; // 2 s, then 6 s would leave less than a second
	PLAN(r, 503, "");
	PLAN(r, 503, "");
	assert_null(get(r));
	assert_int_equal(r->slept_ms, 2000);
	assert_int_equal(r->o.retry_after_ms, 6000);
	prepare(r);
	r->host.time_left = 9000;
	PLAN(r, 410, "");
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "being updated");
	assert_int_equal(r->o.retry_after_ms, 10000);
	prepare(r);
	r->host.time_left = 600000;
	r->host.cancelled = 1;
	PLAN(r, 503, "");
	assert_null(get(r));
	assert_int_equal(r->slept_ms, 2000);
	r->host.cancelled = 0;
	// A token that still holds is not worth waiting for another.
	prepare(r);
	PLAN(r, 200, GRANT("1", "\"3600\""));
	assert_non_null(get(r));
	pass(r, 3300);
	PLAN(r, 503, "");
	assert_string_equal(get(r), TOKEN("1"));
	assert_int_equal(r->slept_ms, 2000);
}

static void an_application_that_the_identity_vouches_for_gets_the_token(void **state)
{
	struct token_rig *r = *state;
	r->id->federated_client_id = CLIENT;
	r->id->tenant_id = TENANT;
	prepare(r);
	PLAN(r, 200, GRANT("proof", "\"86400\""));
	PLAN(r, 200, GRANT("1", "3600"));
	assert_string_equal(
		get_want(r, &(struct token_want){VAULT, OTHER_TENANT, NULL, false}), TOKEN("1"));
	assert_string_equal(field(r->asked[0].url, "resource"), "api://AzureADTokenExchange");
	assert_string_equal(r->asked[1].url,
		"https://login.microsoftonline.com/" OTHER_TENANT "/oauth2/v2.0/token");
	assert_string_equal(field(r->asked[1].body, "client_assertion"), TOKEN("proof"));
	assert_string_equal(field(r->asked[1].body, "client_id"), CLIENT);
	assert_string_equal(field(r->asked[1].body, "scope"), VAULT "/.default");
	PLAN(r, 400,
		"{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}");
	assert_null(get_want(r, &(struct token_want){VAULT, OTHER_TENANT, NULL, true}));
	require_verdict(r, CMK_DENIED, "application " CLIENT " by the managed identity");
}

#define T(x) cmocka_unit_test_setup_teardown(x, token_rig_setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(imds_is_asked_with_its_header_and_selectors),
		T(app_service_is_asked_with_its_header_and_selectors),
		T(app_service_of_2017_is_asked_with_its_header_and_selector),
		T(cloud_shell_is_asked_by_a_form_and_has_one_identity),
		T(service_fabric_is_said_not_to_be_supported),
		T(the_chain_looks_for_the_metadata_service_first),
		T(a_managed_identity_has_no_tenant_to_choose),
		T(refusals_become_verdicts),
		T(a_service_that_is_not_ready_is_waited_for_by_the_table),
		T(an_update_of_the_service_is_waited_for_up_to_70_s),
		T(nothing_is_waited_for_beyond_the_callbacks_time),
		T(an_application_that_the_identity_vouches_for_gets_the_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
