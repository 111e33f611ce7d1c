// SPDX-License-Identifier: MIT
// identity.*: what an administrator does to identities; see identities.h.
#include "emu_file.h"
#include "identity_model.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int add_secret(struct identity *id, const char *text, struct kp_err *err)
{
	if (strlen(text) < 8)
		return kp_fail(err, EINVAL, "a secret must have 8 characters or more");
	struct client_secret *list =
		reallocarray(id->secrets, id->secret_count + 1, sizeof(*id->secrets));
	if (!list)
		return -ENOMEM;
	id->secrets = list;
	int ret = identity_secret_make(text, &list[id->secret_count]);
	if (ret == 0)
		id->secret_count++;
	return ret;
}

static int read_secrets(const struct kp_json *args, struct identity *id, struct kp_err *err)
{
	const char *one = kp_json_str(args, "secret");
	int ret = one ? add_secret(id, one, err) : 0;
	const struct kp_json *s = kp_json_first(kp_json_get(args, "secrets"));
	for (; s && ret == 0; s = kp_json_next(s))
		ret = kp_json_text(s) ? add_secret(id, kp_json_text(s), err)
				      : kp_fail(err, EINVAL, "\"secrets\" must be a list of texts");
	return ret;
}

// What add leaves to us.
static int complete(struct identity *id)
{
	int ret = *id->client_id ? 0 : emu_guid(id->client_id);
	if (ret == 0 && !*id->object_id)
		ret = emu_guid(id->object_id);
	if (ret == 0 && id->managed == MANAGED_USER && !id->resource_id &&
		asprintf(&id->resource_id,
			"/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/"
			"cmkdisk/"
			"providers/Microsoft.ManagedIdentity/userAssignedIdentities/%s",
			id->name) < 0) {
		id->resource_id = NULL;
		ret = -ENOMEM;
	}
	return ret;
}

static int add(struct identities *i, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	scoped(identity_end) struct identity id = {.enabled = true, .lifetime = IDENTITY_LIFETIME};
	int ret = identity_read(args, &id, err);
	if (ret == 0)
		ret = read_secrets(args, &id, err);
	if (ret == 0)
		ret = complete(&id);
	if (ret)
		return ret;
	if (identity_find(i, id.name) || identity_find(i, id.client_id) ||
		identity_find(i, id.object_id))
		return kp_fail(err, EEXIST,
			"there is an identity %s already, or one with its client or object id",
			id.name);
	struct identity *list = reallocarray(i->ids, i->count + 1, sizeof(*i->ids));
	if (!list)
		return -ENOMEM;
	i->ids = list;
	list[i->count++] = id;
	id = (struct identity){0};
	ret = identity_save(i, err);
	return ret ? ret : identity_print(&list[i->count - 1], false, result);
}

static int remove_identity(struct identities *i, struct identity *id, struct kp_err *err)
{
	access_drop(i, id->object_id);
	identity_end(id);
	size_t at = (size_t)(id - i->ids);
	memmove(id, id + 1, (i->count - at - 1) * sizeof(*id));
	i->count--;
	return identity_save(i, err);
}

static int print_state(const struct identity *id, struct kp_json *list)
{
	struct kp_json *j;
	int ret = identity_print(id, false, &j);
	if (ret == 0)
		ret = kp_json_push(list, j);
	if (ret == 0 && (kp_json_add_int(j, "secrets", (int64_t)id->secret_count) ||
				kp_json_add_bool(j, "certificate", id->certificates != NULL) ||
				kp_json_add_int(j, "federated", (int64_t)id->federated_count) ||
				kp_json_add_bool(j, "challenged", id->challenge && !id->answered)))
		ret = -ENOMEM;
	return ret;
}

static int list(const struct identities *i, struct kp_json **result)
{
	struct kp_json *ids = NULL;
	int ret = kp_json_object(result);
	if (ret == 0)
		ret = kp_json_array(&ids);
	if (ret == 0)
		ret = kp_json_add(*result, "identities", ids);
	for (size_t n = 0; n < i->count && ret == 0; n++)
		ret = print_state(&i->ids[n], ids);
	return ret;
}

// A secret of our own goes into a file, never into a reply.
static int make_secret(struct identities *i, struct identity *id, const char *path,
	struct kp_json **result, struct kp_err *err)
{
	char own[PATH_MAX], copy[PATH_MAX], copy2[PATH_MAX], secret[65];
	int n = path ? snprintf(own, sizeof(own), "%s", path)
		     : snprintf(own, sizeof(own), "%s/%s.secret", i->dir, id->name);
	if (n < 0 || (size_t)n >= sizeof(own))
		return kp_fail(err, ENAMETOOLONG, "the path of the secret's file is too long");
	memcpy(copy, own, (size_t)n + 1);
	memcpy(copy2, own, (size_t)n + 1);
	int ret = emu_random_hex(secret, 32);
	if (ret == 0)
		ret = emu_file_write(dirname(copy), basename(copy2), 0600, secret, 64, err);
	if (ret == 0)
		ret = add_secret(id, secret, err);
	explicit_bzero(secret, sizeof(secret));
	if (ret == 0)
		ret = kp_json_object(result);
	return ret ? ret : kp_json_add_str(*result, "file", own);
}

static int remove_secret(struct identity *id, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	const char *text = kp_json_str(args, "secret"), *hint = kp_json_str(args, "hint");
	size_t kept = 0, before = id->secret_count;
	for (size_t n = 0; n < before; n++) {
		const struct client_secret *s = &id->secrets[n];
		bool meant =
			text ? identity_secret_is(s, text) : !hint || strcmp(s->hint, hint) == 0;
		if (!meant)
			id->secrets[kept++] = *s;
	}
	id->secret_count = kept;
	if ((text || hint) && kept == before)
		return kp_fail(err, ENOENT, "identity %s has no such secret", id->name);
	int ret = kp_json_object(result);
	return ret ? ret : kp_json_add_int(*result, "removed", (int64_t)(before - kept));
}

static void challenge(const struct identities *i, struct identity *id)
{
	int64_t now = emu_now(i->clock);
	id->challenge = now > id->challenge ? now : id->challenge + 1;
	id->answered = 0;
}

static int set(struct identity *id, const struct kp_json *args, struct kp_err *err)
{
	if (kp_json_get(args, "clientId") || kp_json_get(args, "objectId"))
		return kp_fail(err, EINVAL, "the ids of an identity never change");
	int ret = identity_read(args, id, err);
	return ret ? ret : complete(id);
}

static int change(struct identities *i, struct identity *id, const char *verb,
	const struct kp_json *args, struct kp_json **result, struct kp_err *err)
{
	int ret = 0;
	if (strcmp(verb, "enable") == 0 || strcmp(verb, "disable") == 0)
		id->enabled = *verb == 'e';
	else if (strcmp(verb, "challenge") == 0)
		challenge(i, id);
	else if (strcmp(verb, "set") == 0)
		ret = set(id, args, err);
	else if (strcmp(verb, "removeSecret") == 0)
		ret = remove_secret(id, args, result, err);
	else if (kp_json_str(args, "secret"))
		ret = add_secret(id, kp_json_str(args, "secret"), err);
	else
		ret = make_secret(i, id, kp_json_str(args, "file"), result, err);
	return ret ? ret : identity_save(i, err);
}

int identities_action(void *identities, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	static const char *const changes[] = {
		"enable", "disable", "challenge", "set", "addSecret", "removeSecret", "remove"};
	scoped(identities_unlock) struct identities *held = identities_lock(identities);
	if (strcmp(verb, "add") == 0)
		return add(held, args, result, err);
	if (strcmp(verb, "list") == 0)
		return list(held, result);
	for (size_t n = 0; n < sizeof(changes) / sizeof(*changes); n++) {
		struct identity *id;
		if (strcmp(verb, changes[n]) != 0)
			continue;
		int ret = identity_wanted(held, args, &id, err);
		if (ret)
			return ret;
		return strcmp(verb, "remove") == 0 ? remove_identity(held, id, err)
						   : change(held, id, verb, args, result, err);
	}
	return kp_fail(err, EINVAL,
		"there is no action identity.%.32s; there are add, set, remove, enable, disable, "
		"list, "
		"challenge, addSecret, removeSecret",
		verb);
}
