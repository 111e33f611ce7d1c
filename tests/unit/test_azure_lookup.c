// SPDX-License-Identifier: MIT
// A name server that is silent: a request for which a name must be looked up ends by its deadline,
// and leaves nobody waiting. This program's getaddrinfo() stands before that of the C library, also
// for libcurl.
#include "azure_fixture.h"

#include "azure_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <time.h>

#define GIVEN_MS 300
#define SLACK_MS 700 // a busy machine

const curl_version_info_data *__real_curl_version_info(CURLversion which);
const curl_version_info_data *__wrap_curl_version_info(CURLversion which);

static struct {
	sem_t asked, answer, ended;
	bool no_resolver; // libcurl seems to be built without one of its own
} world;

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
	const struct addrinfo *hints, struct addrinfo **found)
{
	(void)name, (void)service, (void)hints;
	*found = NULL;
	(void)sem_post(&world.asked);
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5; // so that a test that fails ends
	(void)sem_timedwait(&world.answer, &until);
	(void)sem_post(&world.ended);
	return EAI_AGAIN;
}

const curl_version_info_data *__wrap_curl_version_info(CURLversion which)
{
	static curl_version_info_data changed;
	const curl_version_info_data *real = __real_curl_version_info(which);
	changed = *real;
	if (world.no_resolver)
		changed.features &= ~CURL_VERSION_ASYNCHDNS;
	return &changed;
}

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ask(struct http *http)
{
	struct http_reply reply;
	const struct http_request q = {.method = "GET",
		.url = "https://contoso.vault.azure.net/keys/k",
		.timeout_ms = GIVEN_MS};
	int64_t began = now_ms();
	http_do(http, &q, &reply);
	assert_in_range(now_ms() - began, 0, GIVEN_MS + SLACK_MS);
	assert_int_equal(reply.failure, HTTP_TIMEOUT);
	require_text(reply.err.text, "did not answer within 300 ms");
	http_reply_end(http, &reply);
}

static void a_lookup_that_hangs_ends_at_the_deadline_and_holds_nobody(void **state)
{
	(void)state;
	struct provider_host host;
	struct azure_config config = plain_config();
	struct http *http = NULL;
	struct kp_err err;
	provider_host_init(&host);
	assert_int_equal(http_new(&host.api, &config, &http, &err), 0);
	ask(http);
	ask(http); // the handle is good for another
	int64_t began = now_ms();
	http_free(&http);
	assert_in_range(now_ms() - began, 0, SLACK_MS);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sem_trywait(&world.asked), 0);
	assert_int_not_equal(sem_trywait(&world.ended), 0); // all this while it hung
	for (int i = 0; i < 2; i++)
		(void)sem_post(&world.answer);
	for (int i = 0; i < 2; i++)
		(void)sem_wait(&world.ended);
	assert_int_equal(host.secrets, 0);
}

static void a_libcurl_that_could_not_give_up_is_refused(void **state)
{
	(void)state;
	struct provider_host host;
	struct azure_config config = plain_config();
	struct http *http = NULL;
	struct kp_err err = {""};
	provider_host_init(&host);
	world.no_resolver = true;
	int ret = http_new(&host.api, &config, &http, &err);
	world.no_resolver = false;
	assert_int_equal(ret, -EIO);
	assert_null(http);
	require_text(err.text, "without its threaded or c-ares resolver");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lookup_that_hangs_ends_at_the_deadline_and_holds_nobody),
		cmocka_unit_test(a_libcurl_that_could_not_give_up_is_refused),
	};
	(void)sem_init(&world.asked, 0, 0);
	(void)sem_init(&world.answer, 0, 0);
	(void)sem_init(&world.ended, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
