// SPDX-License-Identifier: MIT
// What a token source knew is nowhere in the process once it is closed: no token, client secret,
// assertion or private key, also not where libcurl and OpenSSL had it. The same for one request.
// Another process plays the token service, so that its copies are not found here.
#include "made_cert.h"
#include "memscan.h"
#include "provider_host.h"

#include "azure_token.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NEEDLE 32
#define CHARS 96 // of a token or client secret

struct world {
	struct provider_host host;
	struct azure_config config;
	struct http *http;
	struct token_source *tokens;
	struct kp_outcome o;
	int listener, news; // the service's socket; what it tells us
	pid_t service;
	char set[512], dir[64], file[80];
};

// What the service tells of each request: the end of the token it gave and of the assertion it got.
struct news {
	struct masked token, assertion;
};

static void make_text(char *out)
{
	unsigned char byte;
	for (size_t i = 0; i < CHARS; i++) {
		if (RAND_bytes(&byte, 1) != 1)
			abort();
		out[i] = (char)('a' + byte % 26);
	}
	out[CHARS] = '\0';
}

static void read_request(int fd, char *buf, size_t room)
{
	size_t len = 0, want = room - 1;
	while (len < want) {
		ssize_t n = read(fd, buf + len, want - len);
		if (n <= 0)
			_exit(1);
		len += (size_t)n;
		buf[len] = '\0';
		const char *end = strstr(buf, "\r\n\r\n");
		const char *size = strcasestr(buf, "\r\nContent-Length: ");
		if (end && size)
			want = (size_t)(end + 4 - buf) + strtoul(size + 18, NULL, 10);
	}
}

// The service: never returns.
static void serve(int listener, int tell)
{
	static char request[65536];
	char token[CHARS + 1], reply[512];
	for (;;) {
		struct news news = {0};
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(1);
		read_request(fd, request, sizeof(request));
		char *assertion = strstr(request, "client_assertion=");
		if (assertion) {
			size_t len = strcspn(assertion, "&");
			mask(&news.assertion, (uint8_t *)assertion + len - NEEDLE, NEEDLE);
			if (memscan_count(&news.assertion) == 0)
				_exit(1); // what cannot be found cannot be claimed to be gone
		}
		make_text(token);
		mask(&news.token, (uint8_t *)token + CHARS - NEEDLE, NEEDLE);
		if (write(tell, &news, sizeof(news)) != sizeof(news))
			_exit(1);
		int n = snprintf(reply, sizeof(reply),
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
			"{\"expires_in\":3600,\"access_token\":\"%s\"}",
			CHARS + 37, token);
		if (write(fd, reply, (size_t)n) != n)
			_exit(1);
		(void)close(fd);
	}
}

static void start_service(struct world *w)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int news[2];
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(w->listener, 5), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pipe(news), 0);
	(void)snprintf(w->set, sizeof(w->set),
		"{\"cmkdisk\":{\"azure\":{\"httpLoopback\":true,"
		"\"authorityHost\":\"http://127.0.0.1:%d\"}}}",
		ntohs(at.sin_port));
	w->service = fork();
	assert_true(w->service >= 0);
	if (w->service == 0)
		serve(w->listener, news[1]);
	(void)close(news[1]);
	w->news = news[0];
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	provider_host_init(&w->host);
	(void)snprintf(w->dir, sizeof(w->dir), "token.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->file, sizeof(w->file), "%s/pem", w->dir);
	start_service(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	(void)kill(w->service, SIGKILL);
	(void)waitpid(w->service, NULL, 0);
	(void)close(w->listener);
	(void)close(w->news);
	(void)unlink(w->file);
	assert_int_equal(rmdir(w->dir), 0);
	assert_int_equal(w->host.secrets, 0);
	free(w);
	return 0;
}

static void open_tokens(struct world *w, const char *const *environment)
{
	struct kp_err err;
	const struct cmk_key_ref ref = {.struct_size = sizeof(ref),
		.key_url = "https://v.vault.azure.net/keys/k",
		.config = w->set,
		.disk = "",
		.environment = environment};
	if (azure_config_read(&w->host.api, &ref, &w->config, &w->o) ||
		http_new(&w->host.api, &w->config, &w->http, &err) ||
		token_source_new(&w->host.api, &w->config, w->http, &w->tokens, &w->o))
		fail_msg("%s", w->o.err.text);
}

static void close_tokens(struct world *w)
{
	token_source_free(&w->tokens);
	http_free(&w->http);
	azure_config_free(&w->config);
}

static struct news get(struct world *w, bool fresh)
{
	const struct token_want want = {
		.resource = "https://vault.azure.net", .tenant = "", .fresh = fresh};
	const char *bearer = NULL;
	struct news news;
	if (token_get(w->tokens, &want, &bearer, &w->o) != CMK_GRANTED)
		fail_msg("%s", w->o.err.text);
	assert_int_equal(strlen(bearer), CHARS);
	assert_int_equal(read(w->news, &news, sizeof(news)), sizeof(news));
	return news;
}

static void a_token_and_the_client_secret_leave_no_trace(void **state)
{
	struct world *w = *state;
	const struct cmk_host *host = &w->host.api;
	static const char name[] = "AZURE_CLIENT_SECRET=";
	char *variable = host->secret_alloc(host, sizeof(name) + CHARS);
	struct masked secret;
	memcpy(variable, name, sizeof(name));
	make_text(variable + sizeof(name) - 1);
	mask(&secret, (uint8_t *)variable + sizeof(name) - 1 + CHARS - NEEDLE, NEEDLE);
	open_tokens(
		w, (const char *const[]){"AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", variable, NULL});
	struct news first = get(w, false);
	assert_int_equal(memscan_count(&first.token), 1); // the one that is in use
	assert_int_equal(memscan_count(&secret), 1);	  // the host's own
	struct news second = get(w, true);
	assert_int_equal(memscan_count(&first.token), 0);
	assert_int_equal(memscan_count(&second.token), 1);
	close_tokens(w);
	assert_int_equal(memscan_count(&second.token), 0);
	assert_int_equal(memscan_count(&secret), 1);
	host->secret_free(host, variable);
	assert_int_equal(memscan_count(&secret), 0);
}

// What a deep function that handled a text may leave behind when it returns.
static __attribute__((noinline)) void leave_on_stack(const char *text)
{
	volatile char room[48 * 1024];
	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = text[i % CHARS];
}

// As calls of a vault carry a token, and wrapping a data key.
static void a_requests_header_and_body_leave_no_trace(void **state)
{
	struct world *w = *state;
	const struct cmk_host *host = &w->host.api;
	char *sent[2], url[64];
	struct masked needle[2];
	struct http_reply reply;
	struct news news;
	for (int i = 0; i < 2; i++) {
		static const char name[] = "Authorization: Bearer ";
		sent[i] = host->secret_alloc(host, sizeof(name) + CHARS);
		memcpy(sent[i], name, sizeof(name));
		make_text(sent[i] + sizeof(name) - 1);
		mask(&needle[i], (uint8_t *)sent[i] + sizeof(name) - 1 + CHARS - NEEDLE, NEEDLE);
	}
	open_tokens(w, (const char *const[]){"AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c",
			       "AZURE_CLIENT_SECRET=not used", NULL});
	(void)snprintf(url, sizeof(url), "%s/keys/k", w->config.identity.authority_host);
	const struct http_request q = {.method = "POST",
		.url = url,
		.headers = {"Accept: application/json", sent[0]},
		.body = sent[1],
		.body_len = strlen(sent[1])};
	leave_on_stack(sent[0] + strlen(sent[0]) - CHARS);
	assert_true(memscan_count(&needle[0]) > 100);
	leave_on_stack(sent[0] + strlen(sent[0]) - CHARS);
	http_do(w->http, &q, &reply);
	assert_int_equal(reply.status, 200);
	assert_int_equal(read(w->news, &news, sizeof(news)), sizeof(news));
	assert_int_equal(memscan_count(&news.token), 1); // the reply's body
	http_reply_end(w->http, &reply);
	assert_int_equal(memscan_count(&news.token), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(memscan_count(&needle[i]), 1); // our own
		host->secret_free(host, sent[i]);
		assert_int_equal(memscan_count(&needle[i]), 0);
	}
	close_tokens(w);
}

enum { BYTES, WORDS, FORMS }; // as numbers are written, and as OpenSSL computes with them

static void mask_prime(const EVP_PKEY *key, struct masked form[FORMS])
{
	BIGNUM *p = NULL;
	unsigned char raw[128], reversed[128];
	if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR1, &p) ||
		BN_bn2binpad(p, raw, sizeof(raw)) != sizeof(raw))
		abort();
	for (size_t i = 0; i < sizeof(raw); i++)
		reversed[i] = raw[sizeof(raw) - 1 - i];
	mask(&form[BYTES], raw + 64, NEEDLE);
	mask(&form[WORDS], reversed + 64, NEEDLE);
	BN_clear_free(p);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(reversed, sizeof(reversed));
}

// Writes a key that this process has never seen; in a child that also shows that it can be found.
static void make_key(const struct world *w, struct masked form[FORMS])
{
	int tell[2], status = 0;
	assert_int_equal(pipe(tell), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct masked found[FORMS];
		struct made m = make(EVP_RSA_gen(2048), "a");
		put_pem(w->file, m.key, (X509 *[]){m.cert, NULL}, NULL);
		mask_prime(m.key, found);
		_exit(memscan_count(&found[WORDS]) == 0 ||
			write(tell[1], found, sizeof(found)) != sizeof(found));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(tell[0], form, FORMS * sizeof(*form)), FORMS * sizeof(*form));
	(void)close(tell[0]);
	(void)close(tell[1]);
}

static void a_private_key_and_its_assertion_leave_no_trace(void **state)
{
	struct world *w = *state;
	struct masked form[FORMS];
	char variable[256];
	make_key(w, form);
	(void)snprintf(variable, sizeof(variable), "AZURE_CLIENT_CERTIFICATE_PATH=%s", w->file);
	open_tokens(
		w, (const char *const[]){"AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", variable, NULL});
	struct news news = get(w, false);
	assert_int_equal(news.assertion.len, NEEDLE);
	assert_int_equal(memscan_count(&news.token), 1);
	assert_int_equal(memscan_count(&news.assertion), 0);
	assert_int_equal(memscan_count(&form[BYTES]), 0);
	assert_int_equal(memscan_count(&form[WORDS]), 0);
	close_tokens(w);
	assert_int_equal(memscan_count(&news.token), 0);
}

#define T(x) cmocka_unit_test_setup_teardown(x, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_requests_header_and_body_leave_no_trace),
		T(a_token_and_the_client_secret_leave_no_trace),
		T(a_private_key_and_its_assertion_leave_no_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
