// SPDX-License-Identifier: MIT
// Commands that are programs of their own, since this one knows nothing of what is behind a key
// URL: the little vault of the file provider, and the maker of keys in tokens.
#include "cli.h"
#include "credentials.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int become(
	const char *program, const struct cli_command *self, char **argv, struct errmsg *err)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "cmkdisk %s", self->name);
	argv[0] = name;
	execv(program, argv);
	if (errno == ENOENT)
		return errmsg_set(err, ENOSYS,
			"%s is not there: this cmkdisk was installed without it; install it whole",
			program);
	return errmsg_set(err, errno, "%s: %m", program);
}

static int keyfile(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)argc;
	return become(cli->keyfile, self, argv, err);
}

// It loads PKCS#11 modules itself, and they look into the environment.
static int tokenkey(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)argc;
	int rc = credentials_give_back_modules(cli->credentials)
			 ? errmsg_set(err, ENOMEM, "out of memory")
			 : become(cli->tokenkey, self, argv, err);
	credentials_take_back_modules(cli->credentials);
	return rc;
}

const struct cli_command cmd_keyfile = {
	.name = "keyfile",
	.operands = "VERB [OPTION]... BUNDLE",
	.summary = "Make and change keys of the file provider",
	.run = keyfile,
};

const struct cli_command cmd_tokenkey = {
	.name = "tokenkey",
	.operands = "VERB [OPTION]...",
	.summary = "Make and change keys in PKCS#11 tokens",
	.run = tokenkey,
};

const struct cli_command cmd_byok = {
	.name = "byok",
	.operands = "[OPTION]...",
	.summary = "Wrap a token's key for its transfer into a key vault",
	.run = tokenkey,
};
