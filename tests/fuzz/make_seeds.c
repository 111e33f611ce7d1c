// SPDX-License-Identifier: MIT
// Writes small seed corpora for the fuzzers of fs/volume into DIR/binding, DIR/seal and DIR/header:
// the tokens and the JSON of a disk that is made here and now, so no binary lies in the tree.
#include "../helpers/luks2_edit.h"
#include "../helpers/volume_rig.h"

#include "json.h"
#include "scope.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int put(const char *dir, const char *kind, const char *name, const char *text)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, kind);
	(void)mkdir(path, 0777);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, kind, name);
	FILE *f autofclose = fopen(path, "w");
	return f && fputs(text, f) >= 0 ? 0 : -1;
}

static int put_tokens(const char *dir, const char *json)
{
	struct json *root scoped(json_free) = NULL;
	const struct json *token;
	const char *number;

	if (json_parse(json, strlen(json), &root))
		return -1;
	for (size_t i = 0; (token = json_member_at(json_get(root, "tokens"), i, &number)); i++) {
		char *text autofree = NULL;
		const char *type = json_str(token, "type");
		bool seal = type && strcmp(type, SEAL_TOKEN_TYPE) == 0;
		if (json_print(token, false, &text) ||
			put(dir, seal ? "seal" : "binding", number, text))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct volume_rig r scoped(rig_end);
	char *json autofree = NULL;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_seeds DIR\n");
		return 64;
	}
	(void)mkdir(argv[1], 0777);
	rig_begin(&r);
	r.binding.wrapped_len = 40;
	(void)snprintf(r.binding.alg, sizeof(r.binding.alg), "A256KW");
	r.binding.replaces_count = 2;
	rig_create(&r);
	json = luks2_json(r.path);
	return put(argv[1], "header", "disk", json) || put_tokens(argv[1], json);
}
