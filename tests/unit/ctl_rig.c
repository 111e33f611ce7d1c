// SPDX-License-Identifier: MIT
// A control server in this process, for a mount point that is a private directory.
#include "ctl_rig.h"

#include "json.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

int ctl_rig_handler(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err)
{
	struct fixture *f = ctx;
	const char *what = json_str(request, "do");
	if (what && strcmp(what, "fail") == 0)
		return errmsg_set(err, EKEYREVOKED, "the key is gone; ask for it back");
	if (what && strcmp(what, "mute") == 0)
		return -ENOSPC;
	if (what && strcmp(what, "wait") == 0) {
		(void)atomic_fetch_add(&f->inside, 1);
		while (atomic_load(&f->hold))
			(void)sched_yield();
		(void)atomic_fetch_sub(&f->inside, 1);
		return 0;
	}
	(void)pthread_mutex_lock(&f->lock);
	f->peer = *peer;
	(void)pthread_mutex_unlock(&f->lock);
	const char *text = json_str(request, "text");
	if (json_object(reply) || json_add_str(*reply, "text", text))
		return -ENOMEM;
	return 0;
}

int ctl_rig_set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	*f = (struct fixture){.lock = PTHREAD_MUTEX_INITIALIZER};
	struct errmsg err = {0};
	(void)snprintf(f->base, sizeof(f->base), "/tmp/cmkdisk-ctl-XXXXXX");
	assert_non_null(mkdtemp(f->base));
	// The runtime directory of an ordinary user must not be the real one.
	assert_int_equal(setenv("XDG_RUNTIME_DIR", f->base, 1), 0);
	(void)snprintf(f->mountpoint, sizeof(f->mountpoint), "%.63s/mnt", f->base);
	assert_int_equal(mkdir(f->mountpoint, 0700), 0);
	if (ctl_server_new(f->mountpoint, ctl_rig_handler, f, NULL, &f->server, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ctl_socket_path(f->mountpoint, f->socket, sizeof(f->socket), &err), 0);
	*state = f;
	return 0;
}

int ctl_rig_tear_down(void **state)
{
	struct fixture *f = *state;
	char dir[80];
	ctl_server_free(&f->server);
	assert_int_equal(access(f->socket, F_OK), -1);
	(void)snprintf(dir, sizeof(dir), "%.63s/cmkdisk", f->base);
	(void)rmdir(dir); // there only for ordinary users
	assert_int_equal(rmdir(f->mountpoint), 0);
	assert_int_equal(rmdir(f->base), 0);
	return 0;
}

struct json *request_of(const char *what, const char *text)
{
	struct json *j;
	assert(json_object(&j) == 0 && json_add_str(j, "do", what) == 0 &&
		json_add_str(j, "text", text) == 0);
	return j;
}

int echo(const char *mountpoint, const char *text, struct errmsg *err)
{
	struct json *q scoped(json_free) = request_of("echo", text);
	struct json *a scoped(json_free) = NULL;
	int r = ctl_call(mountpoint, q, TIMEOUT_MS, &a, err);
	if (r)
		return r;
	bool ok = false;
	const char *back = json_str(a, "text");
	return json_bool(a, "ok", &ok) && ok && back && strcmp(back, text) == 0 ? 0 : -EPROTO;
}
