// SPDX-License-Identifier: MIT
// The command line of one verb; see tool.h.
#include "tool.h"

#include "kp_program.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const struct kp_option options[] = {
	{"kek", "FILE", OPT_KEK,
		"the vault's key exchange key: a public key in PEM, or the JSON of\n"
		"                   `az keyvault key show`"},
	{"key", "URL", OPT_KEY,
		"the key: 'pkcs11:token=...;object=...?module-path=...&pin-source=...'"},
	{"out", "FILE", OPT_OUT, "where the blob goes; it must not be there yet"},
	{"kid", "URL", OPT_KID, "the key exchange key's name in the vault, with its version"},
	{"force", NULL, OPT_FORCE, "replace the file if it is there"},
	{"type", "rsa|aes", OPT_TYPE, "type of the key (default: what the URL says, else rsa)"},
	{"bits", "N", OPT_BITS, "2048, 3072 or 4096 (default: 3072); an AES key has 256"},
	{"starts", "DATE", OPT_STARTS,
		"first day of UTC, such as 2030-01-31 (default: today); none for `dates`"},
	{"ends", "DATE", OPT_ENDS, "last day of UTC (default: none); none for `dates`"},
	{"exportable", NULL, OPT_EXPORTABLE, "the key may leave the token, wrapped"},
	{"version", "V", OPT_VERSION, "only this version: its CKA_ID in hexadecimal digits"},
	{"all", NULL, OPT_ALL, "all versions"},
	{"yes", NULL, OPT_YES, "do not ask"},
	{"json", NULL, OPT_JSON, "print JSON"},
	{"help", NULL, OPT_HELP, "print this text"},
};
#define COUNT (sizeof(options) / sizeof(*options))
#define DAY_S 86400

void tool_options_print(unsigned which, FILE *f)
{
	kp_program_print_options(options, COUNT, which, 16, f);
}

static int take_bits(const char *text, uint32_t *bits, struct kp_err *err)
{
	static const struct {
		const char *text;
		uint32_t bits;
	} sizes[] = {{"2048", 2048}, {"3072", 3072}, {"4096", 4096}, {"256", 256}};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (strcmp(text, sizes[i].text) == 0)
			*bits = sizes[i].bits;
	return *bits ? 0
		     : kp_fail(err, EINVAL,
			       "--bits %s: write 2048, 3072 or 4096 for an RSA key, 256 for an "
			       "AES key",
			       text);
}

static int take_version(const char *text, struct tool_options *o, struct kp_err *err)
{
	size_t len = strlen(text);
	if (len == 0 || len % 2 || len > 2 * P11_ID_MAX ||
		strspn(text, "0123456789abcdefABCDEF") != len)
		return kp_fail(err, EINVAL,
			"--version %s: a version is the key's CKA_ID, pairs of hexadecimal digits; "
			"cmkdisk tokenkey show lists them",
			text);
	for (size_t i = 0; i <= len; i++)
		o->version[i] = (char)tolower((unsigned char)text[i]);
	return 0;
}

static int take_date(const struct tool_verb *verb, const char *name, const char *text,
	struct tool_date *out, struct kp_err *err)
{
	bool may_clear = verb->run == tool_dates;
	if (tool_date_parse(text, may_clear, out))
		return kp_fail(err, EINVAL, "--%s %s: is no day; write one such as 2030-01-31%s",
			name, text, may_clear ? ", or none" : "");
	return 0;
}

// What is read, of which verb.
struct reading {
	const struct tool_verb *verb;
	struct tool_options *o;
};

static int take(void *ctx, const struct kp_option *option, char *arg, struct kp_err *err)
{
	const struct reading *r = ctx;
	struct tool_options *o = r->o;
	switch (option->id) {
	case OPT_KEY:
		tool_url_free(&o->url);
		return tool_url_take(arg, &o->url, err);
	case OPT_TYPE:
		if (strcasecmp(arg, "rsa") != 0 && strcasecmp(arg, "aes") != 0)
			return kp_fail(err, EINVAL, "--type %s: write rsa or aes", arg);
		o->type = strcasecmp(arg, "aes") == 0 ? CKK_AES : CKK_RSA;
		return 0;
	case OPT_BITS:
		return take_bits(arg, &o->bits, err);
	case OPT_STARTS:
		return take_date(r->verb, "starts", arg, &o->starts, err);
	case OPT_ENDS:
		return take_date(r->verb, "ends", arg, &o->ends, err);
	case OPT_VERSION:
		return take_version(arg, o, err);
	case OPT_KEK:
		o->kek = arg;
		return 0;
	case OPT_OUT:
		o->out = arg;
		return 0;
	case OPT_KID:
		o->kid = arg;
		return 0;
	default:
		return 0;
	}
}

static int check(const struct tool_verb *verb, const struct tool_options *o, struct kp_err *err)
{
	int64_t starts = 0, ends = 0;
	for (size_t i = 0; i < COUNT; i++)
		if (verb->required & options[i].id & ~o->given)
			return kp_fail(err, EINVAL, "%s: needs --%s; see --help", verb->name,
				options[i].name);
	if (o->starts.set)
		(void)p11_date_read(&o->starts.date, &starts);
	if (o->ends.set)
		(void)p11_date_read(&o->ends.date, &ends);
	if (o->starts.set && o->ends.set && ends < starts)
		return kp_fail(err, EINVAL, "the key would end before it starts");
	// Only what was used once may be over. The last day is a whole one.
	if (o->ends.set && verb->run != tool_dates && ends + DAY_S <= (int64_t)time(NULL))
		return kp_fail(err, EINVAL,
			"--ends %.4s-%.2s-%.2s: that day is past, so the key could never be used",
			o->ends.date.year, o->ends.date.month, o->ends.date.day);
	return 0;
}

int tool_options_parse(const struct tool_verb *verb, int argc, char **argv, struct tool_options *o,
	struct kp_err *err)
{
	struct reading r = {verb, o};
	const struct kp_options all = {.all = options,
		.count = COUNT,
		.verb = verb->name,
		.allowed = verb->options,
		.take = take,
		.ctx = &r};
	int at = 0;
	*o = (struct tool_options){.type = CKK_RSA};
	int ret = kp_program_options(&all, argc, argv, &o->given, &at, err);
	if (ret || (o->given & OPT_HELP))
		return ret;
	if (at != argc)
		// It may be a key URL, and what follows a '=' a PIN.
		return kp_fail(err, EINVAL, "%s: takes options only, not \"%.*s\"", verb->name,
			(int)strcspn(argv[at], "="), argv[at]);
	return check(verb, o, err);
}

void tool_options_free(struct tool_options *o)
{
	tool_url_free(&o->url);
}
