// SPDX-License-Identifier: MIT
// The command line of one verb; see keyfile.h.
#include "keyfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct kp_option options[] = {
	{"type", "rsa|oct", OPT_TYPE, "type of the key; oct is AES-256 (default: rsa)"},
	{"bits", "N", OPT_BITS, "size of an RSA key: 2048, 3072 or 4096 (default: 3072)"},
	{"expires-in", "D", OPT_EXPIRES_IN, "the new version expires after D, such as 90d or 1h"},
	{"expires-at", "T", OPT_EXPIRES_AT,
		"the new version expires at T, such as 2030-01-31T00:00:00Z"},
	{"not-before", "T", OPT_NOT_BEFORE, "the new version is not valid before T"},
	{"version", "V", OPT_VERSION, "only this version (default: all versions)"},
	{"at", "T", OPT_AT, "expire at T, such as 2030-01-31T00:00:00Z"},
	{"in", "D", OPT_IN, "expire after D from now"},
	{"never", NULL, OPT_NEVER, "do not expire any more"},
	{"json", NULL, OPT_JSON, "print JSON"},
	{"help", NULL, OPT_HELP, "print this text"},
};
#define COUNT (sizeof(options) / sizeof(*options))

void keyfile_print_options(FILE *f)
{
	kp_program_print_options(options, COUNT, ~0u, 20, f);
}

static int duration_from_now(const char *name, const char *text, int64_t *out, struct kp_err *err)
{
	int64_t d;
	if (keyfile_parse_duration(text, &d))
		return kp_fail(err, EINVAL,
			"--%s %s: is no duration; write one such as 90s, 15min, 1h or 30d", name,
			text);
	*out = kp_program_host()->wall_time(kp_program_host()) + d;
	return 0;
}

static int point_in_time(const char *name, const char *text, int64_t *out, struct kp_err *err)
{
	if (keyfile_parse_time(text, out))
		return kp_fail(err, EINVAL,
			"--%s %s: is no time; write one such as 2030-01-31T00:00:00Z", name, text);
	return 0;
}

static int parse_bits(const char *text, uint32_t *bits, struct kp_err *err)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || *end || n < 1 || n > 65536 || text[0] == '-')
		return kp_fail(err, EINVAL, "--bits %s: write 2048, 3072 or 4096", text);
	*bits = (uint32_t)n;
	return 0;
}

static int take(void *ctx, const struct kp_option *option, char *arg, struct kp_err *err)
{
	struct keyfile_options *o = ctx;
	switch (option->id) {
	case OPT_TYPE:
		if (strcasecmp(arg, "rsa") != 0 && strcasecmp(arg, "oct") != 0)
			return kp_fail(err, EINVAL, "--type %s: write rsa or oct", arg);
		o->kty = strcasecmp(arg, "oct") == 0 ? BUNDLE_OCT : BUNDLE_RSA;
		return 0;
	case OPT_BITS:
		return parse_bits(arg, &o->bits, err);
	case OPT_EXPIRES_IN:
	case OPT_IN:
		return duration_from_now(option->name, arg, &o->exp, err);
	case OPT_EXPIRES_AT:
	case OPT_AT:
		return point_in_time(option->name, arg, &o->exp, err);
	case OPT_NOT_BEFORE:
		return point_in_time(option->name, arg, &o->nbf, err);
	case OPT_VERSION:
		o->version = arg;
		return 0;
	default:
		return 0;
	}
}

static int check(const struct keyfile_options *o, struct kp_err *err)
{
	unsigned ends = o->given & (OPT_EXPIRES_IN | OPT_EXPIRES_AT | OPT_AT | OPT_IN | OPT_NEVER);
	if (ends & (ends - 1))
		return kp_fail(
			err, EINVAL, "two options say when the key expires; give one of them");
	if (o->nbf && o->exp && o->exp <= o->nbf)
		return kp_fail(err, EINVAL, "the key would expire before it becomes valid");
	return 0;
}

static int absolute(const char *arg, char *out, struct kp_err *err)
{
	char cwd[PATH_MAX];
	if (*arg == '\0' || arg[strlen(arg) - 1] == '/')
		return kp_fail(err, EINVAL, "\"%s\": is no file name for a key bundle", arg);
	if (strncmp(arg, "file:/", 6) == 0)
		return kp_fail(err, EINVAL, "%s: is a key URL; give the path alone", arg);
	if (*arg != '/' && !getcwd(cwd, sizeof(cwd)))
		return kp_fail(
			err, errno, "cannot tell the current directory: %s", strerror(errno));
	int n = *arg == '/'
			? snprintf(out, PATH_MAX, "%s", arg)
			: snprintf(out, PATH_MAX, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, arg);
	if (n >= PATH_MAX)
		return kp_fail(err, ENAMETOOLONG, "the path of the key bundle is too long");
	return 0;
}

int keyfile_parse_options(const struct keyfile_verb *verb, int argc, char **argv,
	struct keyfile_options *o, struct kp_err *err)
{
	const struct kp_options all = {.all = options,
		.count = COUNT,
		.verb = verb->name,
		.allowed = verb->options,
		.take = take,
		.ctx = o};
	int at = 0;
	*o = (struct keyfile_options){.kty = BUNDLE_RSA};
	int ret = kp_program_options(&all, argc, argv, &o->given, &at, err);
	if (ret || (o->given & OPT_HELP))
		return ret;
	if (argc - at != 1)
		return kp_fail(
			err, EINVAL, "%s: takes one key bundle, not %d", verb->name, argc - at);
	ret = check(o, err);
	return ret ? ret : absolute(argv[at], o->path, err);
}
