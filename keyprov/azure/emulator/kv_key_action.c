// SPDX-License-Identifier: MIT
// The actions "key.*"; see vaults.h. They take the same way as requests, without asking who may.
#include "emu_time.h"
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

struct kv_vault *kv_vault_choose(struct vaults *v, const char *name, struct kp_err *err)
{
	struct kv_vault *only = NULL;
	size_t n = 0;
	for (size_t i = 0; i < v->count; i++)
		if (!v->vaults[i]->removed) {
			only = v->vaults[i];
			n++;
		}
	struct kv_vault *found = name ? kv_vault_find(v, name) : (n == 1 ? only : NULL);
	if (!found && name)
		(void)kp_fail(err, ENOENT, "there is no vault %.40s; vault.list names them", name);
	else if (!found)
		(void)kp_fail(err, ENOENT, "there are %zu vaults; say which with vault=NAME", n);
	return found;
}

// A time in an action: Unix seconds, or a duration from now. *out stays if there is none.
static int read_time(
	const struct kp_json *args, const char *name, int64_t now, int64_t *out, struct kp_err *err)
{
	int64_t ms = 0;
	if (kp_json_int(args, name, out))
		return 0;
	if (kp_json_is_null(kp_json_get(args, name)))
		return 0;
	int ret = emu_arg_duration(args, name, &ms, err);
	if (ret == 0)
		*out = now + ms / 1000;
	return ret;
}

static int put_member(const struct kp_json *args, const char *from, const char *to, FILE *out)
{
	autofree char *text = NULL;
	const struct kp_json *j = kp_json_get(args, from);
	if (kp_json_is_null(j))
		return 0;
	int ret = kp_json_print(j, false, &text);
	if (ret == 0)
		(void)fprintf(out, ",\"%s\":%s", to, text);
	return ret;
}

// "ops" may also be one string: "wrapKey,unwrapKey".
static int put_ops(const struct kp_json *args, FILE *out, struct kp_err *err)
{
	const char *ops = kp_json_str(args, "ops");
	if (!ops)
		return put_member(args, "ops", "key_ops", out);
	(void)fputs(",\"key_ops\":[", out);
	for (const char *p = ops; *p; p += strspn(p, ",")) {
		char name[24];
		size_t len = strcspn(p, ",");
		if (snprintf(name, sizeof(name), "%.*s", (int)len, p) >= (int)sizeof(name) ||
			!kv_op_bit(name))
			return kp_fail(err, EINVAL, "%.*s is no key operation", (int)len, p);
		(void)fprintf(out, "%s\"%s\"", p == ops ? "" : ",", name);
		p += len;
	}
	(void)fputc(']', out);
	return 0;
}

static int put_body(const struct kp_json *args, int64_t now, FILE *out, struct kp_err *err)
{
	static const char *const members[][2] = {{"kty", "kty"}, {"size", "key_size"},
		{"crv", "crv"}, {"jwk", "key"}, {"tags", "tags"}};
	int64_t exp = -1, nbf = -1;
	int ret = read_time(args, "exp", now, &exp, err);
	if (ret == 0)
		ret = read_time(args, "nbf", now, &nbf, err);
	if (ret)
		return ret;
	(void)fputs("{\"attributes\":{\"none\":0", out);
	ret = put_member(args, "enabled", "enabled", out);
	if (exp >= 0)
		(void)fprintf(out, ",\"exp\":%lld", (long long)exp);
	if (nbf >= 0)
		(void)fprintf(out, ",\"nbf\":%lld", (long long)nbf);
	(void)fputc('}', out);
	for (size_t i = 0; ret == 0 && i < sizeof(members) / sizeof(*members); i++)
		ret = put_member(args, members[i][0], members[i][1], out);
	if (ret == 0 && kp_json_is_null(kp_json_get(args, "kty")))
		(void)fputs(",\"kty\":\"RSA\"", out);
	if (ret == 0)
		ret = put_ops(args, out, err);
	(void)fputc('}', out);
	return ret;
}

static int write_body(
	const struct kp_json *args, int64_t now, char **text, size_t *len, struct kp_err *err)
{
	FILE *f = open_memstream(text, len);
	if (!f)
		return -ENOMEM;
	int ret = put_body(args, now, f, err);
	return fclose(f) != 0 && ret == 0 ? -ENOMEM : ret;
}

static int describe_version(const struct kv_version *v, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_add_str(j, "version", v->id);
	if (ret == 0)
		ret = kp_json_add_str(j, "kty", kv_kty_name(&v->material));
	if (ret == 0)
		ret = kp_json_add_int(j, "bits", v->material.bits);
	if (ret == 0)
		ret = kp_json_add_bool(j, "enabled", v->enabled);
	if (ret == 0 && v->nbf)
		ret = kp_json_add_int(j, "nbf", v->nbf);
	if (ret == 0 && v->exp)
		ret = kp_json_add_int(j, "exp", v->exp);
	if (ret == 0)
		ret = kp_json_add_int(j, "created", v->created);
	if (ret == 0)
		*out = TAKE(j);
	return ret;
}

static int describe(const struct kv_call *c, const struct kv_key *k, struct kp_json **out)
{
	char kid[KV_BASE_MAX + KV_NAME_MAX + KV_VERSION_LEN + 16];
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *versions = NULL;
	(void)snprintf(kid, sizeof(kid), "%s/keys/%s/%s", c->base, k->name, kv_key_latest(k)->id);
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_add_str(j, "vault", c->vault->name);
	if (ret == 0)
		ret = kp_json_add_str(j, "key", k->name);
	if (ret == 0)
		ret = kp_json_add_str(j, "kid", kid);
	if (ret == 0)
		ret = kp_json_add_str(j, "version", kv_key_latest(k)->id);
	if (ret == 0 && k->deleted)
		ret = kp_json_add_int(j, "deletedDate", k->deleted);
	if (ret == 0)
		ret = kp_json_array(&versions);
	if (ret == 0)
		ret = kp_json_add(j, "versions", versions);
	for (size_t i = 0; i < k->count && ret == 0; i++) {
		struct kp_json *one = NULL;
		ret = describe_version(&k->versions[i], &one);
		if (ret == 0)
			ret = kp_json_push(versions, one);
	}
	if (ret == 0)
		*out = TAKE(j);
	return ret;
}

static int list(struct kv_call *c, struct kp_json **result)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *all = NULL;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_array(&all);
	if (ret == 0)
		ret = kp_json_add(j, "keys", all);
	for (size_t i = 0; i < c->vault->count && ret == 0; i++) {
		struct kp_json *one = NULL;
		ret = describe(c, c->vault->keys[i], &one);
		if (ret == 0)
			ret = kp_json_push(all, one);
	}
	if (ret == 0)
		*result = TAKE(j);
	return ret;
}

// Enables, disables or expires the version that is named, or all of them.
static int change_versions(
	struct kv_call *c, const char *verb, const struct kp_json *args, struct kp_err *err)
{
	scoped(kv_key_free) struct kv_key *copy = NULL;
	struct kv_version *v;
	int64_t at = c->now;
	int ret = read_time(args, "exp", c->now, &at, err);
	if (ret == 0)
		ret = kv_change_begin(c, &copy, &v);
	if (ret)
		return ret;
	for (size_t i = 0; i < copy->count; i++) {
		struct kv_version *one = &copy->versions[i];
		if (c->version[0] && one != v)
			continue;
		if (strcmp(verb, "expire") == 0)
			one->exp = at;
		else
			one->enabled = strcmp(verb, "enable") == 0;
		one->updated = c->now;
	}
	return kv_vault_put(c->vs, c->vault, &copy);
}

static const struct verb {
	const char *name;
	kv_run *run;
	bool locked;
} verbs[] = {{"create", kv_create, false}, {"import", kv_import, true}, {"set", kv_update, true},
	{"delete", kv_delete, true}, {"recover", kv_recover, true}, {"purge", kv_purge, true},
	{"rotate", kv_rotate, false}};

static int run(struct kv_call *c, const char *verb, const struct kp_json *args, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *body = NULL;
	autofree char *text = NULL, *answer = NULL;
	size_t len, answer_len;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		int ret = write_body(args, c->now, &text, &len, err);
		if (ret == 0)
			ret = kp_json_parse(text, len, &body);
		c->body = body;
		FILE *out = ret ? NULL : open_memstream(&answer, &answer_len);
		if (!out)
			return ret ? ret : -ENOMEM;
		if (verbs[i].locked)
			kv_lock(c->vs);
		ret = verbs[i].run(c, out);
		if (verbs[i].locked)
			kv_unlock(&c->vs);
		return fclose(out) != 0 && ret == 0 ? -ENOMEM : ret;
	}
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	return change_versions(c, verb, args, err);
}

// The refusal as a sentence for the administrator.
static int explain(const struct kv_call *c, int ret, struct kp_err *err)
{
	if (ret == -EPERM && c->no->status) {
		size_t len = strcspn(c->no->text, "\r\n");
		return kp_fail(
			err, c->no->status == 404 ? ENOENT : EINVAL, "%.*s", (int)len, c->no->text);
	}
	if (ret && ret != -EINVAL)
		return kp_fail(err, -ret, "the key could not be changed: %s", strerror(-ret));
	return ret;
}

static int begin(struct kv_call *c, const struct kp_json *args, struct kp_err *err)
{
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	struct kv_vault *vault = kv_vault_choose(c->vs, kp_json_str(args, "vault"), err);
	if (!vault)
		return -ENOENT;
	kv_call_begin(c, vault, NULL);
	return kv_vault_sweep(c->vs, vault, c->now);
}

static bool known(const char *verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, verb) == 0)
			return true;
	return strcmp(verb, "enable") == 0 || strcmp(verb, "disable") == 0 ||
	       strcmp(verb, "expire") == 0;
}

int keys_action(void *vaults, const char *verb, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	struct kv_refusal no = {0};
	const char *key = kp_json_str(args, "key"), *version = kp_json_str(args, "version");
	struct kv_call c = {.vs = vaults,
		.key = key ? key : "",
		.version = version ? version : "",
		.verb = verb,
		.api = "7.4",
		.no = &no};
	bool listing = strcmp(verb, "list") == 0;
	if (!listing && !known(verb))
		return kp_fail(err, EINVAL, "there is no action key.%.40s", verb);
	int ret = begin(&c, args, err);
	if (ret)
		return ret;
	if (!listing && !kv_name_ok(c.key))
		return kp_fail(err, EINVAL,
			"key.%s needs key=NAME: letters, digits and hyphens, at most %d", verb,
			KV_NAME_MAX);
	if (!listing) {
		ret = run(&c, verb, args, err);
		if (ret)
			return explain(&c, ret, err);
	}
	scoped(kv_unlock) struct vaults *held = c.vs;
	kv_lock(held);
	const struct kv_key *k = kv_vault_key(c.vault, c.key);
	if (listing)
		return list(&c, result);
	return k ? describe(&c, k, result) : 0;
}
