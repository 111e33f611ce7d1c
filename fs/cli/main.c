// SPDX-License-Identifier: MIT
// cmkdisk: the command table.
#include "cli.h"
#include "command_records.h"
#include "credentials.h"
#include "exitcode.h"
#include "pin.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *const commands[] = {&cmd_create, &cmd_mount, &cmd_umount,
	&cmd_status, &cmd_metrics, &cmd_info, &cmd_check, &cmd_lock, &cmd_unlock, &cmd_rotate,
	&cmd_rekey, &cmd_keyfile, &cmd_tokenkey, &cmd_byok, &cmd_keyset, &cmd_rehearse, &cmd_audit,
	&cmd_report, &cmd_providers};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: cmkdisk COMMAND [OPTION]... [OPERAND]...\n\n"
		    "Encrypted disks whose key stays in a key store of the customer's.\n\n"
		    "Commands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(to,
		"\n`cmkdisk COMMAND --help` lists the options of one; the manual is cmkdisk(1).\n");
}

static bool try_layout(struct cli *cli, const char *prefix, const char *libexec, const char *lib)
{
	struct {
		char *out;
		const char *dir, *name;
		bool may_lack; // what needs p11-kit may be left out, as plug-ins may
	} paths[] = {{cli->agent, libexec, "cmkdisk/cmkdisk-agent", false},
		{cli->keyfile, libexec, "cmkdisk/cmkdisk-keyfile", false},
		{cli->tokenkey, libexec, "cmkdisk/cmkdisk-tokenkey", true},
		{cli->plugin_dir, lib, "cmkdisk/providers", false}};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int n = snprintf(paths[i].out, sizeof(cli->agent), "%s/%s/%s", prefix, paths[i].dir,
			paths[i].name);
		if (n < 0 || (size_t)n >= sizeof(cli->agent))
			return false;
		if (!paths[i].may_lack && access(paths[i].out, F_OK))
			return false;
	}
	return true;
}

static int find_companions(struct cli *cli, struct errmsg *err)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		return errmsg_set(err, errno, "/proc/self/exe: %m; is /proc mounted?");
	exe[n] = '\0';
	const char *prefix = dirname(dirname(exe));
	if (try_layout(cli, prefix, "libexec", "lib") ||
		try_layout(cli, prefix, CMK_LIBEXECDIR, CMK_LIBDIR))
		return 0;
	return errmsg_set(err, ENOSYS,
		"%s: cmkdisk-agent and the provider plug-ins are not beside this program; "
		"install it whole, or run it from its build tree",
		prefix);
}

static int run(int argc, char **argv, struct credentials *credentials, struct errmsg *err)
{
	if (argc < 2) {
		usage(stderr);
		return CLI_STATUS(exitcode_of(-EINVAL));
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("cmkdisk %s\n", CMKDISK_VERSION);
		return 0;
	}
	const struct cli_command *cmd = NULL;
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i]->name))
			cmd = commands[i];
	if (!cmd)
		return errmsg_set(err, EINVAL, "no command \"%.*s\"; cmkdisk --help lists them",
			(int)strcspn(argv[1], "="), argv[1]);
	struct command_records records = {.request = NULL};
	struct cli cli = {.credentials = credentials, .records = &records};
	int rc = find_companions(&cli, err);
	if (rc)
		return rc;
	return cmd->run(&cli, cmd, argc - 1, argv + 1, err);
}

int main(int argc, char **argv)
{
	struct errmsg err = {{0}};
	int rc = process_seal_memory();
	if (rc) {
		fprintf(stderr, "cmkdisk: cannot forbid core dumps: %s\n", strerror(-rc));
		return exitcode_of(rc);
	}
	struct credentials *credentials scoped(credentials_free) = NULL;
	struct secret *arguments scoped(secret_free) = NULL;
	rc = pin_hide_arguments(argc, argv, &arguments);
	if (rc)
		(void)errmsg_set(&err, -rc, "no memory for the arguments");
	else
		rc = credentials_take(&credentials, &err);
	if (!rc)
		rc = run(argc, argv, credentials, &err);
	if (fflush(stdout) == EOF && rc >= 0)
		rc = errmsg_set(&err, EIO, "standard output: %m");
	if (rc >= 1000)
		return rc - 1000;
	if (rc < 0)
		fprintf(stderr, "cmkdisk: %s\n", err.text[0] ? err.text : strerror(-rc));
	return exitcode_of(rc);
}
