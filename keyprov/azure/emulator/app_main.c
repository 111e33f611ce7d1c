// SPDX-License-Identifier: MIT
// cmkdisk-vault: the table of verbs, the usage text, the exit statuses. See cmkdisk-vault(1).
#include "app.h"

#include "kp_program.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

#define BIT(o) (1u << (o))
#define SERVE_OPTIONS                                                                            \
	(BIT(OPT_LISTEN) | BIT(OPT_TIMELINE) | BIT(OPT_SEED) | BIT(OPT_AUDIT) | BIT(OPT_VAULT) | \
		BIT(OPT_HSM) | BIT(OPT_IMDS) | BIT(OPT_APP_SERVICE) | BIT(OPT_ARC) |             \
		BIT(OPT_ARC_DIR) | BIT(OPT_EMPTY) | BIT(OPT_ALLOW_REMOTE) | BIT(OPT_READY_FD) |  \
		BIT(OPT_PRINT))

static const struct app_verb verbs[] = {
	{"serve", SERVE_OPTIONS, false, "[OPTION]...", "run the emulator until SIGTERM or ^C",
		app_serve},
	{"do", 0, true, "[--state DIR] ACTION [NAME=VALUE]... | JSON",
		"ask a running emulator for an action", app_do},
	{"env", BIT(OPT_JSON), false, "[--state DIR] [--json]",
		"print environment, key URL and key set again", app_env},
};
#define COUNT (sizeof(verbs) / sizeof(*verbs))

// Of one verb, or of all if it is NULL.
static void usage(const struct app_verb *verb, FILE *f)
{
	const char *before = "usage:";
	for (size_t i = 0; i < COUNT; i++) {
		if (verb && verb != &verbs[i])
			continue;
		(void)fprintf(
			f, "%-6s cmkdisk-vault %s %s\n", before, verbs[i].name, verbs[i].usage);
		before = "";
	}
}

static void help(const struct app_verb *verb)
{
	usage(verb, stdout);
	if (verb)
		(void)printf("\n%s\n", verb->help);
	else
		(void)puts("\nA Key Vault and Managed HSM of one's own, with faults on request.\n");
	for (size_t i = 0; !verb && i < COUNT; i++)
		(void)printf("  %-7s %s\n", verbs[i].name, verbs[i].help);
	(void)puts("\nOptions:");
	app_print_options(verb, stdout);
	if (verb && !verb->operands)
		return;
	(void)puts("\nActions:");
	app_print_actions(stdout);
	(void)fputs("\nKinds of faults: ", stdout);
	faults_print_kinds(stdout);
	(void)puts("");
}

int main(int argc, char **argv)
{
	struct kp_err err = {""};
	struct rlimit none = {0, 0};
	const struct app_verb *verb = NULL;
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		(void)fputs("cmkdisk-vault: warning: cannot forbid core files\n", stderr);
	if (argc < 2) {
		usage(NULL, stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(NULL);
		return EX_OK;
	}
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			verb = &verbs[i];
	struct app_options o;
	int ret =
		verb ? app_parse_options(verb, argc - 1, argv + 1, &o, &err)
		     : kp_fail(&err, EINVAL, "%s: unknown verb; see cmkdisk-vault --help", argv[1]);
	if (ret == 0 && o.help) {
		help(verb);
		return EX_OK;
	}
	ret = ret ? ret : verb->run(&o, &err);
	return kp_program_end(ret, &err);
}
