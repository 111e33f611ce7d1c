// SPDX-License-Identifier: MIT
// cmkdisk rotate: the newest version of its key opens a disk from now on.
#include "cli.h"
#include "command_records.h"
#include "keyset.h"
#include "moving.h"
#include "scope.h"

static const struct cli_option options[] = {
	{0, "key", "URL", "of a backing file: rotate the binding to this key; and how to reach it"},
	{0, "set", "FILE", "the same with the key, and the settings, of a key set (JSON)"},
	{0, "audit", "FILE|journal|stderr", COMMAND_AUDIT_HELP},
};

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct key_and_audit a scoped(key_and_audit_free) = {.key = {NULL, NULL}};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, key_and_audit_set, &a, 1, 2, &operands, err);
	if (rc)
		return rc;
	struct keyset pin scoped(keyset_free) = KEYSET_NONE;
	int pins = keyset_pin(self->name, a.key.key, a.key.set, &pin, err);
	if (pins < 0)
		return pins;
	const struct moving m = {.present = pins ? &pin : NULL, .audit = &a.audit};
	return moving_run(cli, &m, &operands, err);
}

const struct cli_command cmd_rotate = {
	.name = "rotate",
	.operands = "MOUNTPOINT [DISK] | BACKING",
	.summary = "Bind disks to the newest version of their key",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
