// SPDX-License-Identifier: MIT
// See collect.h.
#include "collect.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "remote.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct collection {
	struct json *list;  // of mounts
	struct json *known; // sockets that were asked already
	unsigned timeout_ms;
	int rc;		    // what prevents an answer of ours
	int silent;	    // the first mount that does not answer: its -errno
	struct errmsg *err; // and its sentence
};

static int push_silent(struct json *list, const char *at, int why_rc, const struct errmsg *why)
{
	struct json *o = NULL;
	int rc = json_object(&o);
	if (!rc)
		rc = json_push(list, o);
	if (!rc)
		rc = json_add_bool(o, "ok", false);
	if (!rc)
		rc = json_add_str(o, "mountpoint", at);
	if (!rc)
		rc = json_add_int(o, "errno", -why_rc);
	return rc ? rc : json_add_str(o, "error", why->text);
}

// A mount that is there and has nobody who answers for it belongs in the list, too.
static int add_silent(struct collection *c, const char *at, int why_rc, const struct errmsg *why)
{
	if (!c->silent) {
		c->silent = why_rc;
		*c->err = *why;
	}
	return push_silent(c->list, at, why_rc, why);
}

static void add_mounted(void *ctx, const char *at)
{
	struct collection *c = ctx;
	struct json *reply = NULL;
	struct errmsg why = {{0}};
	char socket[256];
	if (c->rc)
		return;
	if (!ctl_socket_path(at, socket, sizeof(socket), NULL))
		c->rc = json_push_str(c->known, socket);
	int rc = remote_call(at, "status", NULL, c->timeout_ms, &reply, &why);
	if (rc == -ENOENT)
		return; // its daemon lives, and belongs to another runtime directory
	if (!c->rc)
		c->rc = rc ? add_silent(c, at, rc, &why) : json_push(c->list, reply);
	else
		json_free(&reply);
}

// A daemon without a mount: taken away lazily while files were open, or stuck at its end.
static int mark_detached(struct json *mount)
{
	const char *at = json_str(mount, "mountpoint");
	int64_t pid = 0;
	if (!at || !json_int(mount, "pid", &pid) || mountpoint_seen_by((pid_t)pid, at, NULL))
		return 0;
	return json_add_bool(mount, "detached", true);
}

static int add_socket(void *ctx, const char *socket)
{
	struct collection *c = ctx;
	struct json *request scoped(json_free) = NULL, *reply = NULL;
	struct errmsg why = {{0}};
	for (size_t i = 0; i < json_array_len(c->known); i++)
		if (!strcmp(json_as_str(json_array_at(c->known, i)), socket))
			return 0;
	int rc = remote_request("status", NULL, &request);
	if (rc)
		return rc;
	rc = ctl_call_socket(socket, request, c->timeout_ms, &reply, &why);
	if (rc) {
		errmsg_prefix(&why, "%s", socket);
		return add_silent(c, NULL, rc, &why);
	}
	rc = mark_detached(reply);
	int pushed = json_push(c->list, reply);
	return rc ? rc : pushed;
}

int collect_status(const char *mountpoint, unsigned timeout_ms, struct json *list, int *silent,
	struct errmsg *err)
{
	*silent = 0;
	if (mountpoint) {
		struct json *reply = NULL;
		int rc = remote_call(mountpoint, "status", NULL, timeout_ms, &reply, err);
		return rc ? rc : json_push(list, reply);
	}
	struct json *known scoped(json_free) = NULL;
	struct collection c = {.list = list, .timeout_ms = timeout_ms, .err = err};
	c.rc = json_array(&known);
	c.known = known;
	mountpoint_each_mine(add_mounted, &c);
	if (!c.rc)
		c.rc = ctl_each(add_socket, &c);
	*silent = c.silent;
	return c.rc ? errmsg_set(err, -c.rc, "the runtime directory: %s", strerror(-c.rc)) : 0;
}

int collect_all_told(const char *mountpoint, unsigned timeout_ms, struct json *list, int *silent,
	struct errmsg *err)
{
	char resolved[PATH_MAX];
	int rc = collect_status(mountpoint, timeout_ms, list, silent, err);
	if (!rc || !mountpoint || rc == -ENOMEM)
		return rc;
	*silent = rc;
	bool there = mountpoint_resolve(mountpoint, resolved, NULL) == 0;
	return push_silent(list, there ? resolved : mountpoint, rc, err);
}
