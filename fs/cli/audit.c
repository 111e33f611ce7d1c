// SPDX-License-Identifier: MIT
// cmkdisk audit: whether an audit log is as it was written.
#include "audit.h"
#include "cli.h"
#include "exitcode.h"
#include "json.h"
#include "print.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct args {
	struct audit_expect expect;
	bool json;
};

static const struct cli_option options[] = {
	{0, "after", "HASH", "the hash of the line before the first, which is not at hand"},
	{0, "last", "HASH", "a hash noted elsewhere: the log must have come so far"},
	{0, "json", NULL, "print JSON"},
};

static int take_hash(
	const struct cli_option *o, const char *value, const char **out, struct errmsg *err)
{
	if (strlen(value) != AUDIT_HASH_TEXT - 1 ||
		strspn(value, "0123456789abcdef") != AUDIT_HASH_TEXT - 1)
		return errmsg_set(err, EINVAL,
			"audit verify: --%s \"%.80s\" is no hash; expected the 64 lower-case hex "
			"digits of a line's \"hash\"",
			o->name, value);
	*out = value;
	return 0;
}

static int set(void *ctx, const struct cli_option *o, const char *value, struct errmsg *err)
{
	struct args *a = ctx;
	if (!strcmp(o->name, "after"))
		return take_hash(o, value, &a->expect.after, err);
	if (!strcmp(o->name, "last"))
		return take_hash(o, value, &a->expect.last, err);
	a->json = true;
	return 0;
}

static int add_span(struct json *o, const struct audit_chain *c)
{
	int rc = json_add_int(o, "lines", (int64_t)c->lines);
	if (!rc)
		rc = json_add_int(o, "firstSequence", (int64_t)c->first);
	if (!rc)
		rc = json_add_int(o, "lastSequence", (int64_t)c->last);
	if (!rc)
		rc = json_add_str(o, "firstTime", c->lines ? c->first_time : NULL);
	if (!rc)
		rc = json_add_str(o, "lastTime", c->lines ? c->last_time : NULL);
	if (!rc)
		rc = json_add_str(o, "lastHash", c->lines ? c->last_hash : NULL);
	if (!rc)
		rc = json_add_int(o, "gaps", (int64_t)c->gaps);
	if (!rc)
		rc = json_add_int(o, "lost", (int64_t)c->lost);
	return rc;
}

static int add_problem(struct json *o, const struct audit_chain *c, const char *sentence)
{
	int rc = json_add_str(o, "problem", audit_problem_name(c->problem));
	if (!rc)
		rc = json_add_str(o, "file", c->file);
	if (!rc)
		rc = json_add_int(o, "line", (int64_t)c->line);
	if (!rc && c->sequence)
		rc = json_add_int(o, "sequence", (int64_t)c->sequence);
	if (!rc)
		rc = json_add_str(o, "error", sentence);
	return rc;
}

static int show_json(const struct audit_chain *c, const char *sentence)
{
	struct json *o scoped(json_free) = NULL;
	int rc = json_object(&o);
	if (!rc)
		rc = json_add_bool(o, "ok", !c->problem);
	if (!rc)
		rc = add_span(o, c);
	if (!rc && c->problem)
		rc = add_problem(o, c, sentence);
	return rc ? rc : print_json_value(o);
}

static void show_text(const struct audit_chain *c)
{
	print_line("unbroken: %llu lines", (unsigned long long)c->lines);
	print_line("  first  %s  sequence %llu", c->first_time, (unsigned long long)c->first);
	print_line("  last   %s  sequence %llu", c->last_time, (unsigned long long)c->last);
	print_line("  hash   %s", c->last_hash);
	if (c->gaps)
		print_line("  gaps   %llu (\"audit-gap\"), %llu events lost",
			(unsigned long long)c->gaps, (unsigned long long)c->lost);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	struct args a = {0};
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, set, &a, 2, -1, &operands, err);
	if (rc)
		return rc;
	if (strcmp(operands.at[0], "verify") != 0)
		return errmsg_set(
			err, EINVAL, "audit: no verb \"%s\"; expected verify", operands.at[0]);
	struct audit_chain chain;
	rc = audit_verify(operands.at + 1, (size_t)operands.count - 1, &a.expect, &chain, err);
	if (rc && !(a.json && chain.problem))
		return rc;
	if (!a.json) {
		show_text(&chain);
		return 0;
	}
	int shown = show_json(&chain, err->text);
	if (shown)
		return errmsg_set(err, -shown, "no memory to print what was found");
	return rc ? CLI_STATUS(exitcode_of(rc)) : 0;
}

const struct cli_command cmd_audit = {
	.name = "audit",
	.operands = "verify FILE...",
	.summary = "Find out whether an audit log is as it was written",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
