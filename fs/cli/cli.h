// SPDX-License-Identifier: MIT
// What the commands share: the command table's row, the option parser, and where this program's
// companions are installed.
#ifndef CMK_CLI_H
#define CMK_CLI_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

struct command_records;
struct credentials;

// The program found its companions relative to itself, so that it runs from the build tree.
struct cli {
	char agent[512];      // cmkdisk-agent
	char keyfile[512];    // cmkdisk-keyfile
	char tokenkey[512];   // cmkdisk-tokenkey
	char plugin_dir[512]; // provider plug-ins
	// For key agents; never NULL. main() owns them. A command adds PINs before its first agent.
	struct credentials *credentials;
	// Where key agents' questions are recorded, once a command opens it; main()'s, never NULL.
	struct command_records *records;
};

struct cli_option {
	char letter;	  // short form, or 0
	const char *name; // long form, or NULL
	const char *arg;  // placeholder of its argument, or NULL
	const char *help; // one line
};

struct cli_command {
	const char *name;
	const char *operands; // as in the synopsis
	const char *summary;  // one line
	const struct cli_option *options;
	size_t option_count;
	// 0 or -errno with the sentence in err; CLI_STATUS(n) to exit with n and print nothing.
	int (*run)(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
		struct errmsg *err);
};

// A run() result that is an exit status of its own: sentences were printed already.
#define CLI_STATUS(n) (1000 + (n))

struct cli_operands {
	int count;
	char **at;
};

// Parses the options of a command; set() is called for each. --help prints the usage and makes this
// return CLI_STATUS(0). Operands fewer than min or more than max (-1: any number): -EINVAL.
int cli_parse(const struct cli_command *cmd, int argc, char **argv,
	int (*set)(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err),
	void *ctx, int min, int max, struct cli_operands *out, struct errmsg *err) must_use;
// For commands with one flag, or none: ctx is its bool.
int cli_set_flag(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err);
void cli_usage(const struct cli_command *cmd);

extern const struct cli_command cmd_create, cmd_mount, cmd_umount, cmd_status, cmd_metrics,
	cmd_info, cmd_check, cmd_lock, cmd_unlock, cmd_rotate, cmd_rekey, cmd_keyfile, cmd_tokenkey,
	cmd_byok, cmd_keyset, cmd_rehearse, cmd_audit, cmd_report, cmd_providers;

#endif
