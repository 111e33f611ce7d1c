// SPDX-License-Identifier: MIT
// cmkdisk lock and cmkdisk unlock.
#include "cli.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "remote.h"
#include "scope.h"

#include <limits.h>
#include <string.h>

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, cli_set_flag, NULL, 1, 2, &operands, err);
	if (rc)
		return rc;
	struct json *reply scoped(json_free) = NULL;
	return remote_call(operands.at[0], self->name, operands.count > 1 ? operands.at[1] : NULL,
		self == &cmd_lock ? REMOTE_AT_ONCE_MS : REMOTE_TIMEOUT_MS, &reply, err);
}

const struct cli_command cmd_lock = {
	.name = "lock",
	.operands = "MOUNTPOINT [DISK]",
	.summary = "Stop a disk at once and wipe its key",
	.run = run,
};

const struct cli_command cmd_unlock = {
	.name = "unlock",
	.operands = "MOUNTPOINT [DISK]",
	.summary = "Ask the key store and let a stopped disk go on",
	.run = run,
};
