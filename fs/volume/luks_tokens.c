// SPDX-License-Identifier: MIT
// Our tokens among all of a header's tokens: exactly one seal, at least one binding, no keyslot
// used twice. Foreign tokens are passed over.
#include "luks_internal.h"

#include "json.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

void tokens_free(struct tokens *t)
{
	free(t->bindings);
	*t = (struct tokens){0};
}

static const struct json *token_at(const struct json *tokens, int n, const char *type)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", n);
	const struct json *token = json_get(tokens, number);
	const char *found = json_str(token, "type");
	return found && strcmp(found, type) == 0 ? token : NULL;
}

static int missing(const char *name, const char *subsystem, struct errmsg *err)
{
	if (strcmp(subsystem, VOLUME_SUBSYSTEM) == 0)
		return errmsg_set(err, EBADMSG,
			"%s: its creation was interrupted, or its cmkdisk tokens were removed; "
			"make it again "
			"with: cmkdisk create, or restore a header backup (cryptsetup "
			"luksHeaderRestore)",
			name);
	return errmsg_set(err, EBADMSG,
		"%s: a stock LUKS2 disk without a cmkdisk binding; open it with cryptsetup, or "
		"make a new "
		"disk with: cmkdisk create",
		name);
}

static int read_one(const char *name, const struct json *token, int n, struct tokens *out,
	bool seal, struct errmsg *err)
{
	char *text autofree = NULL;

	int ret = json_print(token, false, &text);
	if (ret)
		return errmsg_set(err, -ret, "%s: out of memory", name);
	ret = seal ? seal_parse(n, text, strlen(text), &out->seal, err)
		   : binding_parse(n, text, strlen(text), &out->bindings[out->count], err);
	if (ret == -ENOMEM)
		(void)errmsg_set(err, ENOMEM, "out of memory");
	if (ret)
		errmsg_prefix(err, "%s", name);
	return ret;
}

static int check_shared(const char *name, const struct tokens *t, struct errmsg *err)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t j = 0; j < i; j++)
			if (t->bindings[i].keyslot == t->bindings[j].keyslot)
				return errmsg_set(err, EBADMSG,
					"%s: the bindings in tokens %d and %d share keyslot %d, "
					"expected one "
					"each; restore a header backup (cryptsetup "
					"luksHeaderRestore)",
					name, t->bindings[j].token, t->bindings[i].token,
					t->bindings[i].keyslot);
	return 0;
}

int tokens_present(
	const char *name, const struct json *json, const char *subsystem, struct errmsg *err)
{
	const struct json *all = json_get(json, "tokens");
	size_t bindings = 0, seals = 0;

	for (int n = 0; n < TOKENS_MAX; n++) {
		bindings += token_at(all, n, BINDING_TOKEN_TYPE) != NULL;
		seals += token_at(all, n, SEAL_TOKEN_TYPE) != NULL;
	}
	if (seals == 0 && (bindings == 0 || strcmp(subsystem, VOLUME_SUBSYSTEM) == 0))
		return missing(name, subsystem, err);
	if (seals != 1 || bindings == 0 || bindings > BINDINGS_MAX)
		return errmsg_set(err, EBADMSG,
			"%s: the LUKS2 header holds %zu seals and %zu bindings of cmkdisk, "
			"expected one seal "
			"and 1 to %d bindings; restore a header backup (cryptsetup "
			"luksHeaderRestore)",
			name, seals, bindings, BINDINGS_MAX);
	return 0;
}

int tokens_read(const char *name, const struct json *json, struct tokens *out, struct errmsg *err)
{
	const struct json *all = json_get(json, "tokens");
	struct tokens t scoped(tokens_free) = {0};
	size_t bindings = 0;

	for (int n = 0; n < TOKENS_MAX; n++)
		bindings += token_at(all, n, BINDING_TOKEN_TYPE) != NULL;
	t.bindings = calloc(bindings, sizeof(*t.bindings));
	if (!t.bindings)
		return errmsg_set(err, ENOMEM, "%s: out of memory", name);
	for (int n = 0; n < TOKENS_MAX; n++) {
		const struct json *binding = token_at(all, n, BINDING_TOKEN_TYPE);
		const struct json *seal = token_at(all, n, SEAL_TOKEN_TYPE);
		int ret = 0;
		if (binding || seal)
			ret = read_one(name, binding ? binding : seal, n, &t, !binding, err);
		if (ret)
			return ret;
		t.count += binding != NULL;
	}
	int ret = check_shared(name, &t, err);
	if (ret)
		return ret;
	*out = t;
	t.bindings = NULL;
	return 0;
}

int binding_acceptable(const struct binding *b, struct errmsg *err)
{
	struct binding copy = *b, again;
	struct errmsg why;
	char *text autofree = NULL;

	copy.token = copy.keyslot = 0;
	copy.created = 0;
	if (copy.wrapped_len > sizeof(copy.wrapped))
		return errmsg_set(err, EINVAL,
			"the wrapped secret of %zu bytes is too long for a binding",
			copy.wrapped_len);
	int ret = binding_print(&copy, &text);
	if (!ret)
		ret = binding_parse(0, text, strlen(text), &again, &why);
	if (ret == -EBADMSG)
		return errmsg_set(err, EINVAL,
			"what the key store returned makes no binding (key URL, version, algorithm "
			"or wrapped "
			"secret of %zu bytes is not as it must be); check the key",
			copy.wrapped_len);
	if (ret)
		return errmsg_set(err, -ret, "cannot make a binding: %s", strerror(-ret));
	return 0;
}
