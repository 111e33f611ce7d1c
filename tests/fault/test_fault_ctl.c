// SPDX-License-Identifier: MIT
// The control socket when memory, descriptors, threads or socket calls fail on either end: the
// server comes up whole or leaves no file behind; a request is answered or fails with a sentence
// that does not blame the one who asked.
#include "ctl_rig.h"
#include "nth_fault.h"

#include "json.h"
#include "scope.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ALL_MEMORY (FAULT_MEMORY | FAULT_LIBRARY)
#define PATIENCE_MS 400u // a server that cannot accept does not answer

struct talking {
	struct fixture *f;
	struct json *request;
};

static int set_up(void **state)
{
	struct talking *t = calloc(1, sizeof(*t));
	int r = t ? ctl_rig_set_up(state) : -1;
	if (r)
		return r;
	t->f = *state;
	ctl_server_free(&t->f->server);
	t->request = request_of("echo", "text");
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct talking *t = *state;
	*state = t->f;
	json_free(&t->request);
	free(t);
	return ctl_rig_tear_down(state);
}

static int call(struct talking *t, unsigned timeout_ms, struct errmsg *err)
{
	struct json *reply scoped(json_free) = NULL;
	int r = ctl_call(t->f->mountpoint, t->request, timeout_ms, &reply, err);
	const char *back = r ? NULL : json_str(reply, "text");
	return r || (back && strcmp(back, "text") == 0) ? r : -EPROTO;
}

// A server, one question, and the end.
static int serve_and_ask(void *ctx, struct errmsg *err)
{
	struct talking *t = ctx;
	struct ctl_server *s scoped(ctl_server_free) = NULL;
	int r = ctl_server_new(t->f->mountpoint, ctl_rig_handler, t->f, NULL, &s, err);
	return r ? r : call(t, PATIENCE_MS, err);
}

static void no_socket_is_left(void *ctx, int result)
{
	struct talking *t = ctx;
	(void)result;
	assert_int_equal(access(t->f->socket, F_OK), -1);
}

static void a_server_comes_up_whole_or_leaves_nothing(void **state)
{
	// EIO: the server closed the connection, which it does when it cannot even refuse.
	static const int memory[] = {ENOMEM, EIO, 0};
	static const int threads[] = {EAGAIN, EIO, 0};
	static const int sockets[] = {ENOBUFS, EIO, ETIMEDOUT, 0};
	FAULT_EVERY("server and question, memory", ALL_MEMORY, serve_and_ask, .ctx = *state,
		.errors = memory, .after = no_socket_is_left);
	FAULT_EVERY("server and question, threads", FAULT_START, serve_and_ask, .ctx = *state,
		.errnum = EAGAIN, .errors = threads, .after = no_socket_is_left);
	FAULT_EVERY("server and question, sockets", FAULT_SOCKET, serve_and_ask, .ctx = *state,
		.errnum = ENOBUFS, .errors = sockets, .after = no_socket_is_left);
}

static int only_ask(void *ctx, struct errmsg *err)
{
	return call(ctx, PATIENCE_MS, err);
}

static void answers_the_next_one(void *ctx, int result)
{
	struct errmsg err = {.text = ""};
	(void)result;
	if (call(ctx, TIMEOUT_MS, &err))
		fail_msg("%s", err.text);
}

static void a_server_outlives_short_memory(void **state)
{
	static const int memory[] = {ENOMEM, EIO, 0};
	static const int sockets[] = {ENOBUFS, EIO, ETIMEDOUT, 0};
	struct talking *t = *state;
	struct errmsg err = {.text = ""};
	if (ctl_server_new(t->f->mountpoint, ctl_rig_handler, t->f, NULL, &t->f->server, &err))
		fail_msg("%s", err.text);
	// Its connections end in their own time, with their descriptors.
	FAULT_EVERY("question, memory", ALL_MEMORY, only_ask, .ctx = t, .errors = memory,
		.after = answers_the_next_one, .keeps_descriptors = true);
	FAULT_EVERY("question, sockets", FAULT_SOCKET, only_ask, .ctx = t, .errnum = ENOBUFS,
		.errors = sockets, .after = answers_the_next_one, .keeps_descriptors = true);
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_server_comes_up_whole_or_leaves_nothing),
		WITH_RIG(a_server_outlives_short_memory),
	};
	cJSON_InitHooks(&(cJSON_Hooks){fault_malloc, fault_free});
	return cmocka_run_group_tests(tests, NULL, NULL);
}
