// SPDX-License-Identifier: MIT
// Azure Arc: the challenge by file, each rule that keeps it from reading anything else, and the
// echo of the identity that was asked for.
#include "token_rig.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDPOINT "http://localhost:40342/metadata/identity/oauth2/token"
#define URL ENDPOINT "?api-version=2020-06-01&resource=https%3A%2F%2Fvault.azure.net"
#define KEY "the-key-of-the-agent"

static int setup(void **state)
{
	int ret = token_rig_setup(state);
	struct token_rig *r = *state;
	r->id->identity_endpoint = ENDPOINT;
	r->id->imds_endpoint = "http://localhost:40342";
	return ret;
}

static const char *in_dir(const struct token_rig *r, const char *name)
{
	static char path[4400];
	(void)snprintf(path, sizeof(path), "%s/%s", r->arc_dir, name);
	return path;
}

// The question, answered by a challenge that names this file.
static const char *challenge(struct token_rig *r, const char *path)
{
	static char text[5000];
	r->count = r->planned = 0;
	start(r, CMK_GRANTED);
	(void)snprintf(text, sizeof(text), "Basic realm=%s", path);
	PLAN(r, 401, "", .challenge = text);
	return text;
}

static void the_key_file_is_read_and_sent_back(void **state)
{
	struct token_rig *r = *state;
	const char *path = in_dir(r, "a-1.key");
	put_file(r, path, KEY "\n");
	(void)challenge(r, path);
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_string_equal(get(r), TOKEN("1"));
	for (int i = 0; i < 2; i++) {
		assert_string_equal(r->asked[i].method, "GET");
		assert_string_equal(r->asked[i].url, URL);
		assert_true(r->asked[i].direct);
		assert_true(r->asked[i].this_host);
		require_header(&r->asked[i], "Metadata: true");
	}
	assert_string_equal(r->asked[0].headers[1], "");
	require_header(&r->asked[1], "Authorization: Basic " KEY);
	assert_string_equal(
		token_source_name(r->tokens), "managed identity of this machine (Azure Arc)");
	require_unsaid(r, KEY);
}

static void an_installed_agent_is_found_without_variables(void **state)
{
	struct token_rig *r = *state;
	r->id->identity_endpoint = r->id->imds_endpoint = "";
	put_file(r, r->file, "an agent");
	r->system.arc_agent = r->file;
	(void)challenge(r, in_dir(r, "a.key"));
	put_file(r, in_dir(r, "a.key"), KEY);
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
	assert_string_equal(r->asked[1].url,
		"http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01&"
		"resource=https%3A%2F%2Fvault.azure.net");
}

static void require_refused(struct token_rig *r, const char *path)
{
	(void)challenge(r, path);
	assert_null(get(r));
	require_verdict(r, CMK_MISCONFIGURED, "Azure Arc");
	require_unsaid(r, KEY);
}

static void any_other_file_is_refused(void **state)
{
	struct token_rig *r = *state;
	char path[5000];
	put_file(r, r->file, KEY);
	require_refused(r, "/etc/passwd");
	require_refused(r, r->file);
	// Outside by a detour, below a folder, by the folder's look-alike.
	(void)snprintf(path, sizeof(path), "%s/../file", r->arc_dir);
	require_refused(r, path);
	(void)snprintf(path, sizeof(path), "%s/../x.key", r->arc_dir);
	require_refused(r, path);
	(void)snprintf(path, sizeof(path), "%s/sub", r->arc_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)strcat(path, "/x.key");
	put_file(r, path, KEY);
	require_refused(r, path);
	(void)snprintf(path, sizeof(path), "%s-2/x.key", r->arc_dir);
	require_refused(r, path);
	require_refused(r, "x.key");
	// The wrong ending, and nothing but the ending.
	put_file(r, in_dir(r, "x.pem"), KEY);
	require_refused(r, in_dir(r, "x.pem"));
	put_file(r, in_dir(r, ".key"), KEY);
	require_refused(r, in_dir(r, ".key"));
}

static void links_and_what_is_no_file_are_refused(void **state)
{
	struct token_rig *r = *state;
	char other[4400];
	put_file(r, r->file, KEY);
	assert_int_equal(symlink(r->file, in_dir(r, "link.key")), 0);
	require_refused(r, in_dir(r, "link.key"));
	assert_int_equal(mkdir(in_dir(r, "dir.key"), 0700), 0);
	require_refused(r, in_dir(r, "dir.key"));
	assert_int_equal(mkfifo(in_dir(r, "fifo.key"), 0600), 0);
	require_refused(r, in_dir(r, "fifo.key"));
	// The agent's own folder is a link to somewhere else.
	(void)snprintf(other, sizeof(other), "%s/elsewhere", r->dir);
	assert_int_equal(mkdir(other, 0700), 0);
	(void)snprintf(r->arc_dir, sizeof(r->arc_dir), "%s/linked", r->dir);
	assert_int_equal(symlink(other, r->arc_dir), 0);
	put_file(r, in_dir(r, "a.key"), KEY);
	require_refused(r, in_dir(r, "a.key"));
}

static void a_large_or_odd_file_is_refused(void **state)
{
	struct token_rig *r = *state;
	char text[4100];
	memset(text, 'k', sizeof(text));
	text[4097] = '\0';
	put_file(r, in_dir(r, "a.key"), text);
	require_refused(r, in_dir(r, "a.key"));
	text[4096] = '\0';
	put_file(r, in_dir(r, "a.key"), text);
	(void)challenge(r, in_dir(r, "a.key"));
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
	put_file(r, in_dir(r, "a.key"), KEY "\r\nX-Injected: 1");
	require_refused(r, in_dir(r, "a.key"));
	put_file(r, in_dir(r, "a.key"), " \n");
	(void)challenge(r, in_dir(r, "a.key"));
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "empty");
	(void)challenge(r, in_dir(r, "gone.key")); // the agent takes them away soon
	assert_null(get(r));
	require_verdict(r, CMK_UNREACHABLE, "gone.key");
}

static void a_challenge_of_another_shape_is_refused(void **state)
{
	struct token_rig *r = *state;
	static const char *const bad[] = {NULL, "", "Basic", "Bearer realm=/a.key",
		"Basic realm=", "Basic realm=\"", "Digest realm=\"x\""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		r->count = r->planned = 0;
		start(r, CMK_GRANTED);
		PLAN(r, 401, "", .challenge = bad[i]);
		assert_null(get(r));
		require_verdict(r, CMK_MISCONFIGURED, "did not name the file");
	}
	char quoted[5000];
	put_file(r, in_dir(r, "a.key"), KEY);
	(void)snprintf(quoted, sizeof(quoted), "basic REALM=\"%s\", x=1", in_dir(r, "a.key"));
	r->count = r->planned = 0;
	start(r, CMK_GRANTED);
	PLAN(r, 401, "", .challenge = quoted);
	PLAN(r, 200, GRANT("1", "\"86400\""));
	assert_non_null(get(r));
}

static void a_key_that_is_refused_is_not_sent_in_a_circle(void **state)
{
	struct token_rig *r = *state;
	put_file(r, in_dir(r, "a.key"), KEY);
	const char *text = challenge(r, in_dir(r, "a.key"));
	PLAN(r, 401, "{\"error\":\"unauthorized_client\"}", .challenge = text);
	assert_null(get(r));
	require_verdict(r, CMK_DENIED, "unauthorized_client");
}

static void an_agent_that_hands_out_another_identity_is_found_out(void **state)
{
	struct token_rig *r = *state;
	static const struct {
		const char *echo;
		enum cmk_verdict verdict;
	} cases[] = {
		{"", CMK_MISCONFIGURED},
		{",\"client_id\":\"" TENANT "\"", CMK_MISCONFIGURED},
		{",\"object_id\":\"" CLIENT "\"", CMK_MISCONFIGURED},
		{",\"client_id\":\"" CLIENT "\"", CMK_GRANTED},
		{",\"client_id\":\"AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee\"", CMK_GRANTED},
	};
	char body[512];
	r->id->client_id = CLIENT;
	put_file(r, in_dir(r, "a.key"), KEY);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)challenge(r, in_dir(r, "a.key"));
		(void)snprintf(body, sizeof(body),
			"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":\"86400\"%s}",
			cases[i].echo);
		PLAN(r, 200, body);
		bool got = get(r) != NULL;
		assert_int_equal(got, cases[i].verdict == CMK_GRANTED);
		assert_string_equal(r->asked[1].url, URL "&client_id=" CLIENT);
		if (!got)
			require_verdict(r, CMK_MISCONFIGURED, "does not name it as client_id");
	}
	r->id->client_id = "";
	r->id->resource_id = "/subscriptions/s";
	(void)challenge(r, in_dir(r, "a.key"));
	PLAN(r, 200,
		"{\"access_token\":\"" TOKEN("1") "\",\"expires_in\":\"86400\","
						  "\"mi_res_id\":\"/SUBSCRIPTIONS/s\"}");
	assert_non_null(get(r));
	assert_string_equal(r->asked[0].url, URL "&msi_res_id=%2Fsubscriptions%2Fs");
}

#define T(x) cmocka_unit_test_setup_teardown(x, setup, token_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_key_file_is_read_and_sent_back),
		T(an_installed_agent_is_found_without_variables),
		T(any_other_file_is_refused),
		T(links_and_what_is_no_file_are_refused),
		T(a_large_or_odd_file_is_refused),
		T(a_challenge_of_another_shape_is_refused),
		T(a_key_that_is_refused_is_not_sent_in_a_circle),
		T(an_agent_that_hands_out_another_identity_is_found_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
