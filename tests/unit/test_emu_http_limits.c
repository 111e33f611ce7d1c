// SPDX-License-Identifier: MIT
// What the emulator's HTTP spends on a client at most: so many connections, and so much time for
// one without traffic.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu_http.h"
#include "emu_time.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD 256
#define PATIENCE_MS 20000

struct rig {
	struct emu_http *http;
	uint16_t port;
};

static int handle(void *ctx, struct emu_request *q, struct emu_reply *r)
{
	(void)ctx;
	r->status = 204;
	r->manner = strcmp(q->path, "/hang") == 0 ? EMU_HANG : EMU_WHOLE;
	return 0;
}

static void listen_at(struct rig *g, enum emu_port port)
{
	char bound[64];
	struct kp_err err = {""};
	const struct emu_listen l = {.port = port, .address = "127.0.0.1:0"};
	if (emu_http_listen(g->http, &l, bound, &err))
		fail_msg("%s", err.text);
	g->port = (uint16_t)strtoul(strrchr(bound, ':') + 1, NULL, 10);
}

static int begin(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	assert_non_null(g);
	assert_int_equal(emu_http_new(handle, g, &g->http), 0);
	*state = g;
	return 0;
}

static int end(void **state)
{
	struct rig *g = *state;
	emu_http_free(&g->http);
	free(g);
	return 0;
}

static int connect_to(const struct rig *g)
{
	const struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(g->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

// Bytes of an answer; 0 or less: the connection ended without one.
static ssize_t answer(int fd)
{
	char text[512];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	return read(fd, text, sizeof(text));
}

static bool served(const struct rig *g, const char *path)
{
	char request[100];
	int fd = connect_to(g);
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	bool came = send(fd, request, (size_t)n, MSG_NOSIGNAL) == n && answer(fd) > 0;
	(void)close(fd);
	return came;
}

static void only_so_many_connections_are_served_at_a_time(void **state)
{
	struct rig *g = *state;
	int crowd[CROWD];
	listen_at(g, EMU_IMDS);
	for (size_t i = 0; i + 1 < CROWD; i++)
		crowd[i] = connect_to(g);
	crowd[CROWD - 1] = -1;
	assert_true(served(g, "/")); // the last place
	crowd[CROWD - 1] = connect_to(g);
	int64_t until = emu_monotonic_ms() + PATIENCE_MS;
	// The place of the one that was served may take a moment to be free again.
	while (served(g, "/"))
		assert_true(emu_monotonic_ms() < until);
	for (size_t i = 0; i < CROWD; i++)
		(void)close(crowd[i]);
	while (!served(g, "/"))
		assert_true(emu_monotonic_ms() < until);
}

static void a_connection_without_traffic_ends_also_one_that_hangs(void **state)
{
	struct rig *g = *state;
	emu_http_idle(g->http, 1);
	listen_at(g, EMU_IMDS);
	int fd = connect_to(g);
	assert_int_equal(answer(fd), 0);
	(void)close(fd);
	int64_t began = emu_monotonic_ms();
	assert_false(served(g, "/hang"));
	assert_in_range(emu_monotonic_ms() - began, 900, PATIENCE_MS);
	assert_true(served(g, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			only_so_many_connections_are_served_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(
			a_connection_without_traffic_ends_also_one_that_hangs, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
