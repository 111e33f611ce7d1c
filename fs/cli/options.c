// SPDX-License-Identifier: MIT
// Command-line options from a table, so that --help, the parser and the manual cannot drift apart.
#include "cli.h"
#include "key_uri.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 24
#define LONG_BASE 256 // getopt_long values of options: LONG_BASE + index
#define HELP_VALUE 2

void cli_usage(const struct cli_command *cmd)
{
	printf("usage: cmkdisk %s%s%s%s\n\n%s.\n", cmd->name,
		cmd->option_count ? " [OPTION]..." : "", cmd->operands[0] ? " " : "", cmd->operands,
		cmd->summary);
	if (cmd->option_count)
		printf("\nOptions:\n");
	for (size_t i = 0; i < cmd->option_count; i++) {
		const struct cli_option *o = &cmd->options[i];
		char text[64];
		if (o->letter && o->name)
			(void)snprintf(text, sizeof(text), "-%c, --%s", o->letter, o->name);
		else if (o->name)
			(void)snprintf(text, sizeof(text), "    --%s", o->name);
		else if (o->letter)
			(void)snprintf(text, sizeof(text), "-%c", o->letter);
		else // the option above, continued
			text[0] = '\0';
		if (o->arg) {
			size_t n = strlen(text);
			(void)snprintf(text + n, sizeof(text) - n, " %s", o->arg);
		}
		printf("  %-28s %s\n", text, o->help);
	}
	printf("\nThe manual is cmkdisk-%s(1).\n", cmd->name);
}

static size_t fill_tables(const struct cli_command *cmd, struct option *longs, char *shorts)
{
	size_t n = 0, s = 0;
	shorts[s++] = ':'; // report a missing argument as ':' instead of '?'
	shorts[s++] = 'h';
	for (size_t i = 0; i < cmd->option_count && i < OPTIONS_MAX; i++) {
		const struct cli_option *o = &cmd->options[i];
		if (o->name)
			longs[n++] = (struct option){o->name,
				o->arg ? required_argument : no_argument, NULL, LONG_BASE + (int)i};
		if (o->letter) {
			shorts[s++] = o->letter;
			if (o->arg)
				shorts[s++] = ':';
		}
	}
	longs[n++] = (struct option){"help", no_argument, NULL, HELP_VALUE};
	longs[n] = (struct option){NULL, 0, NULL, 0};
	shorts[s] = '\0';
	return n;
}

static const struct cli_option *option_of(const struct cli_command *cmd, int value)
{
	if (value >= LONG_BASE)
		return &cmd->options[value - LONG_BASE];
	for (size_t i = 0; i < cmd->option_count; i++)
		if (cmd->options[i].letter == value)
			return &cmd->options[i];
	return NULL;
}

// The name of a file is repeated in sentences, and this one may hold a PIN.
static int check_name(const struct cli_command *cmd, const char *name, struct errmsg *err)
{
	if (!key_uri_is(name))
		return 0;
	return errmsg_set(err, EINVAL,
		"%s: a key URL (pkcs11:) stands where the name of a file, a disk or a mount point "
		"belongs; see cmkdisk %s --help",
		cmd->name, cmd->name);
}

static int check_operands(const struct cli_command *cmd, const struct cli_operands *operands,
	int min, int max, struct errmsg *err)
{
	int count = operands->count, rc = 0;
	if (count < min)
		return errmsg_set(err, EINVAL, "%s: expected %s; see cmkdisk %s --help", cmd->name,
			cmd->operands, cmd->name);
	if (max >= 0 && count > max)
		return errmsg_set(err, EINVAL, "%s: more operands than %s; see cmkdisk %s --help",
			cmd->name, cmd->operands[0] ? cmd->operands : "none", cmd->name);
	for (int i = 0; !rc && i < count; i++)
		rc = check_name(cmd, operands->at[i], err);
	return rc;
}

int cli_set_flag(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	(void)o;
	(void)value;
	(void)err;
	*(bool *)ctx = true;
	return 0;
}

// What follows a '=' is not shown: it may hold a PIN.
static int unknown(const struct cli_command *cmd, const char *arg, struct errmsg *err)
{
	int len = (int)strcspn(arg, "=");
	// Known, but for what stands behind the '='.
	if (optopt >= LONG_BASE || optopt == HELP_VALUE)
		return errmsg_set(err, EINVAL, "%s: %.*s takes no argument; see cmkdisk %s --help",
			cmd->name, len, arg, cmd->name);
	return errmsg_set(err, EINVAL, "%s: no option %.*s; see cmkdisk %s --help", cmd->name, len,
		arg, cmd->name);
}

int cli_parse(const struct cli_command *cmd, int argc, char **argv,
	int (*set)(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err),
	void *ctx, int min, int max, struct cli_operands *out, struct errmsg *err)
{
	struct option longs[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 4];
	(void)fill_tables(cmd, longs, shorts);
	opterr = 0;
	optind = 1;
	for (;;) {
		int at = optind;
		int c = getopt_long(argc, argv, shorts, longs, NULL);
		if (c == -1)
			break;
		if (c == HELP_VALUE || c == 'h') {
			cli_usage(cmd);
			return CLI_STATUS(0);
		}
		if (c == ':')
			return errmsg_set(err, EINVAL,
				"%s: %s needs an argument; see cmkdisk %s --help", cmd->name,
				argv[at], cmd->name);
		const struct cli_option *o = c == '?' ? NULL : option_of(cmd, c);
		if (!o)
			return unknown(cmd, argv[at], err);
		int rc = o->arg && !strcmp(o->arg, "FILE") ? check_name(cmd, optarg, err) : 0;
		rc = rc ? rc : set(ctx, o, optarg, err);
		if (rc < 0)
			return rc;
	}
	out->count = argc - optind;
	out->at = argv + optind;
	return check_operands(cmd, out, min, max, err);
}
