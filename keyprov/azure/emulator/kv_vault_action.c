// SPDX-License-Identifier: MIT
// The actions "vault.*"; see vaults.h.
#include "emu_time.h"
#include "kv_vaults.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static int read_flag(const struct kp_json *args, const char *name, bool *out, struct kp_err *err)
{
	if (kp_json_is_null(kp_json_get(args, name)) || kp_json_bool(args, name, out))
		return 0;
	return kp_fail(err, EINVAL, "%s is true or false", name);
}

static int read_settings(const struct kp_json *args, struct kv_settings *s, struct kp_err *err)
{
	const char *model = kp_json_str(args, "model");
	int64_t lag_ms = s->lag * 1000;
	if (!kp_json_is_null(kp_json_get(args, "days")) &&
		(!kp_json_int(args, "days", &s->days) ||
			(s->days != 0 && (s->days < 7 || s->days > 90))))
		return kp_fail(err, EINVAL,
			"days of soft delete go from 7 to 90, or 0 for a vault without");
	if (model && strcmp(model, "rbac") != 0 && strcmp(model, "policy") != 0)
		return kp_fail(err, EINVAL, "model is rbac or policy");
	if (model)
		s->rbac = strcmp(model, "rbac") == 0;
	int ret = read_flag(args, "purgeProtection", &s->purge_protection, err);
	if (ret == 0)
		ret = read_flag(args, "firewall", &s->firewall, err);
	if (ret == 0)
		ret = read_flag(args, "publicAccess", &s->public_access, err);
	if (ret == 0)
		ret = emu_arg_duration(args, "notFoundLag", &lag_ms, err);
	s->lag = (lag_ms + 999) / 1000;
	return ret;
}

static bool vault_name_ok(const char *name)
{
	size_t len = strlen(name);
	if (len < 3 || len > KV_VAULT_NAME_MAX || !isalpha((unsigned char)name[0]) ||
		strcmp(name, "login") == 0)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && name[len - 1] != '-';
}

static int describe(struct vaults *v, struct kv_vault *vault, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kv_call c = {.vs = v};
	const struct kv_settings *s = &vault->set;
	kv_call_begin(&c, vault, NULL);
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_add_str(j, "name", vault->name);
	if (ret == 0)
		ret = kp_json_add_str(j, "url", c.base);
	if (ret == 0)
		ret = kp_json_add_bool(j, "hsm", vault->hsm);
	if (ret == 0)
		ret = kp_json_add_int(j, "days", s->days);
	if (ret == 0)
		ret = kp_json_add_bool(j, "purgeProtection", s->purge_protection);
	if (ret == 0)
		ret = kp_json_add_str(j, "recoveryLevel", kv_recovery_level(s));
	if (ret == 0)
		ret = kp_json_add_str(j, "model", s->rbac ? "rbac" : "policy");
	if (ret == 0)
		ret = kp_json_add_bool(j, "firewall", s->firewall);
	if (ret == 0)
		ret = kp_json_add_bool(j, "publicAccess", s->public_access);
	if (ret == 0)
		ret = kp_json_add_int(j, "notFoundLag", s->lag);
	if (ret == 0)
		ret = kp_json_add_int(j, "keys", (int64_t)vault->count);
	if (ret == 0)
		*out = TAKE(j);
	return ret;
}

static int add(struct vaults *v, const struct kp_json *args, const char *name,
	struct kp_json **result, struct kp_err *err)
{
	scoped(kv_vault_free) struct kv_vault *vault = calloc(1, sizeof(*vault));
	if (!vault)
		return kp_fail(err, ENOMEM, "no memory for a vault");
	vault->set = (struct kv_settings){.days = 90, .rbac = true, .public_access = true};
	if (!vault_name_ok(name))
		return kp_fail(err, EINVAL,
			"%.40s cannot name a vault: 3 to 24 lower-case letters, digits and "
			"hyphens, a "
			"letter first",
			name);
	if (kv_vault_find(v, name))
		return kp_fail(err, EEXIST, "vault %s exists already", name);
	memcpy(vault->name, name, strlen(name) + 1);
	int ret = read_flag(args, "hsm", &vault->hsm, err);
	if (ret == 0)
		ret = read_settings(args, &vault->set, err);
	if (ret)
		return ret;
	ret = kv_vault_add(v, vault);
	if (ret)
		return kp_fail(err, -ret, "no memory for a vault");
	struct kv_vault *added = TAKE(vault);
	ret = kv_dir_add(v, added);
	if (ret) {
		added->removed = true;
		return kp_fail(
			err, -ret, "%s: cannot keep vault %s: %s", v->dir, name, strerror(-ret));
	}
	return describe(v, added, result);
}

static int set(struct vaults *v, const struct kp_json *args, struct kv_vault *vault,
	struct kp_json **result, struct kp_err *err)
{
	struct kv_vault changed = {.hsm = vault->hsm, .set = vault->set};
	memcpy(changed.name, vault->name, sizeof(changed.name));
	int ret = read_settings(args, &changed.set, err);
	if (ret)
		return ret;
	ret = kv_dir_add(v, &changed);
	if (ret)
		return kp_fail(err, -ret, "%s: cannot keep the settings of vault %s: %s", v->dir,
			vault->name, strerror(-ret));
	vault->set = changed.set;
	return describe(v, vault, result);
}

static int list(struct vaults *v, struct kp_json **result)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *all = NULL;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_array(&all);
	if (ret == 0)
		ret = kp_json_add(j, "vaults", all);
	for (size_t i = 0; i < v->count && ret == 0; i++) {
		struct kp_json *one = NULL;
		if (v->vaults[i]->removed)
			continue;
		ret = describe(v, v->vaults[i], &one);
		if (ret == 0)
			ret = kp_json_push(all, one);
	}
	if (ret == 0)
		*result = TAKE(j);
	return ret;
}

int vaults_place(struct vaults *v, const struct kp_json *args, struct kp_err *err)
{
	const char *name = kp_json_str(args, "vault"), *key = kp_json_str(args, "key");
	const char *version = kp_json_str(args, "version");
	scoped(kv_unlock) struct vaults *held = v;
	bool found = false;
	kv_lock(held);
	if (name && !kv_vault_choose(v, name, err))
		return -ENOENT;
	for (size_t i = 0; i < v->count && !found; i++) {
		const struct kv_vault *vault = v->vaults[i];
		if (vault->removed || (name && vault != kv_vault_find(v, name)))
			continue;
		struct kv_key *k = key ? kv_vault_key(vault, key) : NULL;
		found = k && (!version || kv_key_find(k, version));
	}
	if (found || !key)
		return 0;
	return kp_fail(err, ENOENT, "there is no key %.130s%s%.40s in %s; key.list names them", key,
		version ? "/" : "", version ? version : "", name ? name : "any vault");
}

int vaults_action(void *vaults, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	struct vaults *v = vaults;
	const char *name = kp_json_str(args, "name");
	scoped(kv_unlock) struct vaults *held = v;
	kv_lock(held);
	if (strcmp(verb, "list") == 0)
		return list(v, result);
	if (strcmp(verb, "add") != 0 && strcmp(verb, "set") != 0 && strcmp(verb, "remove") != 0)
		return kp_fail(err, EINVAL, "there is no action vault.%.40s", verb);
	if (!name)
		name = kp_json_str(args, "vault");
	if (strcmp(verb, "add") == 0)
		return name ? add(v, args, name, result, err)
			    : kp_fail(err, EINVAL, "vault.add needs a name");
	struct kv_vault *vault = kv_vault_choose(v, name, err);
	if (!vault)
		return -ENOENT;
	if (strcmp(verb, "set") == 0)
		return set(v, args, vault, result, err);
	int ret = kv_dir_remove(v, vault);
	if (ret)
		return kp_fail(err, -ret, "%s/%s: cannot be removed: %s", v->dir, vault->name,
			strerror(-ret));
	vault->removed = true;
	return 0;
}
