// SPDX-License-Identifier: MIT
// How long a token is used: when it is renewed, what happens while that fails, and that no clock
// makes it immortal.
#include "token_rig.h"

#include "cred_reply.h"

static void prepare(struct token_rig *r)
{
	use_secret(r);
	start(r, CMK_GRANTED);
}

static void require_token(struct token_rig *r, const char *wanted)
{
	const char *got = get(r);
	if (!got || strcmp(got, wanted) != 0)
		fail_msg("%s, not %s: %s", got ? got : "no token", wanted, r->o.err.text);
}

// Asked `lifetime` seconds' token, the moment from which on it is renewed.
static void check_renewal(struct token_rig *r, const char *reply, int64_t at)
{
	r->count = r->planned = 0;
	prepare(r);
	PLAN(r, 200, reply);
	require_token(r, TOKEN("1"));
	pass(r, at - 1);
	require_token(r, TOKEN("1"));
	pass(r, 1);
	PLAN(r, 200, GRANT("2", "3599"));
	require_token(r, TOKEN("2"));
}

static void a_token_is_renewed_in_time(void **state)
{
	struct token_rig *r = *state;
	check_renewal(r, GRANT("1", "86400"), 43200); // half of a long life
	check_renewal(r, GRANT("1", "7200"), 3600);
	check_renewal(r, GRANT("1", "7199"), 6899); // five minutes before the end
	check_renewal(r, GRANT("1", "\"3600\""), 3300);
	check_renewal(r, GRANT("1", "3600,\"refresh_in\":1000"), 1000);
	check_renewal(r, GRANT("1", "86400,\"refresh_in\":\"50000\""), 50000);
	check_renewal(r, GRANT("1", "3600,\"refresh_in\":3600"), 3300); // of no use
	check_renewal(r, GRANT("1", "200"), 30);			// not at every question
	check_renewal(r, GRANT("1", "9999999"), 14 * 3600); // nothing lives longer than 28 h
}

static void while_renewal_fails_the_old_token_serves_until_its_end(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	PLAN(r, 200, GRANT("1", "3600"));
	require_token(r, TOKEN("1"));
	pass(r, 3300);
	r->host.time_left = 60000;
	PLAN(r, 401, "{\"error\":\"invalid_client\"}");
	require_token(r, TOKEN("1"));
	assert_int_equal(r->asked[1].timeout_ms, 5000);
	assert_non_null(strstr(r->log, "good for another 300 s"));
	assert_int_equal(r->host.warnings, 1);
	pass(r, 29);
	require_token(r, TOKEN("1")); // not asked again so soon
	pass(r, 1);
	PLAN(r, 503, "", .retry_after = "120");
	require_token(r, TOKEN("1"));
	pass(r, 119);
	require_token(r, TOKEN("1"));
	pass(r, 1);
	r->host.time_left = 2000;
	PLAN_FAILURE(r, HTTP_TIMEOUT);
	require_token(r, TOKEN("1"));
	assert_int_equal(r->asked[3].timeout_ms, 1000);
	r->host.time_left = 10000;
	pass(r, 3600 - 3300 - 30 - 120);
	PLAN_FAILURE(r, HTTP_TIMEOUT);
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "the line is dead");
	assert_int_equal(r->asked[4].timeout_ms, 0);
	PLAN(r, 200, GRANT("2", "3600"));
	require_token(r, TOKEN("2")); // a failure is not kept
	require_unsaid(r, "signature-of-the-token");
	require_unsaid(r, SECRET);
}

static void a_refused_token_is_not_used_again(void **state)
{
	struct token_rig *r = *state;
	const struct token_want fresh = {.resource = VAULT, .tenant = TENANT, .fresh = true};
	prepare(r);
	PLAN(r, 200, GRANT("1", "3600"));
	require_token(r, TOKEN("1"));
	PLAN_FAILURE(r, HTTP_TIMEOUT);
	assert_null(get_want(r, &fresh));
	require_verdict(r, CMK_UNREACHABLE, "the line is dead");
	PLAN(r, 200, GRANT("2", "3600"));
	require_token(r, TOKEN("2"));
	PLAN(r, 200, GRANT("3", "3600"));
	assert_string_equal(get_want(r, &fresh), TOKEN("3"));
	require_token(r, TOKEN("3"));
}

static void a_token_in_doubt_is_renewed_soon_and_kept_if_that_fails(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	PLAN(r, 200, GRANT("1", "3600"));
	require_token(r, TOKEN("1"));
	pass(r, 29);
	token_doubt(r->tokens);
	require_token(r, TOKEN("1")); // new enough to be the same
	pass(r, 1);
	PLAN_FAILURE(r, HTTP_TIMEOUT);
	require_token(r, TOKEN("1"));
	pass(r, 30);
	PLAN(r, 200, GRANT("2", "3600"));
	require_token(r, TOKEN("2"));
	pass(r, 3299);
	require_token(r, TOKEN("2")); // no longer in doubt
}

static void each_resource_and_tenant_has_its_own(void **state)
{
	struct token_rig *r = *state;
	r->id->allowed_tenants = "*";
	prepare(r);
	static const struct token_want wants[] = {
		{VAULT, "", NULL, false},
		{"https://managedhsm.azure.net", "", NULL, false},
		{VAULT, OTHER_TENANT, NULL, false},
		{"https://vault.azure.cn", "", NULL, false},
	};
	static const char *const replies[] = {
		GRANT("1", "3600"), GRANT("2", "3600"), GRANT("3", "3600"), GRANT("4", "3600")};
	static const char *const tokens[] = {TOKEN("1"), TOKEN("2"), TOKEN("3"), TOKEN("4")};
	for (size_t i = 0; i < 4; i++) {
		PLAN(r, 200, replies[i]);
		assert_string_equal(get_want(r, &wants[i]), tokens[i]);
	}
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(get_want(r, &wants[i]), tokens[i]);
	// The vault's own tenant by name is the configured one.
	assert_string_equal(
		get_want(r, &(struct token_want){VAULT, TENANT, NULL, false}), tokens[0]);
	// A fifth takes the place of the oldest.
	PLAN(r, 200, GRANT("5", "3600"));
	assert_string_equal(
		get_want(r, &(struct token_want){"https://e", "", NULL, false}), TOKEN("5"));
	PLAN(r, 200, GRANT("6", "3600"));
	assert_string_equal(get_want(r, &wants[0]), TOKEN("6"));
	assert_string_equal(get_want(r, &wants[2]), tokens[2]);
}

static void no_clock_makes_a_token_immortal(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	PLAN(r, 200, GRANT("1", "3600"));
	require_token(r, TOKEN("1"));
	r->host.now -= 100 * 86400; // somebody sets the clock back
	r->boot_ms += 3299 * 1000;
	require_token(r, TOKEN("1"));
	r->boot_ms += 301 * 1000;
	PLAN(r, 200, GRANT("2", "3600"));
	require_token(r, TOKEN("2"));
	r->host.now += 3600; // a rehearsal goes forward, the machine does not
	PLAN(r, 200, GRANT("3", "3600"));
	require_token(r, TOKEN("3"));
	// A wrong clock when expires_on was all that was said.
	r->host.now -= 1000 * 86400;
	r->count = r->planned = 0;
	prepare(r);
	PLAN(r, 200, "{\"expires_on\":\"1800003600\",\"access_token\":\"" TOKEN("4") "\"}");
	require_token(r, TOKEN("4"));
	r->boot_ms += 28LL * 3600 * 1000;
	PLAN(r, 200, GRANT("5", "3600"));
	require_token(r, TOKEN("5"));
}

static void take_long(struct token_rig *r)
{
	pass(r, 100);
}
static void time_spent_on_the_way_counts(void **state)
{
	struct token_rig *r = *state;
	prepare(r);
	PLAN(r, 200, GRANT("1", "3600"), .meanwhile = take_long);
	require_token(r, TOKEN("1"));
	pass(r, 3199);
	require_token(r, TOKEN("1"));
	pass(r, 1);
	PLAN(r, 200, GRANT("2", "3600"));
	require_token(r, TOKEN("2"));
}

static void a_reply_that_is_no_token_says_nothing_about_the_identity(void **state)
{
	struct token_rig *r = *state;
	static const char *const bad[] = {
		"",
		"<html>welcome</html>",
		"[]",
		"{}",
		"{\"access_token\":\"short\",\"expires_in\":3600}",
		"{\"access_token\":7,\"expires_in\":3600}",
		"{\"access_token\":\"with a blank and more characters\",\"expires_in\":3600}",
		"{\"access_token\":\"" TOKEN("1") "\"}",
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":0}",
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":\"soon\"}",
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_on\":\"1799999999\"}",
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":3600,\"token_type\":\"pop\"}",
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":3600",
	};
	prepare(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		r->count = r->planned = 0;
		PLAN(r, 200, bad[i]);
		assert_null(get(r));
		require_verdict(r, CMK_UNREACHABLE, "client secret of application");
		require_unsaid(r, "signature-of-the-token");
	}
}

static void dates_are_read_as_services_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t t;
	} cases[] = {
		{"1800000000", 1800000000},
		{"1/15/2027 8:00:00 AM +00:00", 1800000000},
		{"01/15/2027 08:00:00 +00:00", 1800000000},
		{"1/15/2027 12:00:00 AM +00:00", 1799971200},
		{"1/15/2027 12:00:01 PM +00:00", 1800014401},
		{"2027-01-15T08:00:00Z", 1800000000},
		{"2027-01-15T08:00:00.123+00:00", 1800000000},
		{"2027-01-15T08:00:00+01:00", 0},
		{"13/15/2027 8:00:00 AM +00:00", 0},
		{"1/15/2027 13:00:00 PM +00:00", 0},
		{"1/15/2027 8:00:00 AM +02:00", 0},
		{"1/15/2027", 0},
		{"tomorrow", 0},
		{"-5", 0},
		{"", 0},
		{"99999999999999999999", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (cred_reply_date(cases[i].text) != cases[i].t)
			fail_msg("%s: %lld", cases[i].text,
				(long long)cred_reply_date(cases[i].text));
}

#define T(x) cmocka_unit_test_setup_teardown(x, token_rig_setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_is_renewed_in_time),
		T(while_renewal_fails_the_old_token_serves_until_its_end),
		T(a_refused_token_is_not_used_again),
		T(a_token_in_doubt_is_renewed_soon_and_kept_if_that_fails),
		T(each_resource_and_tenant_has_its_own),
		T(no_clock_makes_a_token_immortal),
		T(time_spent_on_the_way_counts),
		T(a_reply_that_is_no_token_says_nothing_about_the_identity),
		cmocka_unit_test(dates_are_read_as_services_write_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
