// SPDX-License-Identifier: MIT
// cmkdisk metrics: the status of one mount or of all mounts, for Prometheus.
#include "cli.h"
#include "clock.h"
#include "collect.h"
#include "json.h"
#include "metrics_families.h"
#include "remote.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
	{'f', "format", "FORMAT",
		"prometheus (the default: Prometheus' text format) or openmetrics"},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	bool *openmetrics = ctx;
	(void)o;
	*openmetrics = !strcmp(value, "openmetrics");
	if (*openmetrics || !strcmp(value, "prometheus"))
		return 0;
	return errmsg_set(
		err, EINVAL, "--format %s: must be \"prometheus\" or \"openmetrics\"", value);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	bool openmetrics = false;
	struct cli_operands operands;
	struct json *list scoped(json_free) = NULL;
	int silent, rc = cli_parse(self, argc, argv, set, &openmetrics, 0, 1, &operands, err);
	if (rc)
		return rc;
	const char *mountpoint = operands.count ? operands.at[0] : NULL;
	rc = json_array(&list);
	if (!rc)
		rc = collect_all_told(mountpoint, REMOTE_AT_ONCE_MS, list, &silent, err);
	if (!rc)
		rc = metrics_print(stdout, list, openmetrics, clock_wall_s(clock_real()));
	// Of all mounts, one that does not answer is no failure: that is what cmkdisk_up is for.
	return rc || !mountpoint ? rc : silent;
}

const struct cli_command cmd_metrics = {
	.name = "metrics",
	.operands = "[MOUNTPOINT]",
	.summary = "Print the state of disks, keys and checks as metrics for Prometheus",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
