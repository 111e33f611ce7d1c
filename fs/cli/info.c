// SPDX-License-Identifier: MIT
// cmkdisk info: what a header says, without any key; hence unproven, and said so.
#include "cli.h"
#include "json.h"
#include "keyurl.h"
#include "luks.h"
#include "print.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
	{0, "json", NULL, "print JSON"},
};

static const struct binding *successor(const struct volume_info *v, const struct binding *b)
{
	for (size_t i = 0; i < v->binding_count; i++)
		if (binding_replaces(&v->bindings[i], b))
			return &v->bindings[i];
	return NULL;
}

static int binding_json(const struct volume_info *v, const struct binding *b, struct json *list)
{
	const struct binding *by = successor(v, b);
	struct json *o = NULL;
	int rc = json_object(&o);
	if (!rc)
		rc = json_push(list, o);
	if (!rc)
		rc = json_add_int(o, "token", b->token);
	if (!rc)
		rc = json_add_int(o, "keyslot", b->keyslot);
	if (!rc)
		rc = json_add_str(o, "keyUrl", b->key_url);
	if (!rc)
		rc = json_add_str(o, "keyVersion", b->key_version);
	if (!rc)
		rc = json_add_str(o, "alg", b->alg);
	if (!rc)
		rc = json_add_int(o, "created", b->created);
	if (!rc && by)
		rc = json_add_int(o, "replacedBy", by->token);
	return rc;
}

static int policy_json(const struct volume_policy *p, struct json *o)
{
	int rc = json_add_int(o, "size", (int64_t)p->size);
	if (!rc)
		rc = json_add_int(o, "graceDeniedMs", (int64_t)p->grace_denied_ms);
	if (!rc)
		rc = json_add_int(o, "graceUnreachableMs", (int64_t)p->grace_unreachable_ms);
	if (!rc)
		rc = json_add_str(o, "onExpiry", p->expiry_stops ? "stop" : "ignore");
	if (!rc)
		rc = json_add_bool(o, "thin", p->thin);
	return rc;
}

static int show_json(const char *path, const struct volume_info *v)
{
	struct json *o scoped(json_free) = NULL, *list = NULL;
	int rc = json_object(&o);
	if (!rc)
		rc = json_add_str(o, "backing", path);
	if (!rc)
		rc = json_add_str(o, "uuid", v->uuid);
	if (!rc)
		rc = json_add_str(o, "label", v->label[0] ? v->label : NULL);
	if (!rc)
		rc = json_add_str(o, "cipher", v->cipher);
	if (!rc)
		rc = json_add_int(o, "sectorSize", v->sector_size);
	if (!rc)
		rc = json_add_int(o, "dataOffset", (int64_t)v->data_offset);
	if (!rc)
		rc = policy_json(&v->policy, o);
	if (!rc)
		rc = json_add_int(o, "keyslots", (int64_t)v->keyslot_count);
	if (!rc)
		rc = json_array(&list);
	if (!rc)
		rc = json_add(o, "bindings", list);
	for (size_t i = 0; !rc && i < v->binding_count; i++)
		rc = binding_json(v, &v->bindings[i], list);
	return rc ? rc : print_json_value(o);
}

static void show_text(const char *path, const struct volume_info *v)
{
	char size[32], denied[32], unreachable[32], when[32], url[BINDING_URL_MAX];
	format_size(v->policy.size, size, sizeof(size));
	format_duration_ms(v->policy.grace_denied_ms, denied, sizeof(denied));
	format_duration_ms(v->policy.grace_unreachable_ms, unreachable, sizeof(unreachable));
	print_line("%s: %s disk%s", path, size, v->policy.thin ? ", thin" : "");
	print_line("  UUID         %s", v->uuid);
	if (v->label[0])
		print_line("  label        %s", v->label);
	print_line("  cipher       %s, %u-byte sectors, data at %llu", v->cipher, v->sector_size,
		(unsigned long long)v->data_offset);
	print_line("  grace        %s after a refusal, %s without an answer", denied, unreachable);
	print_line("  on expiry    %s", v->policy.expiry_stops ? "stop" : "ignore");
	for (size_t i = 0; i < v->binding_count; i++) {
		const struct binding *b = &v->bindings[i];
		format_time(b->created, when, sizeof(when));
		key_url_unversioned(b->key_url, url);
		print_line("  key          %s", url);
		print_line("               version %s, %s, bound %s (token %d, keyslot %d)",
			b->key_version, b->alg, when, b->token, b->keyslot);
		const struct binding *by = successor(v, b);
		if (by)
			print_line("               token %d takes its place, in a move that is not "
				   "finished",
				by->token);
	}
	size_t others = v->keyslot_count - v->binding_count;
	if (others)
		print_line("  others       %zu keyslot%s added with other tools", others,
			others == 1 ? "" : "s");
	print_line("As the header says it; the seal is checked when the disk is unlocked.");
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	(void)cli;
	bool json = false;
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, cli_set_flag, &json, 1, 1, &operands, err);
	if (rc)
		return rc;
	struct volume *v scoped(volume_close) = NULL;
	rc = volume_open(operands.at[0], false, &v, err);
	if (rc)
		return rc;
	if (json)
		return show_json(operands.at[0], volume_info(v));
	show_text(operands.at[0], volume_info(v));
	return 0;
}

const struct cli_command cmd_info = {
	.name = "info",
	.operands = "BACKING",
	.summary = "Show what a disk's header says; needs no key",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
