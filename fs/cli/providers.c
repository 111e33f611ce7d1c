// SPDX-License-Identifier: MIT
// cmkdisk providers: the plug-ins that are there, each asked in a process of its own.
#include "cli.h"
#include "json.h"
#include "plugins.h"
#include "print.h"
#include "scope.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
	{0, "json", NULL, "print JSON"},
};

static int row_json(struct json *list, const struct plugin_row *r)
{
	struct json *o = NULL;
	int rc = json_object(&o);
	if (rc)
		return rc;
	rc = json_push(list, o); // owned by the list from here
	if (!rc)
		rc = json_add_str(o, "name", r->name);
	if (!rc)
		rc = json_add_str(o, "version", r->version);
	if (!rc)
		rc = json_add_str(o, "schemes", r->schemes);
	if (!rc)
		rc = json_add_str(o, "description", r->description);
	if (!rc)
		rc = json_add_str(o, "path", r->path);
	if (!rc)
		rc = json_add_str(o, "problem", r->problem[0] ? r->problem : NULL);
	return rc;
}

static int print_json(const struct plugin_row *rows, size_t count)
{
	struct json *list scoped(json_free) = NULL;
	int rc = json_array(&list);
	for (size_t i = 0; !rc && i < count; i++)
		rc = row_json(list, &rows[i]);
	return rc ? rc : print_json_value(list);
}

static int run(const struct cli *cli, const struct cli_command *self, int argc, char **argv,
	struct errmsg *err)
{
	bool json = false;
	struct cli_operands operands;
	int rc = cli_parse(self, argc, argv, cli_set_flag, &json, 0, 0, &operands, err);
	if (rc)
		return rc;
	struct plugin_row *rows autofree = NULL;
	size_t count = 0;
	rc = plugins_list(cli->agent, cli->plugin_dir, &rows, &count, err);
	if (rc)
		return rc;
	if (json)
		return print_json(rows, count);
	for (size_t i = 0; i < count; i++) {
		const struct plugin_row *r = &rows[i];
		if (r->problem[0])
			printf("%-10s %s: %s\n", r->name, r->path, r->problem);
		else
			printf("%-10s %-8s %-16s %s\n", r->name, r->version, r->schemes,
				r->description);
	}
	return 0;
}

const struct cli_command cmd_providers = {
	.name = "providers",
	.operands = "",
	.summary = "List the key provider plug-ins",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
