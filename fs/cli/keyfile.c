// SPDX-License-Identifier: MIT
// cmkdisk keyfile: the file provider's own little vault, a program of its own, since this one knows
// nothing of what is behind a key URL.
#include "cli.h"

#include <errno.h>
#include <unistd.h>

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)self;
	(void)argc;
	static char name[] = "cmkdisk keyfile";
	argv[0] = name;
	execv(cli->keyfile, argv);
	return errmsg_set(err, errno, "%s: %m", cli->keyfile);
}

const struct cli_command cmd_keyfile = {
	.name = "keyfile",
	.operands = "VERB [OPTION]... BUNDLE",
	.summary = "Make and change keys of the file provider",
	.run = run,
};
