// SPDX-License-Identifier: MIT
// The command line of cmkdisk-vault; see app.h.
#include "app.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

static const struct {
	const char *name, *arg, *help;
} options[OPT_COUNT] = {
	[OPT_STATE] = {"state", "DIR", "where keys and identities are kept"},
	[OPT_LISTEN] = {"listen", "ADDR:PORT",
		"where vaults answer (default: 127.0.0.1, the port "
		"of the last run)"},
	[OPT_TIMELINE] = {"timeline", "FILE",
		"actions that happen by themselves, each at its time"},
	[OPT_SEED] = {"seed", "N", "of the chance in faults (default: 1)"},
	[OPT_AUDIT] = {"audit", "FILE",
		"the audit log (default: audit.log in the state directory)"},
	[OPT_VAULT] = {"vault", "NAME", "make this vault if it is not there (default: contoso)"},
	[OPT_HSM] = {"hsm", "NAME", "the same for a managed HSM"},
	[OPT_IMDS] = {"imds", "PORT|off", "managed identity as on a virtual machine"},
	[OPT_APP_SERVICE] = {"app-service", "PORT|off", "managed identity as in App Service"},
	[OPT_ARC] = {"arc", "PORT|off", "managed identity as on an Arc machine"},
	[OPT_ARC_DIR] = {"arc-dir", "DIR", "where the Arc port puts its key files"},
	[OPT_EMPTY] = {"empty", NULL, "make no key, no identity and no vault that was not named"},
	[OPT_ALLOW_REMOTE] = {"allow-remote", NULL, "listen where other hosts can connect"},
	[OPT_READY_FD] = {"ready-fd", "N", "write the JSON to this descriptor when ready"},
	[OPT_PRINT] = {"print", "json", "print JSON instead of text when ready"},
	[OPT_JSON] = {"json", NULL, "print JSON"},
	[OPT_HELP] = {"help", NULL, "print this text"},
};

static bool takes(const struct app_verb *verb, size_t i)
{
	return i == OPT_STATE || i == OPT_HELP || (verb->options & 1u << i);
}

void app_print_options(const struct app_verb *verb, FILE *f)
{
	for (size_t i = 0; i < OPT_COUNT; i++) {
		char left[40];
		if (verb && !takes(verb, i))
			continue;
		(void)snprintf(left, sizeof(left), "--%s %s", options[i].name,
			options[i].arg ? options[i].arg : "");
		(void)fprintf(f, "  %-24s %s\n", left, options[i].help);
	}
}

static int parse_number(const char *name, const char *text, unsigned long long most,
	unsigned long long *out, struct kp_err *err)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || *out > most)
		return kp_fail(
			err, EINVAL, "--%s %s: expected a number, at most %llu", name, text, most);
	return 0;
}

static int parse_port(size_t i, const char *text, int *out, struct kp_err *err)
{
	unsigned long long n = 0;
	if (strcmp(text, "off") == 0) {
		*out = APP_PORT_OFF;
		return 0;
	}
	int ret = parse_number(options[i].name, text, 65535, &n, err);
	*out = (int)n;
	return ret;
}

static int add_vault(const char *name, bool hsm, struct app_options *o, struct kp_err *err)
{
	size_t len = strlen(name);
	if (len < 1 || len > 24 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return kp_fail(err, EINVAL,
			"%s: is no name of a vault; take 1 to 24 lower-case letters, digits and "
			"hyphens",
			name);
	if (strcmp(name, "login") == 0 && !hsm)
		return kp_fail(err, EINVAL, "login: is where tokens come from; take another name");
	if (o->vault_count == APP_VAULTS_MOST)
		return kp_fail(err, EINVAL, "more than %d vaults; add the others with vault.add",
			APP_VAULTS_MOST);
	o->vaults[o->vault_count++] = (struct app_vault){name, hsm};
	return 0;
}

static int parse_ready_fd(const char *text, struct app_options *o, struct kp_err *err)
{
	unsigned long long n = 0;
	int ret = parse_number("ready-fd", text, INT_MAX, &n, err);
	o->ready_fd = (int)n;
	if (!ret && fcntl(o->ready_fd, F_GETFD) < 0)
		ret = kp_fail(err, EINVAL, "--ready-fd %s: is no open descriptor", text);
	return ret;
}

static int parse_seed(const char *text, struct app_options *o, struct kp_err *err)
{
	unsigned long long n = 0;
	int ret = parse_number("seed", text, ULLONG_MAX, &n, err);
	o->seed = n;
	return ret;
}

static int absolute(const char *path, char out[PATH_MAX], struct kp_err *err)
{
	char cwd[PATH_MAX];
	if (*path != '/' && !getcwd(cwd, sizeof(cwd)))
		return kp_fail(
			err, errno, "cannot tell the current directory: %s", strerror(errno));
	int n = *path == '/' ? snprintf(out, PATH_MAX, "%s", path)
			     : snprintf(out, PATH_MAX, "%s/%s", cwd, path);
	while (n > 1 && n < PATH_MAX && out[n - 1] == '/')
		out[--n] = '\0';
	if (n >= PATH_MAX || strpbrk(out, "'\n"))
		return kp_fail(err, ENAMETOOLONG,
			"--state: the path is too long, or has a quote or a line end in it");
	return 0;
}

static int default_state(struct app_options *o, struct kp_err *err)
{
	autofree char *path = NULL;
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = base && *base == '/'   ? asprintf(&path, "%s/cmkdisk-vault", base)
		: home && *home == '/' ? asprintf(&path, "%s/.local/state/cmkdisk-vault", home)
				       : 0;
	if (n < 0) {
		path = NULL;
		return kp_fail(err, ENOMEM, "out of memory");
	}
	if (!path)
		return kp_fail(err, EINVAL, "there is no HOME to keep the state in; give --state");
	return absolute(path, o->state, err);
}

static int take(size_t i, const char *arg, struct app_options *o, struct kp_err *err)
{
	switch (i) {
	case OPT_STATE:
		o->own_state = true;
		return absolute(arg, o->state, err);
	case OPT_LISTEN:
		o->listen = arg;
		return 0;
	case OPT_TIMELINE:
		o->timeline = arg;
		return 0;
	case OPT_SEED:
		return parse_seed(arg, o, err);
	case OPT_AUDIT:
		o->audit = arg;
		return 0;
	case OPT_VAULT:
	case OPT_HSM:
		return add_vault(arg, i == OPT_HSM, o, err);
	case OPT_IMDS:
		return parse_port(i, arg, &o->ports[EMU_IMDS], err);
	case OPT_APP_SERVICE:
		return parse_port(i, arg, &o->ports[EMU_APP_SERVICE], err);
	case OPT_ARC:
		return parse_port(i, arg, &o->ports[EMU_ARC], err);
	case OPT_ARC_DIR:
		o->arc_dir = arg;
		return 0;
	case OPT_READY_FD:
		return parse_ready_fd(arg, o, err);
	case OPT_PRINT:
		o->json = true;
		return strcmp(arg, "json") == 0
			       ? 0
			       : kp_fail(err, EINVAL, "--print %s: expected json", arg);
	default:
		o->empty |= i == OPT_EMPTY;
		o->allow_remote |= i == OPT_ALLOW_REMOTE;
		o->json |= i == OPT_JSON;
		o->help |= i == OPT_HELP;
		return 0;
	}
}

static int take_all(const struct app_verb *verb, int argc, char **argv, struct app_options *o,
	struct kp_err *err)
{
	struct option longopts[OPT_COUNT + 1] = {{0}};
	for (size_t i = 0; i < OPT_COUNT; i++)
		longopts[i] = (struct option){options[i].name,
			options[i].arg ? required_argument : no_argument, NULL, (int)i + 256};
	int c;
	opterr = 0;
	optind = 1;
	// "+": what an action is told must not be taken for options.
	while ((c = getopt_long(argc, argv, "+:h", longopts, NULL)) != -1) {
		size_t i = c == 'h' ? OPT_HELP : (size_t)c - 256;
		if (c == ':')
			return kp_fail(
				err, EINVAL, "%s: the option needs a value", argv[optind - 1]);
		if (c == '?')
			return kp_fail(
				err, EINVAL, "%s: unknown or ambiguous option", argv[optind - 1]);
		if (!takes(verb, i))
			return kp_fail(
				err, EINVAL, "%s: does not take --%s", verb->name, options[i].name);
		int ret = take(i, optarg, o, err);
		if (ret)
			return ret;
	}
	return 0;
}

int app_parse_options(const struct app_verb *verb, int argc, char **argv, struct app_options *o,
	struct kp_err *err)
{
	*o = (struct app_options){.ready_fd = -1, .seed = 1};
	int ret = take_all(verb, argc, argv, o, err);
	if (ret || o->help)
		return ret;
	o->arg_count = argc - optind;
	o->args = argv + optind;
	if (!verb->operands && o->arg_count > 0)
		return kp_fail(
			err, EINVAL, "%s: takes no operand such as %s", verb->name, o->args[0]);
	return o->own_state ? 0 : default_state(o, err);
}
