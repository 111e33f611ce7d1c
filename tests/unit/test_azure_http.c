// SPDX-License-Identifier: MIT
// HTTP with a hard end: each way in which an answer can fail to come, in time and by its name.
#include "azure_fixture.h"
#include "http_script.h"

#include "azure_http.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define JSON "Content-Type: application/json; charset=utf-8\r\n"
#define SLACK_MS 700 // a busy machine

struct world {
	struct provider_host host;
	struct azure_config config;
	struct http *http;
	struct http_script *script;
	struct http_reply reply;
	char url[200];
	char pem[64];
};

static void url_of(struct world *w, const char *scheme, const char *host)
{
	(void)snprintf(w->url, sizeof(w->url), "%s://%s:%u/keys/k?api-version=7.4", scheme, host,
		http_script_port(w->script));
}

static int setup(void **state)
{
	static struct world w;
	struct kp_err err = {""};
	memset(&w, 0, sizeof(w));
	provider_host_init(&w.host);
	w.config = plain_config();
	w.config.http_loopback = true;
	w.script = http_script_new(NULL);
	url_of(&w, "http", "127.0.0.1");
	assert_int_equal(http_new(&w.host.api, &w.config, &w.http, &err), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	http_reply_end(w->http, &w->reply);
	http_free(&w->http);
	http_script_free(&w->script);
	if (w->pem[0])
		(void)unlink(w->pem);
	assert_int_equal(w->host.secrets, 0);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Asks, with at most `ms`, and requires that the answer is there by then.
static const struct http_reply *ask_within(
	struct world *w, const struct http_request *q, int64_t ms)
{
	http_reply_end(w->http, &w->reply);
	int64_t began = now_ms();
	http_do(w->http, q, &w->reply);
	int64_t took = now_ms() - began;
	if (took > ms + SLACK_MS)
		fail_msg("took %lld ms of %lld", (long long)took, (long long)ms);
	return &w->reply;
}

static const struct http_reply *get(struct world *w)
{
	const struct http_request q = {.method = "GET", .url = w->url, .timeout_ms = 3000};
	return ask_within(w, &q, 3000);
}

static void require_failure(const struct http_reply *r, enum http_failure failure, const char *part)
{
	if (r->failure != failure)
		fail_msg("failure %d, status %d: %s", r->failure, r->status, r->err.text);
	require_text(r->err.text, part);
}

static void a_reply_comes_with_what_is_kept_of_its_headers(void **state)
{
	struct world *w = *state;
	char value[300];
	http_script_reply(w->script, 401,
		JSON
		"X-MS-Request-Id:  abc-1 \r\nRetry-After: 7\r\nWWW-Authenticate: Bearer a=\"b\"\r\n"
		"www-authenticate: Basic realm=\"x\"\r\n",
		"{\"error\":{}}");
	const struct http_request q = {.method = "POST",
		.url = w->url,
		.headers = {"Accept: application/json", "Authorization: Bearer t0ken"},
		.body = "{\"a\":1}",
		.body_len = 7};
	const struct http_reply *r = ask_within(w, &q, 3000);
	assert_int_equal(r->failure, HTTP_OK);
	assert_int_equal(r->status, 401);
	assert_string_equal(r->content_type, "application/json; charset=utf-8");
	assert_string_equal(r->request_id, "abc-1");
	assert_string_equal(r->www_authenticate, "Bearer a=\"b\", Basic realm=\"x\"");
	assert_string_equal(r->body, "{\"error\":{}}");
	assert_int_equal(r->len, 12);
	assert_int_equal(http_retry_after_ms(r, 0), 7000);
	const struct http_seen *seen = http_script_seen(w->script, 0);
	require_text(seen->head, "POST /keys/k?api-version=7.4 HTTP/1.1\r\n");
	assert_string_equal(seen->body, "{\"a\":1}");
	assert_non_null(http_seen_header(seen, "User-Agent", value, sizeof(value)));
	assert_string_equal(value, "cmkdisk/test");
	assert_non_null(http_seen_header(seen, "Authorization", value, sizeof(value)));
	assert_string_equal(value, "Bearer t0ken");
	assert_null(http_seen_header(seen, "Cookie", value, sizeof(value)));
}

static void a_connection_is_used_again(void **state)
{
	struct world *w = *state;
	static const char answer[] =
		"HTTP/1.1 200 OK\r\n" JSON "Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}";
	char value[100];
	for (int i = 0; i < 3; i++)
		http_script_add(w->script, HTTP_KEEP, answer, sizeof(answer) - 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(w)->status, 200);
	assert_int_equal(http_script_requests(w->script), 3);
	assert_int_equal(http_script_connections(w->script), 1);
	assert_null(
		http_seen_header(http_script_seen(w->script, 2), "Cookie", value, sizeof(value)));
}

static void a_post_without_body_is_empty(void **state)
{
	struct world *w = *state;
	http_script_reply(w->script, 401, "", "");
	const struct http_request q = {.method = "POST", .url = w->url};
	const struct http_reply *r = ask_within(w, &q, 3000);
	assert_int_equal(r->failure, HTTP_OK);
	assert_int_equal(r->len, 0);
	assert_string_equal(r->body, "");
	require_text(http_script_seen(w->script, 0)->head, "Content-Length: 0\r\n");
}

static void the_largest_reply_is_taken_and_a_larger_one_is_not(void **state)
{
	struct world *w = *state;
	char *body = malloc(HTTP_REPLY_MAX + 2);
	assert_non_null(body);
	memset(body, 'x', HTTP_REPLY_MAX + 1);
	body[HTTP_REPLY_MAX] = '\0';
	http_script_reply(w->script, 200, "", body);
	const struct http_reply *r = get(w);
	assert_int_equal(r->failure, HTTP_OK);
	assert_int_equal(r->len, HTTP_REPLY_MAX);
	assert_string_equal(r->body, body);
	body[HTTP_REPLY_MAX] = 'x';
	body[HTTP_REPLY_MAX + 1] = '\0';
	http_script_reply(w->script, 200, "", body);
	require_failure(get(w), HTTP_TOO_LARGE, "has 64 KiB or more");
	free(body);
}

static void a_truncated_or_empty_or_garbled_answer_is_broken(void **state)
{
	struct world *w = *state;
	static const char cut[] = "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 100\r\n\r\n{\"key\":";
	static const char garbage[] = "SSH-2.0-server\r\n";
	http_script_add(w->script, HTTP_SEND, cut, sizeof(cut) - 1);
	require_failure(get(w), HTTP_BROKEN, "did not come whole");
	http_script_add(w->script, HTTP_CLOSE, NULL, 0);
	require_failure(get(w), HTTP_BROKEN, "127.0.0.1:");
	http_script_add(w->script, HTTP_SEND, garbage, sizeof(garbage) - 1);
	assert_int_not_equal(get(w)->failure, HTTP_OK);
}

static void a_slow_or_silent_server_ends_at_the_deadline(void **state)
{
	struct world *w = *state;
	static const char slow[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	struct http_request q = {.method = "GET", .url = w->url, .timeout_ms = 400};
	http_script_add(w->script, HTTP_DRIP, slow, sizeof(slow) - 1);
	require_failure(ask_within(w, &q, 400), HTTP_TIMEOUT, "within 400 ms");
	w->host.time_left = 300;
	q.timeout_ms = 0;
	http_script_add(w->script, HTTP_HANG, NULL, 0);
	require_failure(ask_within(w, &q, 300), HTTP_TIMEOUT, "within 300 ms");
	w->host.time_left = 0;
	require_failure(ask_within(w, &q, 0), HTTP_TIMEOUT, "no time was left");
}

static void an_unwanted_answer_is_not_waited_for(void **state)
{
	struct world *w = *state;
	w->host.cancelled = 1;
	http_script_add(w->script, HTTP_HANG, NULL, 0);
	require_failure(get(w), HTTP_TIMEOUT, "no longer wanted");
}

static void nobody_listening_and_no_such_host_have_their_names(void **state)
{
	struct world *w = *state;
	http_script_free(&w->script);
	require_failure(get(w), HTTP_NO_CONNECTION, "cannot connect to 127.0.0.1:");
	(void)snprintf(w->url, sizeof(w->url), "https://contoso.vault.invalid/keys/k");
	require_failure(get(w), HTTP_NO_HOST, "contoso.vault.invalid:443 has no address");
}

static void a_redirect_is_not_followed(void **state)
{
	struct world *w = *state;
	scoped(http_script_free) struct http_script *other = http_script_new(NULL);
	char location[120];
	(void)snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/\r\n",
		http_script_port(other));
	http_script_reply(w->script, 307, location, "");
	const struct http_request q = {
		.method = "GET", .url = w->url, .headers = {"Authorization: Bearer t0ken"}};
	assert_int_equal(ask_within(w, &q, 3000)->status, 307);
	assert_int_equal(http_script_requests(w->script), 1);
	assert_int_equal(http_script_connections(other), 0);
}

static void use_tls(struct world *w, const char *name)
{
	(void)snprintf(w->pem, sizeof(w->pem), "azure-http-%d.pem", (int)getpid());
	http_script_certificate(w->pem, name);
	http_script_free(&w->script);
	w->script = http_script_new(w->pem);
	url_of(w, "https", "contoso.vault.localhost");
}

static void an_unknown_certificate_is_refused_and_a_named_one_is_taken(void **state)
{
	struct world *w = *state;
	use_tls(w, "contoso.vault.localhost");
	require_failure(get(w), HTTP_TLS, "no trusted TLS connection to contoso.vault.localhost:");
	assert_int_equal(http_script_requests(w->script), 0);
	w->config.ca_file = w->pem;
	http_script_reply(w->script, 200, JSON, "{}");
	const struct http_reply *r = get(w);
	if (r->failure)
		fail_msg("%s", r->err.text);
	assert_int_equal(r->status, 200);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	struct world *w = *state;
	use_tls(w, "fabrikam.vault.localhost");
	w->config.ca_file = w->pem;
	require_failure(get(w), HTTP_TLS, "contoso.vault.localhost:");
	assert_int_equal(http_script_requests(w->script), 0);
}

static void a_handshake_that_hangs_ends_at_the_deadline(void **state)
{
	struct world *w = *state;
	url_of(w, "https", "contoso.vault.localhost");
	const struct http_request q = {.method = "GET", .url = w->url, .timeout_ms = 300};
	require_failure(ask_within(w, &q, 300), HTTP_TIMEOUT, "within 300 ms");
}

static void a_proxy_that_refuses_or_is_away_is_named_without_its_password(void **state)
{
	struct world *w = *state;
	char proxy[120];
	(void)snprintf(proxy, sizeof(proxy), "http://user:pass-word@127.0.0.1:%u",
		http_script_port(w->script));
	w->config.proxy = proxy;
	(void)snprintf(w->url, sizeof(w->url), "https://contoso.vault.azure.net/keys/k");
	http_script_reply(
		w->script, 403, "WWW-Authenticate: Bearer x=\"y\"\r\n", "<html>no</html>");
	const struct http_request q = {.method = "GET",
		.url = w->url,
		.headers = {"Authorization: Bearer t0ken"},
		.timeout_ms = 3000};
	const struct http_reply *r = ask_within(w, &q, 3000);
	require_failure(r, HTTP_PROXY, "refused the way to contoso.vault.azure.net:443");
	require_no_text(r->err.text, "pass-word");
	assert_null(r->www_authenticate);
	require_text(http_script_seen(w->script, 0)->head, "CONNECT contoso.vault.azure.net:443");
	require_no_text(http_script_seen(w->script, 0)->head, "t0ken");
	http_script_free(&w->script);
	r = get(w);
	require_failure(r, HTTP_PROXY, "cannot connect to the proxy 127.0.0.1:");
	require_no_text(r->err.text, "pass-word");
}

static void a_managed_identity_and_loopback_are_asked_by_no_proxy(void **state)
{
	struct world *w = *state;
	w->config.proxy = "http://127.0.0.1:1";
	http_script_reply(w->script, 200, JSON, "{}");
	assert_int_equal(get(w)->status, 200);
	w->config.http_loopback = false;
	http_script_reply(w->script, 200, JSON, "{}");
	const struct http_request q = {.method = "GET", .url = w->url, .direct = true};
	assert_int_equal(ask_within(w, &q, 3000)->status, 200);
}

static void other_schemes_and_plain_http_are_refused_unasked(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {"ftp://127.0.0.1/", "file:///etc/passwd",
		"http://192.0.2.1/", "http://localhost.example.org/", "https://u:p@127.0.0.1/",
		"gopher://127.0.0.1/", "", "no url"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(w->url, sizeof(w->url), "%s", bad[i]);
		assert_int_equal(get(w)->failure, HTTP_REFUSED_URL);
	}
	w->config.http_loopback = false;
	url_of(w, "http", "127.0.0.1");
	require_failure(get(w), HTTP_REFUSED_URL, "only https is used");
	assert_int_equal(http_script_connections(w->script), 0);
}

static void retry_after_is_seconds_or_a_date_and_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t ms;
	} rows[] = {{"", 0}, {"5", 5000}, {"0", 0}, {"86400", 3600000}, {"99999999999", 3600000},
		{"soon", 0}, {"-5", 0}, {"Fri, 15 Jan 2027 08:00:10 GMT", 10000},
		{"Fri, 15 Jan 2027 07:59:00 GMT", 0}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct http_reply r = {0};
		(void)snprintf(r.retry_after, sizeof(r.retry_after), "%s", rows[i].text);
		if (http_retry_after_ms(&r, 1800000000) != rows[i].ms)
			fail_msg("'%s': %u", rows[i].text, http_retry_after_ms(&r, 1800000000));
	}
}

static void challenges_are_taken_up_to_a_bound(void **state)
{
	struct world *w = *state;
	static char headers[64 * 300];
	size_t n = 0;
	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(headers + n, sizeof(headers) - n,
			"WWW-Authenticate: Bearer a=\"%0250d\"\r\n", i);
	http_script_reply(w->script, 401, headers, "{}");
	const struct http_reply *r = get(w);
	assert_int_equal(r->failure, HTTP_OK);
	assert_in_range(strlen(r->www_authenticate), 60 * 250, 16 * 1024);
	for (int i = 0; i < 10; i++)
		n += (size_t)snprintf(headers + n, sizeof(headers) - n,
			"WWW-Authenticate: Bearer a=\"%0250d\"\r\n", i);
	http_script_reply(w->script, 401, headers, "{}");
	require_failure(get(w), HTTP_TOO_LARGE, "more than 16 KiB of WWW-Authenticate");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reply_comes_with_what_is_kept_of_its_headers),
		TEST(a_connection_is_used_again),
		TEST(a_post_without_body_is_empty),
		TEST(the_largest_reply_is_taken_and_a_larger_one_is_not),
		TEST(a_truncated_or_empty_or_garbled_answer_is_broken),
		TEST(a_slow_or_silent_server_ends_at_the_deadline),
		TEST(an_unwanted_answer_is_not_waited_for),
		TEST(nobody_listening_and_no_such_host_have_their_names),
		TEST(a_redirect_is_not_followed),
		TEST(an_unknown_certificate_is_refused_and_a_named_one_is_taken),
		TEST(a_certificate_for_another_name_is_refused),
		TEST(a_handshake_that_hangs_ends_at_the_deadline),
		TEST(a_proxy_that_refuses_or_is_away_is_named_without_its_password),
		TEST(a_managed_identity_and_loopback_are_asked_by_no_proxy),
		TEST(challenges_are_taken_up_to_a_bound),
		TEST(other_schemes_and_plain_http_are_refused_unasked),
		cmocka_unit_test(retry_after_is_seconds_or_a_date_and_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
