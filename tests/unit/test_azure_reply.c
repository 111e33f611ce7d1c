// SPDX-License-Identifier: MIT
// From what a vault answers to the verdict, reason and sentence: one row for each answer that is
// known of the service, and for those that others give in its place.
#include "azure_fixture.h"
#include "azure_reply.h"

#include <stdlib.h>

#define KEY "https://contoso.vault.azure.net/keys/disk-key/" V1
#define JSON "application/json; charset=utf-8"
#define ERROR(code, message) "{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define INNER(inner, message)                                                            \
	"{\"error\":{\"code\":\"Forbidden\",\"message\":\"" message "\",\"innererror\":" \
	"{\"code\":\"" inner "\"}}}"
#define HTML "<html><body>Forbidden</body></html>"

enum op { WRAP, UNWRAP, GET };

struct row {
	enum op op;
	int status;
	const char *type, *body;
	enum cmk_verdict verdict;
	enum cmk_reason reason;
	const char *says; // part of the sentence
};

static const char key_not_found[] = ERROR("KeyNotFound",
	"A key with (name/id) disk-key was not found in this key vault. If you recently deleted "
	"this key you may be able to recover it");

static const struct row rows[] = {
	{UNWRAP, 401, JSON, ERROR("Unauthorized", "AKV10000: Request is missing a Bearer token."),
		CMK_DENIED, CMK_REASON_IDENTITY, "401 Unauthorized"},
	{UNWRAP, 401, JSON, ERROR("Unauthorized", "AKV10032: Invalid issuer. Expected one of x"),
		CMK_DENIED, CMK_REASON_IDENTITY, "AKV10032"},
	{UNWRAP, 401, JSON, ERROR("Unauthorized", "AKV10046: Unable to resolve the key"),
		CMK_UNREACHABLE, CMK_REASON_NONE, "does not yet know the key that signed"},
	{UNWRAP, 401, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 403, JSON, INNER("KeyDisabled", "Operation unwrapKey is not allowed"), CMK_DENIED,
		CMK_REASON_DISABLED, "403 Forbidden/KeyDisabled"},
	{WRAP, 403, JSON, INNER("KeyOperationForbidden", "Operation is not permitted"), CMK_DENIED,
		CMK_REASON_NOT_PERMITTED, "key_ops"},
	{UNWRAP, 403, JSON, INNER("ForbiddenByPolicy", "does not have keys unwrapKey permission"),
		CMK_DENIED, CMK_REASON_FORBIDDEN, "access policy"},
	{UNWRAP, 403, JSON, INNER("AccessDenied", "does not have"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "access policy"},
	{UNWRAP, 403, JSON, INNER("ForbiddenByRbac", "Caller is\\r\\nnot authorized"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "Crypto Service Encryption User"},
	{UNWRAP, 403, JSON, INNER("ForbiddenByFirewall", "Client address"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "network rules"},
	{UNWRAP, 403, JSON, INNER("ForbiddenByConnection", "Public network"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "network rules"},
	{WRAP, 403, JSON, INNER("KeyExpired", "expired"), CMK_DENIED, CMK_REASON_NOT_PERMITTED,
		"expired"},
	{WRAP, 403, JSON, INNER("KeyNotYetValid", "early"), CMK_DENIED, CMK_REASON_NOT_PERMITTED,
		"not yet valid"},
	{WRAP, 403, JSON, INNER("SomethingNew", "A reason\\r\\nof 2031"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "'A reason of 2031'"},
	{WRAP, 403, JSON, ERROR("Forbidden", "Operation not allowed now"), CMK_DENIED,
		CMK_REASON_FORBIDDEN, "'Operation not allowed now'"},
	{UNWRAP, 403, JSON,
		"{\"error\":{\"code\":\"Forbidden\",\"message\":\"m\",\"innererror\":null}}",
		CMK_DENIED, CMK_REASON_FORBIDDEN, "'m'"},
	{UNWRAP, 403, JSON, ERROR("AccessDenied", "older form"), CMK_DENIED, CMK_REASON_FORBIDDEN,
		"'older form'"},
	{UNWRAP, 403, JSON, ERROR("WAFBlocked", "by rule 7"), CMK_UNREACHABLE, CMK_REASON_NONE,
		"not a vault's own answer"},
	{UNWRAP, 403, JSON,
		"{\"error\":{\"code\":\"RequestBlocked\",\"message\":\"m\",\"innererror\":"
		"{\"code\":\"KeyDisabled\"}}}",
		CMK_UNREACHABLE, CMK_REASON_NONE, "403 RequestBlocked"},
	{UNWRAP, 401, JSON, ERROR("AuthenticationRequired", "sign in at the gateway"),
		CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 401, JSON, ERROR("Other", "AKV10001: Malformed token"), CMK_DENIED,
		CMK_REASON_IDENTITY, "AKV10001"},
	{UNWRAP, 403, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "text/html"},
	{UNWRAP, 403, "text/html", INNER("KeyDisabled", "x"), CMK_UNREACHABLE, CMK_REASON_NONE,
		"not a vault's own answer"},
	{UNWRAP, 403, JSON, "", CMK_UNREACHABLE, CMK_REASON_NONE, "0 bytes"},
	{UNWRAP, 403, JSON, "{\"message\":\"blocked\"}", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 403, JSON, "{\"error\":\"KeyDisabled\"}", CMK_UNREACHABLE, CMK_REASON_NONE,
		"proxy"},
	{UNWRAP, 403, JSON, "{\"error\":{\"code\":\"Forbidden\"", CMK_UNREACHABLE, CMK_REASON_NONE,
		"proxy"},
	{UNWRAP, 403, JSON, ERROR("  ", "blank"), CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 403, JSON, ERROR("Forbidden", "\xc3\xa9 1"), CMK_DENIED, CMK_REASON_FORBIDDEN,
		"? 1'"},
	{UNWRAP, 404, JSON, key_not_found, CMK_DENIED, CMK_REASON_DELETED, "404 KeyNotFound"},
	{UNWRAP, 404, JSON, ERROR("VaultNotFound", "no such vault"), CMK_UNREACHABLE,
		CMK_REASON_NONE, "no such vault"},
	{UNWRAP, 404, JSON, ERROR("NotFound", "x"), CMK_UNREACHABLE, CMK_REASON_NONE,
		"says nothing about the key"},
	{UNWRAP, 404, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 404, JSON, "", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 408, "", "", CMK_UNREACHABLE, CMK_REASON_NONE, "too slow"},
	{UNWRAP, 409, JSON, ERROR("ConflictError", "x"), CMK_UNREACHABLE, CMK_REASON_NONE,
		"under way"},
	{UNWRAP, 429, JSON, ERROR("Throttled", "Request was not processed"), CMK_UNREACHABLE,
		CMK_REASON_NONE, "429 Throttled"},
	{UNWRAP, 429, "", "", CMK_UNREACHABLE, CMK_REASON_NONE, "too many requests"},
	{UNWRAP, 400, JSON, ERROR("BadParameter", "Error occurred while decoding OAEP padding."),
		CMK_BAD_BLOB, CMK_REASON_NONE, "decoding OAEP padding"},
	{WRAP, 400, JSON, ERROR("BadParameter", "Property  has invalid value\\r\\n"),
		CMK_MISCONFIGURED, CMK_REASON_NONE, "400 BadParameter"},
	{UNWRAP, 400, JSON, ERROR("BadRequest", "api-version is not supported"), CMK_MISCONFIGURED,
		CMK_REASON_NONE, "apiVersion"},
	{UNWRAP, 400, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 400, JSON, "[]", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 405, JSON, ERROR("MethodNotAllowed", "x"), CMK_MISCONFIGURED, CMK_REASON_NONE,
		"405"},
	{UNWRAP, 405, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 500, JSON, ERROR("InternalError", "x"), CMK_UNREACHABLE, CMK_REASON_NONE,
		"500 InternalError"},
	{UNWRAP, 502, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "fault"},
	{UNWRAP, 503, "", "", CMK_UNREACHABLE, CMK_REASON_NONE, "503"},
	{UNWRAP, 503, JSON, INNER("KeyDisabled", "x"), CMK_UNREACHABLE, CMK_REASON_NONE, "503"},
	{UNWRAP, 302, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "not followed"},
	{UNWRAP, 307, JSON, "{}", CMK_UNREACHABLE, CMK_REASON_NONE, "not followed"},
	{UNWRAP, 204, "", "", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 200, "text/html", HTML, CMK_UNREACHABLE, CMK_REASON_NONE, "sign-in page"},
	{UNWRAP, 200, "text/html", "{\"value\":\"x\"}", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 200, "application/jsonx", "{}", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 200, JSON, "", CMK_UNREACHABLE, CMK_REASON_NONE, "0 bytes"},
	{UNWRAP, 200, JSON, "{\"value\":\"ab", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 200, JSON, "[]", CMK_UNREACHABLE, CMK_REASON_NONE, "proxy"},
	{UNWRAP, 200, "APPLICATION/JSON", "{\"value\":\"ab\"}", CMK_GRANTED, CMK_REASON_NONE, ""},
	{GET, 200, JSON, "{}", CMK_GRANTED, CMK_REASON_NONE, ""},
};

struct result {
	struct kp_outcome o;
	struct azure_error e;
	bool tree;
};

static struct result judge_with(const struct row *row, const struct azure_config *config,
	const char *retry_after, enum http_failure failure, const char *challenge)
{
	static const char *const names[] = {"wrapKey", "unwrapKey", "get"};
	const struct azure_asked asked = {.operation = names[row->op],
		.key = KEY,
		.identity = "client secret of application 1111",
		.unwrap = row->op == UNWRAP,
		.now = 1800000000};
	struct http_reply reply = {.failure = failure,
		.status = row->status,
		.request_id = "req-7",
		.body = strdup(row->body),
		.len = strlen(row->body),
		.www_authenticate = challenge ? strdup(challenge) : NULL,
		.err = {"what the network said"}};
	struct result r = {.tree = false};
	scoped(kp_json_free) struct kp_json *tree = NULL;
	(void)snprintf(reply.content_type, sizeof(reply.content_type), "%s", row->type);
	(void)snprintf(reply.retry_after, sizeof(reply.retry_after), "%s", retry_after);
	enum cmk_verdict v = azure_reply_judge(&asked, config, &reply, &tree, &r.e, &r.o);
	assert_int_equal(v, r.o.verdict);
	assert_int_equal(v == CMK_GRANTED, tree != NULL);
	kp_json_free(&tree);
	free(reply.body);
	free(reply.www_authenticate);
	return r;
}

static struct result judge(const struct row *row, const struct azure_config *config,
	const char *retry_after, enum http_failure failure)
{
	return judge_with(row, config, retry_after, failure, NULL);
}

static void every_known_answer_has_its_verdict_reason_and_sentence(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct result r = judge(row, &config, "", HTTP_OK);
		if (r.o.verdict != row->verdict || r.o.reason != row->reason)
			fail_msg("row %zu (%d %s): verdict %d reason %d: %s", i, row->status,
				row->body, r.o.verdict, r.o.reason, r.o.err.text);
		assert_string_equal(r.o.request_id, "req-7");
		require_text(r.o.err.text, row->says);
		require_no_text(r.o.err.text, "\r");
		if (r.o.verdict == CMK_GRANTED)
			continue;
		// Names key, vault, operation, status and the vault's id, and fits what hosts keep.
		char status[8];
		(void)snprintf(status, sizeof(status), " %d", row->status);
		require_text(r.o.err.text, KEY);
		require_text(r.o.err.text, row->op == WRAP ? ": wrapKey: " : ": unwrapKey: ");
		require_text(r.o.err.text, status);
		require_text(r.o.err.text, "request req-7");
		assert_in_range(strlen(r.o.err.text), 1, 500);
	}
}

static void only_a_vaults_own_challenge_refuses_the_identity(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	static const struct {
		const char *header;
		enum cmk_verdict verdict;
	} challenges[] = {
		{"Bearer authorization=\"https://login.microsoftonline.com/x\", "
		 "resource=\"https://vault.azure.net\"",
			CMK_DENIED},
		{"Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"",
			CMK_DENIED},
		{"Bearer realm=\"the gateway\"", CMK_UNREACHABLE},
		{"Negotiate", CMK_UNREACHABLE},
		{"Negotiate YIIB", CMK_UNREACHABLE},
		{"Basic realm=\"the gateway\"", CMK_UNREACHABLE},
		{"", CMK_UNREACHABLE},
	};
	const struct row html = {.op = UNWRAP, .status = 401, .type = "text/html", .body = HTML};
	const struct row empty = {.op = UNWRAP, .status = 401, .type = "", .body = ""};
	for (size_t i = 0; i < sizeof(challenges) / sizeof(*challenges); i++) {
		const char *header = challenges[i].header;
		struct result a = judge_with(&html, &config, "", HTTP_OK, header);
		struct result b = judge_with(&empty, &config, "", HTTP_OK, header);
		if (a.o.verdict != challenges[i].verdict || b.o.verdict != challenges[i].verdict)
			fail_msg("%s: %d, %d", header, a.o.verdict, b.o.verdict);
		if (a.o.verdict == CMK_DENIED)
			assert_int_equal(a.o.reason, CMK_REASON_IDENTITY);
	}
}

static void an_identity_is_named_where_a_right_is_missing(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	const struct row row = {
		.op = UNWRAP, .status = 403, .type = JSON, .body = INNER("ForbiddenByRbac", "x")};
	require_text(judge(&row, &config, "", HTTP_OK).o.err.text, "client secret of application");
}

static void network_rules_count_as_the_configuration_says(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	static const char *const bodies[] = {
		INNER("ForbiddenByFirewall", "x"), INNER("ForbiddenByConnection", "x")};
	config.firewall = CMK_UNREACHABLE;
	for (size_t i = 0; i < 2; i++) {
		const struct row row = {
			.op = UNWRAP, .status = 403, .type = JSON, .body = bodies[i]};
		assert_int_equal(judge(&row, &config, "", HTTP_OK).o.verdict, CMK_UNREACHABLE);
	}
}

static void an_unknown_host_or_vault_counts_as_the_configuration_says(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	const struct row nothing = {.op = UNWRAP, .type = "", .body = ""};
	const struct row vault = {
		.op = UNWRAP, .status = 404, .type = JSON, .body = ERROR("VaultNotFound", "x")};
	assert_int_equal(judge(&nothing, &config, "", HTTP_NO_HOST).o.verdict, CMK_UNREACHABLE);
	config.no_host = CMK_DENIED;
	struct result r = judge(&nothing, &config, "", HTTP_NO_HOST);
	assert_int_equal(r.o.verdict, CMK_DENIED);
	assert_int_equal(r.o.reason, CMK_REASON_DELETED);
	r = judge(&vault, &config, "", HTTP_OK);
	assert_int_equal(r.o.verdict, CMK_DENIED);
	assert_int_equal(r.o.reason, CMK_REASON_DELETED);
}

static void no_answer_is_unreachable_and_says_what_the_network_said(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	config.no_host = CMK_DENIED;
	const struct row nothing = {.op = UNWRAP, .type = "", .body = ""};
	static const enum http_failure all[] = {HTTP_NO_CONNECTION, HTTP_TLS, HTTP_PROXY,
		HTTP_TIMEOUT, HTTP_BROKEN, HTTP_TOO_LARGE};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct result r = judge(&nothing, &config, "", all[i]);
		assert_int_equal(r.o.verdict, CMK_UNREACHABLE);
		require_text(r.o.err.text, KEY ": unwrapKey: what the network said");
	}
	assert_int_equal(
		judge(&nothing, &config, "", HTTP_REFUSED_URL).o.verdict, CMK_MISCONFIGURED);
}

static void the_vaults_wish_to_be_left_alone_is_passed_on(void **state)
{
	(void)state;
	struct azure_config config = plain_config();
	const struct row busy = {.op = UNWRAP, .status = 429, .type = "", .body = ""};
	const struct row down = {.op = UNWRAP, .status = 503, .type = "", .body = ""};
	const struct row denied = {
		.op = UNWRAP, .status = 403, .type = JSON, .body = INNER("KeyDisabled", "x")};
	assert_int_equal(judge(&busy, &config, "12", HTTP_OK).o.retry_after_ms, 12000);
	assert_int_equal(
		judge(&down, &config, "Fri, 15 Jan 2027 08:00:30 GMT", HTTP_OK).o.retry_after_ms,
		30000);
	// A second when it does not say; no such wish when it is down.
	assert_int_equal(judge(&busy, &config, "", HTTP_OK).o.retry_after_ms, 1000);
	assert_int_equal(judge(&down, &config, "", HTTP_OK).o.retry_after_ms, 0);
	assert_int_equal(judge(&denied, &config, "12", HTTP_OK).o.retry_after_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_answer_has_its_verdict_reason_and_sentence),
		cmocka_unit_test(only_a_vaults_own_challenge_refuses_the_identity),
		cmocka_unit_test(an_identity_is_named_where_a_right_is_missing),
		cmocka_unit_test(network_rules_count_as_the_configuration_says),
		cmocka_unit_test(an_unknown_host_or_vault_counts_as_the_configuration_says),
		cmocka_unit_test(no_answer_is_unreachable_and_says_what_the_network_said),
		cmocka_unit_test(the_vaults_wish_to_be_left_alone_is_passed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
