// SPDX-License-Identifier: MIT
// The emulator's HTTP: what a handler is told of a request, each way a reply goes out, listeners
// that are paused or show other certificates. Real sockets, a real client.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu_ca.h"
#include "emu_http.h"
#include "emu_time.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	struct emu_http *http;
	char bound[64], url[96], dir[32], unix_path[64];
};

static int echo(struct emu_request *q, struct emu_reply *r)
{
	struct kp_json *j;
	const char *x = emu_query(q, "x"), *h = emu_header(q, "x-thing");
	assert_int_equal(kp_json_object(&j), 0);
	assert_int_equal(kp_json_add_str(j, "method", q->method), 0);
	assert_int_equal(kp_json_add_str(j, "host", q->host), 0);
	assert_int_equal(kp_json_add_str(j, "path", q->path), 0);
	assert_int_equal(kp_json_add_str(j, "client", q->client), 0);
	assert_int_equal(kp_json_add_str(j, "x", x ? x : "-"), 0);
	assert_int_equal(kp_json_add_str(j, "thing", h ? h : "-"), 0);
	assert_int_equal(kp_json_add_int(j, "length", (int64_t)q->len), 0);
	assert_int_equal(strlen(q->body), q->len);
	assert_int_equal(emu_reply_header(r, "X-Back", "a\r\nEvil: %d", 1), 0);
	return emu_reply_json(r, 201, j);
}

static int handle(void *ctx, struct emu_request *q, struct emu_reply *r)
{
	(void)ctx;
	static const struct {
		const char *path;
		enum emu_manner manner;
	} manners[] = {{"/truncated", EMU_TRUNCATED}, {"/reset", EMU_RESET}, {"/hang", EMU_HANG},
		{"/drip", EMU_DRIP}};
	if (strcmp(q->path, "/fails") == 0)
		return -EIO;
	if (strcmp(q->path, "/says nothing") == 0)
		return 0;
	if (strcmp(q->path, "/error") == 0)
		return emu_reply_error(r, 403, "Forbidden", "KeyDisabled", "No \"%s\".", "use");
	for (size_t i = 0; i < sizeof(manners) / sizeof(*manners); i++)
		if (strcmp(q->path, manners[i].path) == 0) {
			r->manner = manners[i].manner;
			r->status = 200;
			r->body = strdup("0123456789");
			r->len = strlen(r->body);
			if (r->manner == EMU_DRIP)
				r->len = 3;
			return 0;
		}
	if (strcmp(q->path, "/late") == 0)
		r->delay_ms = 300;
	return echo(q, r);
}

static int begin(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct kp_err err = {""};
	char bound[64];
	(void)snprintf(g->dir, sizeof(g->dir), "/tmp/emu-http.XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	(void)snprintf(g->unix_path, sizeof(g->unix_path), "unix:%s/a.sock", g->dir);
	assert_int_equal(emu_http_new(handle, g, &g->http), 0);
	const struct emu_listen plain = {.port = EMU_IMDS, .address = "127.0.0.1:0"};
	const struct emu_listen admin = {.port = EMU_ADMIN, .address = g->unix_path};
	if (emu_http_listen(g->http, &plain, g->bound, &err) ||
		emu_http_listen(g->http, &admin, bound, &err))
		fail_msg("%s", err.text);
	(void)snprintf(g->url, sizeof(g->url), "http://%s", g->bound);
	*state = g;
	return 0;
}

static int end(void **state)
{
	struct rig *g = *state;
	char cmd[64];
	emu_http_free(&g->http);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", g->dir);
	assert_int_equal(system(cmd), 0);
	free(g);
	return 0;
}

struct result {
	CURLcode code;
	long status;
	int64_t took_ms;
	char body[8192], headers[4096];
	size_t len, header_len;
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
	struct result *r = ctx;
	size_t room = sizeof(r->body) - 1 - r->len;
	memcpy(r->body + r->len, data, size * n < room ? size * n : room);
	r->len += size * n < room ? size * n : room;
	return size * n;
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
	struct result *r = ctx;
	size_t room = sizeof(r->headers) - 1 - r->header_len;
	memcpy(r->headers + r->header_len, data, size * n < room ? size * n : room);
	r->header_len += size * n < room ? size * n : room;
	return size * n;
}

static CURL *client(const char *base, const char *path)
{
	char url[256];
	CURL *c = curl_easy_init();
	(void)snprintf(url, sizeof(url), "%s%s", base, path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 20000L);
	return c;
}

static struct result run(CURL *c)
{
	struct result r = {0};
	int64_t start = emu_monotonic_ms();
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &r);
	r.code = curl_easy_perform(c);
	r.took_ms = emu_monotonic_ms() - start;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r.status);
	curl_easy_cleanup(c);
	return r;
}

static struct result get(const struct rig *g, const char *path)
{
	return run(client(g->url, path));
}

static void a_handler_is_told_the_request(void **state)
{
	struct rig *g = *state;
	CURL *c = client(g->url, "/a%20b//c?x=1%2B2");
	struct curl_slist *h = curl_slist_append(NULL, "Host: ConToso.Vault.localhost:99");
	h = curl_slist_append(h, "X-Thing: it");
	h = curl_slist_append(h, "X-HTTP-METHOD: PATCH");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
	curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, "{\"a\":1}");
	struct result r = run(c);
	curl_slist_free_all(h);
	assert_int_equal(r.code, CURLE_OK);
	assert_int_equal(r.status, 201);
	assert_string_equal(r.body, "{\"method\":\"PATCH\",\"host\":\"contoso.vault.localhost\","
				    "\"path\":\"/a b//c\",\"client\":\"127.0.0.1\",\"x\":\"1+2\","
				    "\"thing\":\"it\",\"length\":7}");
	assert_non_null(strstr(r.headers, "Content-Type: application/json; charset=utf-8\r\n"));
}

static void a_header_cannot_be_smuggled_into_a_reply(void **state)
{
	struct result r = get(*state, "/");
	assert_non_null(strstr(r.headers, "X-Back: a  Evil: 1\r\n"));
	assert_null(strstr(r.headers, "\nEvil:"));
}

static void an_error_has_the_shape_of_the_service(void **state)
{
	struct result r = get(*state, "/error");
	assert_int_equal(r.status, 403);
	assert_string_equal(r.body, "{\"error\":{\"code\":\"Forbidden\",\"message\":\"No "
				    "\\\"use\\\".\",\"innererror\":{\"code\":\"KeyDisabled\"}}}");
}

static void a_handler_that_fails_is_a_500(void **state)
{
	assert_int_equal(get(*state, "/fails").status, 500);
	assert_int_equal(get(*state, "/says%20nothing").status, 500);
}

static void a_body_may_have_a_mebibyte_and_no_more(void **state)
{
	struct rig *g = *state;
	char *big = malloc(EMU_BODY_MAX + 1);
	memset(big, 'x', EMU_BODY_MAX + 1);
	for (long more = 0; more < 2; more++) {
		CURL *c = client(g->url, "/");
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, big);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)EMU_BODY_MAX + more);
		struct result r = run(c);
		assert_int_equal(r.status, more ? 413 : 201);
		assert_non_null(strstr(r.body, more ? "RequestEntityTooLarge" : "1048576"));
	}
	free(big);
}

static void half_of_a_truncated_reply_arrives(void **state)
{
	struct result r = get(*state, "/truncated");
	assert_int_equal(r.code, CURLE_PARTIAL_FILE);
	assert_string_equal(r.body, "01234");
	assert_non_null(strstr(r.headers, "Content-Length: 10\r\n"));
}

static void a_reset_is_a_reset(void **state)
{
	struct rig *g = *state;
	CURL *c = client(g->url, "/reset");
	struct result r = {0};
	long errnum = 0;
	r.code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_OS_ERRNO, &errnum);
	curl_easy_cleanup(c);
	assert_int_equal(r.code, CURLE_RECV_ERROR);
	assert_int_equal(errnum, ECONNRESET);
}

static void a_hanging_reply_never_comes(void **state)
{
	struct rig *g = *state;
	CURL *c = client(g->url, "/hang");
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 400L);
	struct result r = run(c);
	assert_int_equal(r.code, CURLE_OPERATION_TIMEDOUT);
	assert_int_equal(r.header_len, 0);
}

static void a_dripping_reply_comes_byte_by_byte(void **state)
{
	struct result r = get(*state, "/drip");
	assert_int_equal(r.code, CURLE_OK);
	assert_string_equal(r.body, "012");
	assert_true(r.took_ms >= 550);
}

static void a_delay_comes_before_the_reply(void **state)
{
	struct result r = get(*state, "/late");
	assert_int_equal(r.status, 201);
	assert_true(r.took_ms >= 295);
}

static void *hang_on(void *arg)
{
	struct rig *g = arg;
	return (void *)(uintptr_t)get(g, "/hang").code;
}

// The emulator must end, and pause, although a client hangs in it.
static void a_pause_ends_what_hangs_and_refuses_what_comes(void **state)
{
	struct rig *g = *state;
	pthread_t t;
	void *code;
	assert_int_equal(get(g, "/").status, 201);
	assert_int_equal(pthread_create(&t, NULL, hang_on, g), 0);
	(void)usleep(200000);
	assert_int_equal(emu_http_pause(g->http, EMU_IMDS, true), 0);
	assert_int_equal(pthread_join(t, &code), 0);
	assert_int_not_equal((uintptr_t)code, CURLE_OK);
	assert_int_equal(get(g, "/").code, CURLE_COULDNT_CONNECT);
	assert_int_equal(emu_http_pause(g->http, EMU_IMDS, true), 0); // again is no error
	assert_int_equal(emu_http_pause(g->http, EMU_IMDS, false), 0);
	assert_int_equal(get(g, "/").status, 201); // at the same port
}

static void ports_that_are_off_and_the_admin_port_cannot_be_paused(void **state)
{
	struct rig *g = *state;
	assert_int_equal(emu_http_pause(g->http, EMU_ARC, true), -EINVAL);
	assert_int_equal(emu_http_pause(g->http, EMU_ADMIN, true), -EINVAL);
}

static void the_admin_socket_is_ours_alone(void **state)
{
	struct rig *g = *state;
	struct stat st;
	const char *path = g->unix_path + strlen("unix:");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	CURL *c = client("http://x", "/");
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, path);
	struct result r = run(c);
	assert_int_equal(r.status, 201);
	assert_non_null(strstr(r.body, "\"client\":\"unix\""));
}

static CURL *tls_client(const struct rig *g, const char *bound, const char *name)
{
	char base[128], ca[64];
	const char *port = strrchr(bound, ':');
	(void)snprintf(base, sizeof(base), "https://%s%s", name, port);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", g->dir);
	CURL *c = client(base, "/");
	curl_easy_setopt(c, CURLOPT_CAINFO, ca);
	return c;
}

static void tls_shows_a_certificate_that_the_ca_signed(void **state)
{
	struct rig *g = *state;
	struct kp_err err = {""};
	struct emu_cert good = {0}, again = {0}, wrong = {0};
	struct stat st;
	char bound[64], path[64];
	if (emu_ca_open(g->dir, &good, &err) || emu_ca_open(g->dir, &again, &err) ||
		emu_ca_wrong(&wrong, &err))
		fail_msg("%s", err.text);
	assert_string_equal(good.cert_pem, again.cert_pem);
	(void)snprintf(path, sizeof(path), "%s/ca-key.pem", g->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	const struct emu_listen tls = {.port = EMU_TLS,
		.address = "127.0.0.1:0",
		.cert_pem = good.cert_pem,
		.key_pem = good.key_pem};
	assert_int_equal(emu_http_listen(g->http, &tls, bound, &err), 0);
	static const char *const names[] = {"contoso.vault.localhost", "login.vault.localhost",
		"pool.managedhsm.localhost", "localhost", "127.0.0.1"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(run(tls_client(g, bound, names[i])).status, 201);
	assert_int_equal(emu_http_certificate(g->http, EMU_TLS, wrong.cert_pem, wrong.key_pem), 0);
	assert_int_equal(run(tls_client(g, bound, names[0])).code, CURLE_PEER_FAILED_VERIFICATION);
	assert_int_equal(emu_http_certificate(g->http, EMU_TLS, good.cert_pem, good.key_pem), 0);
	assert_int_equal(run(tls_client(g, bound, names[0])).status, 201);
	emu_cert_free(&good);
	emu_cert_free(&again);
	emu_cert_free(&wrong);
}

int main(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_handler_is_told_the_request, begin, end),
		cmocka_unit_test_setup_teardown(
			a_header_cannot_be_smuggled_into_a_reply, begin, end),
		cmocka_unit_test_setup_teardown(an_error_has_the_shape_of_the_service, begin, end),
		cmocka_unit_test_setup_teardown(a_handler_that_fails_is_a_500, begin, end),
		cmocka_unit_test_setup_teardown(a_body_may_have_a_mebibyte_and_no_more, begin, end),
		cmocka_unit_test_setup_teardown(half_of_a_truncated_reply_arrives, begin, end),
		cmocka_unit_test_setup_teardown(a_reset_is_a_reset, begin, end),
		cmocka_unit_test_setup_teardown(a_hanging_reply_never_comes, begin, end),
		cmocka_unit_test_setup_teardown(a_dripping_reply_comes_byte_by_byte, begin, end),
		cmocka_unit_test_setup_teardown(a_delay_comes_before_the_reply, begin, end),
		cmocka_unit_test_setup_teardown(
			a_pause_ends_what_hangs_and_refuses_what_comes, begin, end),
		cmocka_unit_test_setup_teardown(
			ports_that_are_off_and_the_admin_port_cannot_be_paused, begin, end),
		cmocka_unit_test_setup_teardown(the_admin_socket_is_ours_alone, begin, end),
		cmocka_unit_test_setup_teardown(
			tls_shows_a_certificate_that_the_ca_signed, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
