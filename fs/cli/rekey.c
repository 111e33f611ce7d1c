// SPDX-License-Identifier: MIT
// cmkdisk rekey: another key opens a disk from now on.
#include "cli.h"
#include "command_records.h"
#include "keyset.h"
#include "mount_records.h"
#include "moving.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

struct args {
	const char *key, *set, *old_set;
	bool only, allow_purgeable;
	struct mount_records audit;
};

static const struct cli_option options[] = {
	{0, "key", "URL", "key that opens the disk from now on, and how to reach it"},
	{0, "set", "FILE", "key set that names it (JSON)"},
	{0, "old-set", "FILE", "of a backing file: key set of the key that opens it now"},
	{0, "only", NULL, "remove every other binding, not just those to the former key"},
	{0, "allow-purgeable", NULL, "bind to a key that could be destroyed for ever"},
	{0, "audit", "FILE|journal|stderr", COMMAND_AUDIT_HELP},
};

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	if (!strcmp(o->name, "audit"))
		return mount_records_audit(&a->audit, value, err);
	if (!strcmp(o->name, "key"))
		a->key = value;
	else if (!strcmp(o->name, "set"))
		a->set = value;
	else if (!strcmp(o->name, "old-set"))
		a->old_set = value;
	else if (!strcmp(o->name, "only"))
		a->only = true;
	else
		a->allow_purgeable = true;
	return 0;
}

static void args_free(struct args *a)
{
	mount_records_free(&a->audit);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	struct args a scoped(args_free) = {0};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, set, &a, 1, 2, &operands, err);
	if (rc)
		return rc;
	struct keyset target scoped(keyset_free) = KEYSET_NONE;
	struct keyset present scoped(keyset_free) = KEYSET_NONE;
	int named = keyset_pin(self->name, a.key, a.set, &target, err);
	if (named < 0)
		return named;
	if (!named)
		return errmsg_set(err, EINVAL, "rekey: expected either --key URL or --set FILE");
	rc = a.old_set ? keyset_read(a.old_set, &present, err) : 0;
	if (rc)
		return rc;
	const struct moving m = {.present = a.old_set ? &present : NULL,
		.target = &target,
		.only = a.only,
		.allow_purgeable = a.allow_purgeable,
		.audit = &a.audit};
	return moving_run(cli, &m, &operands, err);
}

const struct cli_command cmd_rekey = {
	.name = "rekey",
	.operands = "MOUNTPOINT [DISK] | BACKING",
	.summary = "Move disks to another key",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
