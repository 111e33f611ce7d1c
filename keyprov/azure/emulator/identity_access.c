// SPDX-License-Identifier: MIT
// Who may do what: permissions on vaults, keys and key versions, and the time that a change takes
// to get about; see identities.h.
#include "emu_time.h"
#include "identity_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PERMISSIONS 19
static const char *const permissions[PERMISSIONS] = {"get", "list", "create", "import", "update",
	"delete", "recover", "purge", "backup", "restore", "rotate", "getrotationpolicy",
	"setrotationpolicy", "encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"};

const char *access_permission(const char *name)
{
	for (size_t i = 0; i < PERMISSIONS; i++)
		if (strcasecmp(permissions[i], name) == 0)
			return permissions[i];
	return NULL;
}

static bool same_place(const struct grant *a, const struct grant *b)
{
	return strcasecmp(a->vault, b->vault) == 0 && strcasecmp(a->key, b->key) == 0 &&
	       strcasecmp(a->version, b->version) == 0;
}

static void forget_past(struct identities *i)
{
	int64_t now = emu_now(i->clock);
	size_t kept = 0;
	for (size_t n = 0; n < i->grant_count; n++)
		if (i->grants[n].until > now)
			i->grants[kept++] = i->grants[n];
	i->grant_count = kept;
}

int access_add(struct identities *i, const struct grant *g)
{
	for (size_t n = 0; n < i->grant_count; n++) {
		struct grant *old = &i->grants[n];
		if (strcmp(old->object_id, g->object_id) == 0 && old->permission == g->permission &&
			same_place(old, g) && old->until == IDENTITY_FOREVER &&
			g->until == IDENTITY_FOREVER) {
			if (g->from < old->from)
				old->from = g->from;
			return 0;
		}
	}
	struct grant *list = reallocarray(i->grants, i->grant_count + 1, sizeof(*i->grants));
	if (!list)
		return -ENOMEM;
	i->grants = list;
	list[i->grant_count++] = *g;
	return 0;
}

void access_drop(struct identities *i, const char *object_id)
{
	size_t kept = 0;
	for (size_t n = 0; n < i->grant_count; n++)
		if (strcmp(i->grants[n].object_id, object_id) != 0)
			i->grants[kept++] = i->grants[n];
	i->grant_count = kept;
}

static bool covers(const char *granted, const char *asked)
{
	return !*granted || (asked && strcasecmp(granted, asked) == 0);
}

bool identities_allowed(struct identities *i, const struct caller *c, const char *vault,
	const char *key, const char *version, const char *permission)
{
	scoped(identities_unlock) struct identities *held = identities_lock(i);
	const char *wanted = access_permission(permission);
	int64_t now = emu_now(held->clock);
	for (size_t n = 0; n < held->grant_count && wanted; n++) {
		const struct grant *g = &held->grants[n];
		if (strcasecmp(g->object_id, c->object_id) == 0 && g->permission == wanted &&
			g->from <= now && now < g->until && covers(g->vault, vault) &&
			covers(g->key, key) && covers(g->version, version))
			return true;
	}
	return false;
}

// What an action names: one place, some permissions, when.
struct change {
	struct grant place; // all but permission
	bool wanted[PERMISSIONS];
	int64_t at;
};

static int want(struct change *c, const char *name, size_t len, struct kp_err *err)
{
	char word[32];
	if (len == 3 && strncasecmp(name, "all", 3) == 0) {
		for (size_t i = 0; i < PERMISSIONS; i++)
			c->wanted[i] = true;
		return 0;
	}
	(void)snprintf(word, sizeof(word), "%.*s", (int)(len < 31 ? len : 31), name);
	for (size_t i = 0; i < PERMISSIONS; i++)
		if (strcasecmp(permissions[i], word) == 0) {
			c->wanted[i] = true;
			return 0;
		}
	return kp_fail(err, EINVAL,
		"there is no permission \"%s\"; there are get, list, create, import, update, "
		"delete, "
		"recover, purge, backup, restore, rotate, getrotationpolicy, setrotationpolicy, "
		"encrypt, decrypt, sign, verify, wrapKey, unwrapKey, and all",
		word);
}

static int want_words(struct change *c, const char *text, struct kp_err *err)
{
	int ret = 0;
	while (ret == 0 && *(text += strspn(text, ", "))) {
		size_t len = strcspn(text, ", ");
		ret = want(c, text, len, err);
		text += len;
	}
	return ret;
}

static int read_permissions(
	const struct kp_json *args, const char *otherwise, struct change *c, struct kp_err *err)
{
	const struct kp_json *given = kp_json_get(args, "permissions");
	if (kp_json_is_null(given))
		return want_words(c, otherwise, err);
	if (kp_json_text(given))
		return want_words(c, kp_json_text(given), err);
	if (!kp_json_is_array(given))
		return kp_fail(err, EINVAL, "\"permissions\" must be a list of permissions");
	int ret = 0;
	for (const struct kp_json *p = kp_json_first(given); p && ret == 0; p = kp_json_next(p))
		ret = want_words(c, kp_json_text(p) ? kp_json_text(p) : "?", err);
	return ret;
}

static int read_place(
	const struct kp_json *args, const char *member, char *out, size_t size, struct kp_err *err)
{
	const char *text = kp_json_str(args, member);
	if (!text)
		return kp_json_is_null(kp_json_get(args, member))
			       ? 0
			       : kp_fail(err, EINVAL, "\"%s\" must be a name", member);
	if ((size_t)snprintf(out, size, "%s", text) >= size)
		return kp_fail(err, EINVAL, "\"%s\" is too long", member);
	return 0;
}

static int read_change(struct identities *i, const struct kp_json *args, const char *otherwise,
	struct change *c, struct kp_err *err)
{
	struct identity *id;
	struct grant *g = &c->place;
	int64_t lag_ms = 0;
	*c = (struct change){.place.until = IDENTITY_FOREVER};
	int ret = identity_wanted(i, args, &id, err);
	if (ret == 0)
		ret = read_place(args, "vault", g->vault, sizeof(g->vault), err);
	if (ret == 0)
		ret = read_place(args, "key", g->key, sizeof(g->key), err);
	if (ret == 0)
		ret = read_place(args, "version", g->version, sizeof(g->version), err);
	if (ret == 0 && *g->version && !*g->key)
		ret = kp_fail(err, EINVAL, "a \"version\" needs the \"key\" that it is of");
	if (ret == 0)
		ret = read_permissions(args, otherwise, c, err);
	if (ret == 0)
		ret = emu_arg_duration(args, "lag", &lag_ms, err);
	if (ret)
		return ret;
	memcpy(g->object_id, id->object_id, sizeof(g->object_id));
	c->at = emu_now(i->clock) + (lag_ms + 999) / 1000;
	return 0;
}

static int give(struct identities *i, const struct kp_json *args, struct kp_err *err)
{
	struct change c;
	int ret = read_change(i, args, "get,wrapKey,unwrapKey", &c, err);
	c.place.from = c.at;
	for (size_t p = 0; p < PERMISSIONS && ret == 0; p++) {
		c.place.permission = permissions[p];
		if (c.wanted[p])
			ret = access_add(i, &c.place);
	}
	return ret ? ret : identity_save(i, err);
}

static bool is_wanted(const struct change *c, const char *permission)
{
	for (size_t p = 0; p < PERMISSIONS; p++)
		if (permissions[p] == permission)
			return c->wanted[p];
	return false;
}

// Takes away what was granted in the place named and inside it. What was granted on more than
// that cannot be taken away in part, as with role assignments.
static int take_away(struct identities *i, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	struct change c;
	int64_t revoked = 0;
	bool wider = false;
	int ret = read_change(i, args, "all", &c, err);
	if (ret)
		return ret;
	for (size_t n = 0; n < i->grant_count; n++) {
		struct grant *g = &i->grants[n];
		if (strcmp(g->object_id, c.place.object_id) != 0 || !is_wanted(&c, g->permission))
			continue;
		if (covers(c.place.vault, g->vault) && covers(c.place.key, g->key) &&
			covers(c.place.version, g->version)) {
			revoked++;
			if (g->until > c.at)
				g->until = c.at > g->from ? c.at : g->from;
		} else if (covers(g->vault, c.place.vault) && covers(g->key, c.place.key) &&
			   covers(g->version, c.place.version)) {
			wider = true;
		}
	}
	if (wider && revoked == 0)
		return kp_fail(err, EINVAL,
			"this was granted on more than that; revoke it there and grant what is to "
			"remain (see access.list)");
	ret = identity_save(i, err);
	if (ret == 0)
		ret = kp_json_object(result);
	return ret ? ret : kp_json_add_int(*result, "revoked", revoked);
}

static int list_one(const struct identities *i, const struct grant *g, struct kp_json *list)
{
	int64_t now = emu_now(i->clock);
	struct kp_json *j;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_push(list, j);
	if (ret)
		return ret;
	for (size_t n = 0; n < i->count && ret == 0; n++)
		if (strcmp(i->ids[n].object_id, g->object_id) == 0)
			ret = kp_json_add_str(j, "identity", i->ids[n].name);
	if (ret || (*g->vault && kp_json_add_str(j, "vault", g->vault)) ||
		(*g->key && kp_json_add_str(j, "key", g->key)) ||
		(*g->version && kp_json_add_str(j, "version", g->version)) ||
		kp_json_add_str(j, "permission", g->permission) ||
		kp_json_add_bool(j, "effective", g->from <= now) ||
		(g->from > now && kp_json_add_int(j, "from", g->from)) ||
		(g->until != IDENTITY_FOREVER && kp_json_add_int(j, "until", g->until)))
		return -ENOMEM;
	return 0;
}

static int list(const struct identities *i, struct kp_json **result)
{
	struct kp_json *access = NULL;
	int ret = kp_json_object(result);
	if (ret == 0)
		ret = kp_json_array(&access);
	if (ret == 0)
		ret = kp_json_add(*result, "access", access);
	for (size_t n = 0; n < i->grant_count && ret == 0; n++)
		ret = list_one(i, &i->grants[n], access);
	return ret;
}

int access_action(void *identities, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	scoped(identities_unlock) struct identities *held = identities_lock(identities);
	forget_past(held);
	if (strcmp(verb, "grant") == 0)
		return give(held, args, err);
	if (strcmp(verb, "revoke") == 0)
		return take_away(held, args, result, err);
	if (strcmp(verb, "list") == 0)
		return list(held, result);
	return kp_fail(err, EINVAL,
		"there is no action access.%.32s; there are grant, revoke, list", verb);
}
