// SPDX-License-Identifier: MIT
// The end of a control server: who waits for the daemon is told once, by whatever connection, who
// asks too late is not kept waiting, and nobody else's descriptor is touched.
#include "ctl_rig.h"

#include "json.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PLACES 16  // of the server
#define FDS_MAX 64 // of this process
#define REQUEST "{\"do\":\"echo\",\"text\":\"x\"}\n"

static int silent(const struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int asking(const struct fixture *f)
{
	int fd = silent(f);
	assert_int_equal(send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
	return fd;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

// Something has come by fd, or its end, without a long wait.
static bool is_told(int fd)
{
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000) == 1;
}

static bool is_told_of_the_end(int fd)
{
	char text[256] = "";
	return is_told(fd) && recv(fd, text, sizeof(text) - 1, 0) > 0 &&
	       strstr(text, "the mount is gone");
}

// All places are taken by those who say nothing.
static void who_waits_in_the_queue_is_let_go_as_well(void **state)
{
	struct fixture *f = *state;
	int fds[PLACES + 20];
	const size_t count = sizeof(fds) / sizeof(fds[0]);
	for (size_t i = 0; i < count; i++)
		fds[i] = silent(f);
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	ctl_server_stop(f->server);
	assert_false(ctl_daemon_listens(f->mountpoint, &d));
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 20), -ETIMEDOUT);
	ctl_server_release(f->server);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, TIMEOUT_MS), 0);
	for (size_t i = 0; i < count; i++)
		assert_true(is_told_of_the_end(fds[i]));
	close_all(fds, count);
}

static void who_asks_too_late_is_told_by_the_end_of_the_connection(void **state)
{
	struct fixture *f = *state;
	int fds[PLACES];
	for (size_t i = 0; i < PLACES; i++)
		fds[i] = silent(f);
	int late autoclose = asking(f);
	int tacit autoclose = silent(f);
	ctl_server_stop(f->server);
	char c;
	assert_true(is_told(late));
	assert_true(recv(late, &c, 1, MSG_DONTWAIT) <= 0);
	// It asks what nobody reads, and is told when those who wait are.
	assert_int_equal(send(tacit, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
	ctl_server_release(f->server);
	assert_true(is_told_of_the_end(tacit));
	close_all(fds, PLACES);
}

// As the server does after five seconds of silence.
static void a_line_that_is_closed_is_replaced_while_the_daemon_listens(void **state)
{
	struct fixture *f = *state;
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	assert_int_equal(shutdown(d.line, SHUT_RDWR), 0);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 100), -ETIMEDOUT);
	assert_true(d.line >= 0);
	ctl_server_stop(f->server);
	ctl_server_release(f->server);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, TIMEOUT_MS), 0);
}

static void a_line_that_is_lost_is_known_to_be(void **state)
{
	struct fixture *f = *state;
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	ctl_server_free(&f->server);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 100), -ETIMEDOUT);
	assert_int_equal(d.line, -1);
}

static void open_descriptors(bool open[FDS_MAX])
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		open[fd] = fcntl(fd, F_GETFD) >= 0;
}

// The server's end of a connection that is answered; *mine is the other one.
static int servers_end(const struct fixture *f, int *mine)
{
	bool before[FDS_MAX], after[FDS_MAX];
	char c;
	open_descriptors(before);
	*mine = asking(f);
	assert_int_equal(recv(*mine, &c, 1, 0), 1);
	open_descriptors(after);
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (after[fd] && !before[fd] && fd != *mine)
			return fd;
	fail_msg("the server has no descriptor for a connection");
	return -1;
}

static void the_number_of_a_closed_connection_belongs_to_whoever_has_it_next(void **state)
{
	struct fixture *f = *state;
	int mine autoclose = -1;
	int pair[2];
	const int theirs = servers_end(f, &mine);
	assert_int_equal(shutdown(mine, SHUT_WR), 0);
	while (fcntl(theirs, F_GETFD) >= 0)
		(void)sched_yield();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (pair[0] != theirs) {
		assert_int_equal(dup2(pair[0], theirs), theirs);
		(void)close(pair[0]);
	}
	char c;
	ctl_server_stop(f->server);
	ctl_server_release(f->server);
	assert_int_equal(recv(pair[1], &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	ctl_server_free(&f->server);
	assert_true(fcntl(theirs, F_GETFD) >= 0);
	(void)close(theirs);
	(void)close(pair[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ctl_rig_set_up, ctl_rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_waits_in_the_queue_is_let_go_as_well),
		TEST(who_asks_too_late_is_told_by_the_end_of_the_connection),
		TEST(a_line_that_is_closed_is_replaced_while_the_daemon_listens),
		TEST(a_line_that_is_lost_is_known_to_be),
		TEST(the_number_of_a_closed_connection_belongs_to_whoever_has_it_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
