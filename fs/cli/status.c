// SPDX-License-Identifier: MIT
// cmkdisk status: of one mount or of all, once or again and again.
#include "cli.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "path.h"
#include "print.h"
#include "remote.h"
#include "scope.h"
#include "status_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 5000

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

// Adds the mount behind one socket; one that does not answer is told and passed over.
static int add_mount(void *ctx, const char *socket_path)
{
	struct json *list = ctx, *request scoped(json_free) = NULL, *reply = NULL;
	struct errmsg err = {{0}};
	int rc = json_object(&request);
	if (!rc)
		rc = json_add_str(request, "op", "status");
	if (rc)
		return rc;
	if (ctl_call_socket(socket_path, request, TIMEOUT_MS, &reply, &err)) {
		fprintf(stderr, "cmkdisk: %s\n", err.text);
		return 0;
	}
	return json_push(list, reply);
}

// A mount that a daemon left behind is told and passed over. Others without a daemon of ours are
// not looked at: they may belong to another namespace, and be stuck.
static void tell_stale(void *ctx, const char *at)
{
	(void)ctx;
	struct errmsg err = {{0}};
	if (ctl_probe(at) != -ECONNREFUSED)
		return;
	(void)path_failed(at, ENOTCONN, &err);
	fprintf(stderr, "cmkdisk: %s\n", err.text);
}

static int collect(const char *mountpoint, struct json **list, struct errmsg *err)
{
	int rc = json_array(list);
	if (rc)
		return errmsg_set(err, -rc, "%s", strerror(-rc));
	if (!mountpoint) {
		rc = ctl_each(add_mount, *list);
		mountpoint_each_mine(tell_stale, NULL);
		return rc ? errmsg_set(err, -rc, "the runtime directory: %s", strerror(-rc)) : 0;
	}
	struct json *reply = NULL;
	rc = remote_call(mountpoint, "status", NULL, TIMEOUT_MS, &reply, err);
	return rc ? rc : json_push(*list, reply);
}

static int show(const char *mountpoint, const struct args *a, struct errmsg *err)
{
	struct json *list scoped(json_free) = NULL;
	int rc = collect(mountpoint, &list, err);
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
	int rc = cli_parse(self, argc, argv, set, &a, 0, 1, &operands, err);
	if (rc)
		return rc;
	const char *mountpoint = operands.count ? operands.at[0] : NULL;
	bool in_place = a.watch && !a.json && isatty(STDOUT_FILENO);
	for (;;) {
		if (in_place)
			printf("\033[H\033[2J");
		rc = show(mountpoint, &a, err);
		if (rc || !a.watch || fflush(stdout) == EOF)
			return rc;
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
