// SPDX-License-Identifier: MIT
// Requests over the control socket: replies, errors, and what a bad client can do to the others
// (nothing).
#include "ctl_rig.h"

#include "json.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

static int raw_connect(const struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

// Everything up to the next line break, or the end.
static size_t raw_line(int fd, char *out, size_t room)
{
	size_t n = 0;
	while (n + 1 < room && recv(fd, out + n, 1, 0) == 1 && out[n] != '\n')
		n++;
	out[n] = '\0';
	return n;
}

static void a_request_is_answered_and_the_peer_is_known(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	assert_int_equal(echo(f->mountpoint, "hello\n\xc3\xa4", &err), 0);
	assert_int_equal(f->peer.pid, getpid());
	assert_int_equal(f->peer.uid, geteuid());
	struct stat st;
	assert_int_equal(lstat(f->socket, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void an_error_arrives_as_errno_and_sentence(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	struct json *a scoped(json_free) = NULL;
	struct json *fail scoped(json_free) = request_of("fail", "");
	assert_int_equal(ctl_call(f->mountpoint, fail, TIMEOUT_MS, &a, &err), -EKEYREVOKED);
	assert_non_null(strstr(err.text, "the key is gone"));
	struct json *mute scoped(json_free) = request_of("mute", "");
	assert_int_equal(ctl_call_socket(f->socket, mute, TIMEOUT_MS, &a, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space"));
	assert_null(a);
}

static void without_a_daemon_the_sentence_says_so(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	assert_int_equal(echo(f->base, "x", &err), -ENOENT);
	assert_non_null(strstr(err.text, "no cmkdisk daemon serves"));
	assert_non_null(strstr(err.text, "cmkdisk status"));
	assert_int_equal(echo("relative", "x", &err), -EINVAL);
	struct ctl_daemon d;
	assert_int_equal(ctl_daemon(f->base, &d), -ENOENT);
}

static void garbage_is_answered_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	const char *bad[] = {"", "hello", "{\"do\":", "[]", "3", "{} {}", "\x01\xff"};
	int fd autoclose = raw_connect(f);
	char line[1024];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(send(fd, bad[i], strlen(bad[i]), MSG_NOSIGNAL), strlen(bad[i]));
		assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
		assert_true(raw_line(fd, line, sizeof(line)) > 0);
		assert_non_null(strstr(line, "\"ok\":false"));
		assert_non_null(strstr(line, "one JSON object"));
	}
	// The same connection is good for a good request, also two at once.
	const char two[] = "{\"do\":\"echo\",\"text\":\"1\"}\n{\"do\":\"echo\",\"text\":\"2\"}\n";
	assert_int_equal(send(fd, two, strlen(two), MSG_NOSIGNAL), strlen(two));
	(void)raw_line(fd, line, sizeof(line));
	assert_non_null(strstr(line, "\"1\""));
	(void)raw_line(fd, line, sizeof(line));
	assert_non_null(strstr(line, "\"2\""));
}

static void a_line_of_more_than_64_kib_is_refused(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	char *text autofree = malloc(70001);
	memset(text, 'a', 70000);
	text[70000] = '\0';
	assert_int_equal(echo(f->mountpoint, text, &err), -EMSGSIZE);
	text[65000] = '\0';
	assert_int_equal(echo(f->mountpoint, text, &err), 0);
}

static void silent_and_half_spoken_clients_do_not_block_others(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	int fds[15];
	for (size_t i = 0; i < 15; i++) {
		fds[i] = raw_connect(f);
		if (i % 2)
			assert_int_equal(send(fds[i], "{\"do\"", 5, MSG_NOSIGNAL), 5);
	}
	struct timespec a;
	struct timespec b;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 20; i++)
		assert_int_equal(echo(f->mountpoint, "x", &err), 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec < 4); // less than the silence they are granted
	for (size_t i = 0; i < 15; i++)
		(void)close(fds[i]);
}

static void *echo_many(void *arg)
{
	struct fixture *f = arg;
	struct errmsg err = {0};
	intptr_t failed = 0;
	for (int i = 0; i < 20; i++)
		failed += echo(f->mountpoint, "many", &err) != 0;
	return (void *)failed;
}

static void many_clients_at_once_are_all_answered(void **state)
{
	struct fixture *f = *state;
	pthread_t t[40];
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(pthread_create(&t[i], NULL, echo_many, f), 0);
	for (size_t i = 0; i < 40; i++) {
		void *failed = NULL;
		assert_int_equal(pthread_join(t[i], &failed), 0);
		assert_null(failed);
	}
}

static void a_call_gives_up_after_its_timeout(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	struct json *a scoped(json_free) = NULL;
	struct json *q scoped(json_free) = request_of("wait", "");
	atomic_store(&f->hold, true);
	assert_int_equal(ctl_call(f->mountpoint, q, 50, &a, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "did not answer"));
	atomic_store(&f->hold, false);
}

static void *call_wait(void *arg)
{
	struct fixture *f = arg;
	struct json *q scoped(json_free) = request_of("wait", "");
	struct json *a scoped(json_free) = NULL;
	return (void *)(intptr_t)ctl_call(f->mountpoint, q, TIMEOUT_MS, &a, NULL);
}

static void *release_later(void *arg)
{
	struct fixture *f = arg;
	while (access(f->socket, F_OK) == 0) // until ctl_server_free() is under way
		(void)sched_yield();
	atomic_store(&f->hold, false);
	return NULL;
}

static void free_waits_for_the_handler_and_its_reply(void **state)
{
	struct fixture *f = *state;
	pthread_t caller;
	pthread_t releaser;
	atomic_store(&f->hold, true);
	assert_int_equal(pthread_create(&caller, NULL, call_wait, f), 0);
	while (atomic_load(&f->inside) == 0)
		(void)sched_yield();
	assert_int_equal(pthread_create(&releaser, NULL, release_later, f), 0);
	int idle autoclose = raw_connect(f); // is let go at once
	ctl_server_free(&f->server);
	assert_int_equal(atomic_load(&f->inside), 0);
	void *r = NULL;
	assert_int_equal(pthread_join(caller, &r), 0);
	assert_null(r);
	assert_int_equal(pthread_join(releaser, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ctl_rig_set_up, ctl_rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_the_peer_is_known),
		TEST(an_error_arrives_as_errno_and_sentence),
		TEST(without_a_daemon_the_sentence_says_so),
		TEST(garbage_is_answered_with_a_sentence),
		TEST(a_line_of_more_than_64_kib_is_refused),
		TEST(silent_and_half_spoken_clients_do_not_block_others),
		TEST(many_clients_at_once_are_all_answered),
		TEST(a_call_gives_up_after_its_timeout),
		TEST(free_waits_for_the_handler_and_its_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
