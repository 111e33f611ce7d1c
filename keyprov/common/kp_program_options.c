// SPDX-License-Identifier: MIT
// The command lines of the providers' programs; see kp_program.h.
#include "kp_program.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define OPTIONS_MAX 24
#define FIRST 256 // getopt_long()'s value of the first option of the table

static int unknown(int c, const char *arg, struct kp_err *err)
{
	if (c == ':')
		return kp_fail(err, EINVAL, "%s: the option needs a value", arg);
	return kp_fail(
		err, EINVAL, "%.*s: unknown or ambiguous option", (int)strcspn(arg, "="), arg);
}

int kp_program_options(const struct kp_options *o, int argc, char **argv, unsigned *given,
	int *operands, struct kp_err *err)
{
	struct option longopts[OPTIONS_MAX + 1] = {{0}};
	for (size_t i = 0; i < o->count && i < OPTIONS_MAX; i++)
		longopts[i] = (struct option){o->all[i].name,
			o->all[i].arg ? required_argument : no_argument, NULL, (int)i + FIRST};
	*given = 0;
	opterr = 0;
	optind = 1;
	int c;
	while ((c = getopt_long(argc, argv, ":h", longopts, NULL)) != -1) {
		if (c == ':' || c == '?')
			return unknown(c, argv[optind - 1], err);
		const struct kp_option *option =
			&o->all[c == 'h' ? o->count - 1 : (size_t)c - FIRST];
		*given |= option->id;
		if (option == &o->all[o->count - 1])
			break;
		if (!(o->allowed & option->id))
			return kp_fail(
				err, EINVAL, "%s: does not take --%s", o->verb, option->name);
		int ret = o->take(o->ctx, option, optarg, err);
		if (ret)
			return ret;
	}
	*operands = optind;
	return 0;
}

void kp_program_print_options(
	const struct kp_option *all, size_t count, unsigned which, int width, FILE *f)
{
	for (size_t i = 0; i < count; i++) {
		char left[40];
		(void)snprintf(
			left, sizeof(left), "--%s %s", all[i].name, all[i].arg ? all[i].arg : "");
		if (which & all[i].id)
			(void)fprintf(f, "  %-*s %s\n", width, left, all[i].help);
	}
}
