// SPDX-License-Identifier: MIT
// cmkdisk status: of one mount or of all, once or again and again.
#include "cli.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "print.h"
#include "remote.h"
#include "scope.h"
#include "status_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct args {
	bool json, watch;
};

static const struct cli_option options[] = {
	{0, "json", NULL, "print JSON: an array with one object per mount"},
	{'w', "watch", NULL, "again every second, until interrupted"},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	(void)value;
	(void)err;
	struct args *a = ctx;
	if (o->letter == 'w')
		a->watch = true;
	else
		a->json = true;
	return 0;
}

struct collection {
	struct json *list;  // of mounts
	struct json *known; // sockets that were asked already
	int rc;		    // what prevents an answer of ours
	int silent;	    // the first mount that does not answer: its -errno
	struct errmsg *err; // and its sentence
};

// A mount that is there and has nobody who answers for it belongs in the list, too.
static int add_silent(struct collection *c, const char *at, int why_rc, const struct errmsg *why)
{
	struct json *o = NULL;
	if (!c->silent) {
		c->silent = why_rc;
		*c->err = *why;
	}
	int rc = json_object(&o);
	if (!rc)
		rc = json_push(c->list, o);
	if (!rc)
		rc = json_add_bool(o, "ok", false);
	if (!rc)
		rc = json_add_str(o, "mountpoint", at);
	if (!rc)
		rc = json_add_int(o, "errno", -why_rc);
	return rc ? rc : json_add_str(o, "error", why->text);
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
	int rc = remote_call(at, "status", NULL, REMOTE_AT_ONCE_MS, &reply, &why);
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
	rc = ctl_call_socket(socket, request, REMOTE_AT_ONCE_MS, &reply, &why);
	if (rc) {
		errmsg_prefix(&why, "%s", socket);
		return add_silent(c, NULL, rc, &why);
	}
	rc = mark_detached(reply);
	int pushed = json_push(c->list, reply);
	return rc ? rc : pushed;
}

// *silent: the first mount that does not answer; it is in the list, and its sentence in err.
static int collect(const char *mountpoint, struct json *list, int *silent, struct errmsg *err)
{
	*silent = 0;
	if (mountpoint) {
		struct json *reply = NULL;
		int rc = remote_call(mountpoint, "status", NULL, REMOTE_AT_ONCE_MS, &reply, err);
		return rc ? rc : json_push(list, reply);
	}
	struct json *known scoped(json_free) = NULL;
	struct collection c = {.list = list, .err = err};
	c.rc = json_array(&known);
	c.known = known;
	mountpoint_each_mine(add_mounted, &c);
	if (!c.rc)
		c.rc = ctl_each(add_socket, &c);
	*silent = c.silent;
	return c.rc ? errmsg_set(err, -c.rc, "the runtime directory: %s", strerror(-c.rc)) : 0;
}

static int show(const char *mountpoint, const struct args *a, int *silent, struct errmsg *err)
{
	struct json *list scoped(json_free) = NULL;
	int rc = json_array(&list);
	if (!rc)
		rc = collect(mountpoint, list, silent, err);
	if (rc)
		return rc;
	if (a->json)
		return print_json_value(list);
	if (json_array_len(list) == 0)
		printf("no cmkdisk mounts\n");
	for (size_t i = 0; i < json_array_len(list); i++)
		status_text(json_array_at(list, i));
	return 0;
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	struct args a = {false, false};
	struct cli_operands operands;
	int silent, rc = cli_parse(self, argc, argv, set, &a, 0, 1, &operands, err);
	if (rc)
		return rc;
	const char *mountpoint = operands.count ? operands.at[0] : NULL;
	bool in_place = a.watch && !a.json && isatty(STDOUT_FILENO);
	for (;;) {
		if (in_place)
			printf("\033[H\033[2J");
		rc = show(mountpoint, &a, &silent, err);
		if (rc || fflush(stdout) == EOF)
			return rc;
		if (!a.watch)
			return silent;
		(void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
}

const struct cli_command cmd_status = {
	.name = "status",
	.operands = "[MOUNTPOINT]",
	.summary = "Show the disks of a mount, or of all mounts, and their leases",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
