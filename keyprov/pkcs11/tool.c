// SPDX-License-Identifier: MIT
// cmkdisk-tokenkey: keys in a token, made with dates and ids that prove their order, which stock
// programs cannot set. `cmkdisk tokenkey` and `cmkdisk byok` run it under these names: the tables
// of verbs, the usage texts, and the exit codes.
#include "tool.h"

#include "kp_program.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#define MAKE (OPT_KEY | OPT_STARTS | OPT_ENDS | OPT_EXPORTABLE | OPT_JSON)

static const struct tool_verb verbs[] = {
	{"new", MAKE | OPT_TYPE | OPT_BITS, OPT_KEY,
		"--key URL [--type rsa|aes] [--bits N] [--starts DATE] [--ends DATE] "
		"[--exportable] [--json]",
		"make a key", tool_new},
	{"rotate", MAKE, OPT_KEY, "--key URL [--starts DATE] [--ends DATE] [--exportable] [--json]",
		"make a newer version of it, of the same type and size", tool_rotate},
	{"show", OPT_KEY | OPT_JSON, OPT_KEY, "--key URL [--json]",
		"print its versions, and which is the newest", tool_show},
	{"dates", OPT_KEY | OPT_VERSION | OPT_STARTS | OPT_ENDS, OPT_KEY,
		"--key URL [--version V] [--starts DATE] [--ends DATE]", "set its dates",
		tool_dates},
	{"enable", OPT_KEY | OPT_VERSION, OPT_KEY, "--key URL [--version V]",
		"let it decrypt and unwrap again", tool_enable},
	{"disable", OPT_KEY | OPT_VERSION, OPT_KEY, "--key URL [--version V]",
		"let it neither decrypt nor unwrap", tool_disable},
	{"destroy", OPT_KEY | OPT_VERSION | OPT_ALL | OPT_YES, OPT_KEY,
		"--key URL (--version V | --all) [--yes]", "destroy it for good", tool_destroy},
};
#define COUNT (sizeof(verbs) / sizeof(*verbs))

static const struct tool_verb byok = {"byok", OPT_KEK | OPT_KEY | OPT_OUT | OPT_KID | OPT_FORCE,
	OPT_KEK | OPT_KEY | OPT_OUT, "",
	"make the key transfer blob that takes a token's key into a vault", tool_byok};

static void usage(FILE *f, const char *prog, bool is_byok)
{
	if (is_byok)
		(void)fprintf(f, "usage: %s [OPTION]...\n", prog);
	for (size_t i = 0; i < COUNT && !is_byok; i++)
		(void)fprintf(f, "%s %s %s %s\n", i ? "      " : "usage:", prog, verbs[i].name,
			verbs[i].synopsis);
}

static void help(const char *prog, bool is_byok)
{
	usage(stdout, prog, is_byok);
	if (is_byok) {
		(void)puts("\nMake the key transfer blob that takes a token's key into a vault.\n");
		tool_options_print(byok.options | OPT_HELP, stdout);
		return;
	}
	(void)puts("\nMake and change keys in a PKCS#11 token, as the owner of an HSM does.\n");
	for (size_t i = 0; i < COUNT; i++)
		(void)printf("  %-16s %s\n", verbs[i].name, verbs[i].help);
	(void)puts("");
	unsigned all = OPT_HELP;
	for (size_t i = 0; i < COUNT; i++)
		all |= verbs[i].options;
	tool_options_print(all, stdout);
}

static int run(
	const struct tool_verb *verb, const char *prog, int argc, char **argv, struct kp_err *err)
{
	scoped(tool_options_free) struct tool_options o = {0};
	int ret = tool_options_parse(verb, argc, argv, &o, err);
	if (ret == 0 && (o.given & OPT_HELP)) {
		help(prog, verb == &byok);
		return 0;
	}
	return ret ? ret : verb->run(&o, err);
}

int main(int argc, char **argv)
{
	const char *prog = kp_program_name();
	bool is_byok = strcmp(prog, "cmkdisk byok") == 0 || strcmp(prog, "cmkdisk-byok") == 0;
	struct kp_err err = {""};
	kp_program_seal();
	if (argc < 2) {
		usage(stderr, prog, is_byok);
		return EX_USAGE;
	}
	if (kp_program_asks_help(argv[1])) {
		help(prog, is_byok);
		return kp_program_end(0, &err);
	}
	const struct tool_verb *verb = is_byok ? &byok : NULL;
	for (size_t i = 0; i < COUNT && !is_byok; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			verb = &verbs[i];
	int skip = is_byok ? 0 : 1;
	int ret = verb ? run(verb, prog, argc - skip, argv + skip, &err)
		       : kp_fail(&err, EINVAL, "%.*s: unknown verb; see %s --help",
				 (int)strcspn(argv[1], "="), argv[1], prog);
	return kp_program_end(ret, &err);
}
