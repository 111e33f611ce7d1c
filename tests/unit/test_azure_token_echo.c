// SPDX-License-Identifier: MIT
// A token service that repeats what it was sent: none of it comes into a sentence or the log.
#include "token_rig.h"

static void a_service_that_repeats_our_secret_does_not_bring_it_into_the_sentence(void **state)
{
	struct token_rig *r = *state;
	use_secret(r);
	start(r, CMK_GRANTED);
	PLAN(r, 401,
		"{\"error\":\"invalid_client\",\"error_description\":\"" SECRET " is wrong\"}");
	assert_null(get(r));
	require_unsaid(r, SECRET);
	require_verdict(r, CMK_DENIED, "invalid_client");
	PLAN_FAILURE(r, HTTP_TLS);
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "the line is dead");
	PLAN_FAILURE(r, HTTP_REFUSED_URL);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "the line is dead");
}

static void no_way_of_writing_a_secret_brings_it_into_the_sentence(void **state)
{
	struct token_rig *r = *state;
	static const char *const texts[] = {
		"the form was x=s3cr3t~of.the+application%2F%2b%26%3D&y",
		"the form was x=s3cr3t%7Eof.the%20application%2F%2B%26=&y",
		"the body was \\\"s3cr3t~of.the application\\\\/+\\\\u0026=\\\"",
		"the body was s3cr3t~of.the application\\/\\u002b\\u0026=",
		"you sent client_secret=s3cr", "you sent client_assertion=abc",
		"not trusted: eyJ0eXAiOiJKV1QiLCJhbGciOi", "header the-identity-header is wrong",
		"secret msi+secret\\u0021 is wrong"};
	use_secret(r);
	r->id->identity_header = "the-identity-header";
	r->id->msi_secret = "msi secret!";
	start(r, CMK_GRANTED);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char body[2][600];
		(void)snprintf(body[0], sizeof(body[0]),
			"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS1: %s\","
			"\"trace_id\":\"T-1\"}",
			texts[i]);
		PLAN(r, 401, body[0]);
		assert_null(get(r));
		require_verdict(r, CMK_DENIED, "invalid_client; renew");
		require_unsaid(r, "; it says");
		require_verdict(r, CMK_DENIED, "trace id T-1");
		(void)snprintf(body[1], sizeof(body[1]),
			"{\"error\":\"%s\",\"correlation_id\":\"%s\"}", texts[i], texts[i]);
		PLAN(r, 401, body[1]);
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "no error code");
		require_unsaid(r, "correlation id");
	}
	PLAN(r, 401, "{\"error\":\"e\",\"error_description\":\"s3cr3t~of.the applicatio\"}");
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "it says: s3cr3t~of.the applicatio");
}

#define T(x) cmocka_unit_test_setup_teardown(x, token_rig_setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_service_that_repeats_our_secret_does_not_bring_it_into_the_sentence),
		T(no_way_of_writing_a_secret_brings_it_into_the_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
