// SPDX-License-Identifier: MIT
// cmkdisk-keyfile: the file provider's own little vault. `cmkdisk keyfile` runs it with that as
// argv[0]. The table of verbs, the usage text, and the exit codes.
#include "keyfile.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#define OPTS_MAKE (OPT_BITS | OPT_EXPIRES_IN | OPT_EXPIRES_AT | OPT_NOT_BEFORE)
#define SYN_MAKE "[--bits N] [--expires-in D | --expires-at T] [--not-before T]"

static const struct keyfile_verb verbs[] = {
	{"new", OPTS_MAKE | OPT_TYPE, "[--type rsa|oct] " SYN_MAKE,
		"make a key bundle with one version; prints its key URL", keyfile_new},
	{"rotate", OPTS_MAKE, SYN_MAKE, "add a new version and print its name", keyfile_rotate},
	{"disable", OPT_VERSION, "[--version V]", "refuse every use of the key", keyfile_disable},
	{"enable", OPT_VERSION, "[--version V]", "allow its use again", keyfile_enable},
	{"expire", OPT_VERSION | OPT_AT | OPT_IN | OPT_NEVER,
		"[--version V] [--at T | --in D | --never]",
		"set the date of expiry (default: now)", keyfile_expire},
	{"delete", 0, "", "mark the whole key as deleted; recover undoes it", keyfile_delete},
	{"recover", 0, "", "take back a delete", keyfile_recover},
	{"show", OPT_JSON, "[--json]", "print versions and attributes, nothing private",
		keyfile_show},
};
#define COUNT (sizeof(verbs) / sizeof(*verbs))

static void usage(FILE *f, const char *prog)
{
	for (size_t i = 0; i < COUNT; i++)
		(void)fprintf(f, "%s %s %s %s%sBUNDLE\n", i ? "      " : "usage:", prog,
			verbs[i].name, verbs[i].synopsis, *verbs[i].synopsis ? " " : "");
}

static void help(const char *prog)
{
	usage(stdout, prog);
	(void)puts(
		"\nA key bundle is a file with every version of one key, private to its owner.\n");
	for (size_t i = 0; i < COUNT; i++)
		(void)printf("  %-20s %s\n", verbs[i].name, verbs[i].help);
	(void)puts("");
	keyfile_print_options(stdout);
}

int main(int argc, char **argv)
{
	const char *prog = kp_program_name();
	struct kp_err err = {""};
	kp_program_seal();
	if (argc < 2) {
		usage(stderr, prog);
		return EX_USAGE;
	}
	if (kp_program_asks_help(argv[1])) {
		help(prog);
		return kp_program_end(0, &err);
	}
	const struct keyfile_verb *verb = NULL;
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			verb = &verbs[i];
	struct keyfile_options o = {0};
	int ret = verb ? keyfile_parse_options(verb, argc - 1, argv + 1, &o, &err)
		       : kp_fail(&err, EINVAL, "%s: unknown verb; see %s --help", argv[1], prog);
	if (ret == 0 && (o.given & OPT_HELP))
		help(prog);
	else
		ret = ret ? ret : verb->run(&o, &err);
	return kp_program_end(ret, &err);
}
