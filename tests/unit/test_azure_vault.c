// SPDX-License-Identifier: MIT
// A signed-in call to a vault: the challenge before any secret, what each refused token leads to,
// which vault gets a token at all, and when "not found" is believed.
#include "azure_world.h"

#define TEST(f) cmocka_unit_test_setup_teardown(f, azure_world_setup, azure_world_teardown)
#define OTHER_TENANT "11111111-2222-3333-4444-555555555555"

static struct fake_tokens *const tokens = &azure_world.tokens;

static size_t requests(void)
{
	return http_script_requests(azure_world.script);
}

static void opening_asks_nothing(void **state)
{
	(void)state;
	azure_world_open("/" V1, "", "");
	assert_int_equal(http_script_connections(azure_world.script), 0);
	assert_int_equal(tokens->asked, 0);
}

static void require_not_opened(const char *url, const char *azure)
{
	static const char secret[] = "AZURE_CLIENT_SECRET=never-to-be-sent";
	static const char *const environment[] = {
		"AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", secret, NULL};
	struct azure_world *w = &azure_world;
	char config[400];
	(void)snprintf(config, sizeof(config), "{\"cmkdisk\":{\"azure\":{%s}}}", azure);
	const struct cmk_key_ref ref = {.struct_size = sizeof(ref),
		.key_url = url,
		.config = config,
		.disk = "data",
		.environment = environment};
	void *key = NULL;
	require_said(w->prov->open(&w->host.api, &ref, &key), CMK_MISCONFIGURED, CMK_REASON_NONE,
		"is not asked");
	assert_null(key);
	assert_int_equal(http_script_connections(w->script), 0);
	assert_int_equal(tokens->asked, 0);
	require_no_text(w->log, secret);
}

static void plain_http_is_refused_before_anything_is_sent(void **state)
{
	(void)state;
	char url[200];
	(void)snprintf(url, sizeof(url), "%s/keys/k", azure_world.origin);
	require_not_opened(url, "");
	require_not_opened(url, "\"httpLoopback\":true");
	require_not_opened(url, "\"vaultSuffixes\":[\"vault.localhost\"]");
	require_not_opened(url, "\"vaultSuffixes\":[\"vault.localhost\"],\"httpLoopback\":false");
	require_not_opened("http://contoso.vault.azure.net/keys/k", "\"httpLoopback\":true");
	require_not_opened("http://contoso.vault.example.org/keys/k",
		"\"vaultSuffixes\":[\"vault.example.org\"],\"httpLoopback\":true");
	require_not_opened("http://127.0.0.1.example.org/keys/k",
		"\"vaultSuffixes\":[\"example.org\"],\"httpLoopback\":true");
	// By https as ever: what allows a host to be asked is its name.
	require_not_opened("https://contoso.vault.example.org/keys/k", "\"httpLoopback\":true");
}

static void the_first_request_carries_neither_token_nor_body(void **state)
{
	(void)state;
	char value[200];
	azure_world_open("", "", "");
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	assert_int_equal(requests(), 2);
	const struct http_seen *first = http_script_seen(azure_world.script, 0);
	require_text(first->head, "POST /keys/disk-key/" V1 "/unwrapkey?api-version=7.4 HTTP/1.1");
	require_text(first->head, "Content-Length: 0\r\n");
	assert_int_equal(first->body_len, 0);
	assert_null(http_seen_header(first, "Authorization", value, sizeof(value)));
	const struct http_seen *second = http_script_seen(azure_world.script, 1);
	assert_non_null(http_seen_header(second, "Authorization", value, sizeof(value)));
	assert_string_equal(value, "Bearer token-1");
	assert_string_equal(second->body, "{\"alg\":\"RSA-OAEP-256\",\"value\":\"AQID_w\"}");
	assert_string_equal(tokens->want[0].resource, RESOURCE);
	assert_string_equal(tokens->want[0].tenant, TENANT);
	assert_false(tokens->want[0].fresh);
}

static void each_request_says_who_asks_and_has_an_id_of_its_own(void **state)
{
	(void)state;
	char value[200], id[2][64];
	azure_world_open("", "", "");
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	for (size_t i = 0; i < 2; i++) {
		const struct http_seen *q = http_script_seen(azure_world.script, i);
		assert_non_null(http_seen_header(q, "User-Agent", value, sizeof(value)));
		assert_string_equal(value, "cmkdisk/" CMKDISK_VERSION " (disk data)");
		assert_non_null(http_seen_header(q, "Accept", value, sizeof(value)));
		assert_string_equal(value, "application/json");
		assert_non_null(
			http_seen_header(q, "x-ms-client-request-id", id[i], sizeof(id[i])));
		assert_int_equal(strlen(id[i]), 36);
		require_text(azure_world.log, id[i]);
	}
	assert_string_not_equal(id[0], id[1]);
	require_text(azure_world.log, "unwrapKey");
	require_text(azure_world.log, "request req-1");
	assert_string_equal(azure_world.request_id, "req-1");
}

static void the_challenge_is_asked_for_once(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	for (int i = 0; i < 3; i++) {
		vault_result(V1, PLAIN32);
		assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	}
	assert_int_equal(requests(), 4);
}

static void no_token_goes_to_a_vault_that_asks_for_anothers(void **state)
{
	(void)state;
	static const char *const challenges[] = {
		CHALLENGE_OF(TENANT, "https://vault.azure.net"),
		CHALLENGE_OF(TENANT, "https://management.azure.com"),
		CHALLENGE_OF(TENANT, "https://localhost"),
		CHALLENGE_OF(TENANT, ""),
	};
	azure_world_open("", "", "");
	for (size_t i = 0; i < sizeof(challenges) / sizeof(*challenges); i++) {
		vault_says_with(401, challenges[i], UNAUTHORIZED);
		require_said(azure_world_unwrap(V1), CMK_MISCONFIGURED, CMK_REASON_NONE,
			"not its own to ask for");
		assert_int_equal(requests(), i + 1);
	}
	vault_says_with(401,
		"WWW-Authenticate: Bearer authorization=\"https://evil.example/" TENANT
		"\", resource=\"" RESOURCE "\"\r\n",
		"");
	require_said(
		azure_world_unwrap(V1), CMK_MISCONFIGURED, CMK_REASON_NONE, "no known authority");
	assert_int_equal(tokens->asked, 0);
}

static void what_does_not_ask_who_we_are_is_no_vault(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_result(V1, PLAIN32);
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE,
		"without asking who we are");
	vault_says(401, UNAUTHORIZED);
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE,
		"does not say where to sign in");
	vault_says_with(302, "Location: http://127.0.0.1:1/\r\n", "");
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "not followed");
	vault_says(403, FORBIDDEN("ForbiddenByFirewall"));
	require_said(
		azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_FORBIDDEN, "ForbiddenByFirewall");
	assert_int_equal(tokens->asked, 0);
}

static void a_redirect_of_a_signed_in_call_gets_no_token(void **state)
{
	(void)state;
	char location[120];
	scoped(http_script_free) struct http_script *other = http_script_new(NULL);
	azure_world_open("", "", "");
	vault_challenges();
	(void)snprintf(location, sizeof(location),
		"Location: http://contoso.vault.localhost:%u/\r\n", http_script_port(other));
	vault_says_with(307, location, "");
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "not followed");
	assert_int_equal(http_script_connections(other), 0);
}

static void a_refused_token_is_renewed_once_and_then_the_identity_is_denied(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	assert_int_equal(tokens->asked, 2);
	assert_true(tokens->want[1].fresh);
	require_text(request_head(2), "Authorization: Bearer token-2\r\n");

	vault_challenges();
	vault_challenges();
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_IDENTITY,
		"a fresh token of the client secret of application 1111 was refused");
	assert_int_equal(requests(), 5);
	// Then all is asked anew, from the challenge on.
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	require_no_text(request_head(5), "Authorization");
}

static void a_refused_identity_is_looked_up_anew_and_a_disabled_key_is_not(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says(403, FORBIDDEN("KeyDisabled"));
	assert_int_equal(azure_world_unwrap(V1), CMK_DENIED);
	assert_int_equal(tokens->doubted, 0);
	vault_says(403, FORBIDDEN("ForbiddenByRbac"));
	assert_int_equal(azure_world_unwrap(V1), CMK_DENIED);
	assert_int_equal(tokens->doubted, 1);
}

static void an_empty_401_of_a_managed_hsm_is_the_same(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	http_script_reply(azure_world.script, 401, CHALLENGE, "");
	http_script_reply(azure_world.script, 401, CHALLENGE, "");
	http_script_reply(azure_world.script, 401, CHALLENGE, "");
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_IDENTITY, "was refused");
}

#define CLAIMS_CHALLENGE                                                       \
	"WWW-Authenticate: Bearer realm=\"\", error=\"insufficient_claims\", " \
	"claims=\"eyJhIjoxfQ==\"\r\n"

static void claims_are_asked_for_once(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says_with(401, CLAIMS_CHALLENGE, "");
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	assert_string_equal(tokens->want[0].claims, "");
	assert_string_equal(tokens->want[1].claims, "{\"a\":1}");
	assert_string_equal(tokens->want[1].resource, RESOURCE);
	assert_string_equal(tokens->want[1].tenant, TENANT);
	// The next question does not repeat them of itself.
	vault_says_with(401, CLAIMS_CHALLENGE, "");
	vault_says_with(401, CLAIMS_CHALLENGE, "");
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_IDENTITY, "401");
	assert_string_equal(tokens->want[2].claims, "");
	assert_int_equal(requests(), 5);
}

static void a_vault_that_moved_to_another_tenant_is_followed_once(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says_with(401, CHALLENGE_OF(OTHER_TENANT, RESOURCE), UNAUTHORIZED);
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	assert_string_equal(tokens->want[1].tenant, OTHER_TENANT);
	// Back and forth is no way to find one.
	vault_says_with(401, CHALLENGE, UNAUTHORIZED);
	vault_says_with(401, CHALLENGE_OF(OTHER_TENANT, RESOURCE), UNAUTHORIZED);
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_IDENTITY, "401");
	assert_int_equal(requests(), 5);
}

static void a_moved_vault_that_asks_for_anothers_token_gets_none(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says_with(401, CHALLENGE_OF(OTHER_TENANT, "https://vault.azure.net"), UNAUTHORIZED);
	require_said(azure_world_unwrap(V1), CMK_MISCONFIGURED, CMK_REASON_NONE, "not its own");
	assert_int_equal(tokens->asked, 1);
}

static void an_unknown_signing_key_is_an_outage(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says_with(401, CHALLENGE,
		"{\"error\":{\"code\":\"Unauthorized\",\"message\":\"AKV10046: Unable to "
		"resolve\"}}");
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "signed our token");
	assert_int_equal(tokens->asked, 1);
}

static void without_a_token_nothing_more_is_asked(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	tokens->verdict = CMK_DENIED;
	vault_challenges();
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_IDENTITY, "no token");
	require_text(azure_world.host.sentence, "/keys/disk-key: no token");
	assert_int_equal(requests(), 1);
}

static void a_throttled_question_passes_the_wish_on(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says_with(429, "Retry-After: 9\r\n",
		"{\"error\":{\"code\":\"Throttled\",\"message\":\"m\"}}");
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "too many requests");
	assert_int_equal(azure_world.retry_after, 9000);
}

static void a_key_that_never_answered_is_deleted_at_once(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_DELETED,
		"recovered seconds ago may need another try");
}

static void a_key_that_answered_is_deleted_only_when_still_missing(void **state)
{
	(void)state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE,
		"still missing 15 s after");
	assert_int_equal(azure_world.retry_after, 15000);
	azure_world.clock += 14999;
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "KeyNotFound");
	assert_int_equal(azure_world.retry_after, 1);
	azure_world.clock += 1;
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_DELETED, "404 KeyNotFound");
	// Seen again, it begins anew.
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_UNREACHABLE, CMK_REASON_NONE, "KeyNotFound");
}

static void asking_for_attributes_between_does_not_delay_it(void **state)
{
	(void)state;
	azure_world_open("", ",\"confirmAfter\":\"1s\"", "");
	vault_challenges();
	vault_result(V1, PLAIN32);
	assert_int_equal(azure_world_unwrap(V1), CMK_GRANTED);
	vault_says(404, NOT_FOUND);
	assert_int_equal(azure_world_unwrap(V1), CMK_UNREACHABLE);
	azure_world.clock += 600;
	vault_says(404, NOT_FOUND);
	assert_int_equal(azure_world_describe(""), CMK_UNREACHABLE);
	azure_world.clock += 600;
	vault_says(404, NOT_FOUND);
	require_said(azure_world_unwrap(V1), CMK_DENIED, CMK_REASON_DELETED, "KeyNotFound");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opening_asks_nothing),
		TEST(plain_http_is_refused_before_anything_is_sent),
		TEST(the_first_request_carries_neither_token_nor_body),
		TEST(each_request_says_who_asks_and_has_an_id_of_its_own),
		TEST(the_challenge_is_asked_for_once),
		TEST(no_token_goes_to_a_vault_that_asks_for_anothers),
		TEST(what_does_not_ask_who_we_are_is_no_vault),
		TEST(a_redirect_of_a_signed_in_call_gets_no_token),
		TEST(a_refused_token_is_renewed_once_and_then_the_identity_is_denied),
		TEST(a_refused_identity_is_looked_up_anew_and_a_disabled_key_is_not),
		TEST(an_empty_401_of_a_managed_hsm_is_the_same),
		TEST(claims_are_asked_for_once),
		TEST(a_vault_that_moved_to_another_tenant_is_followed_once),
		TEST(a_moved_vault_that_asks_for_anothers_token_gets_none),
		TEST(an_unknown_signing_key_is_an_outage),
		TEST(without_a_token_nothing_more_is_asked),
		TEST(a_throttled_question_passes_the_wish_on),
		TEST(a_key_that_never_answered_is_deleted_at_once),
		TEST(a_key_that_answered_is_deleted_only_when_still_missing),
		TEST(asking_for_attributes_between_does_not_delay_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
