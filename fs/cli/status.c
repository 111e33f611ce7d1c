// SPDX-License-Identifier: MIT
// cmkdisk status: of one mount or of all, once or again and again.
#include "cli.h"
#include "collect.h"
#include "json.h"
#include "print.h"
#include "remote.h"
#include "scope.h"
#include "status_text.h"
#include "status_watch.h"

#include <stdio.h>

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

static int show(const char *mountpoint, const struct args *a, int *silent, struct errmsg *err)
{
	struct json *list scoped(json_free) = NULL;
	int rc = json_array(&list);
	if (!rc)
		rc = collect_status(mountpoint, REMOTE_AT_ONCE_MS, list, silent, err);
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
	if (a.watch)
		return status_watch(mountpoint, a.json, err);
	rc = show(mountpoint, &a, &silent, err);
	return rc ? rc : silent;
}

const struct cli_command cmd_status = {
	.name = "status",
	.operands = "[MOUNTPOINT]",
	.summary = "Show the disks of a mount, or of all mounts, and their leases",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
