// SPDX-License-Identifier: MIT
// Keys as JSON; see kv_vaults.h. A vault writes members in the order of their declaration, a
// Managed HSM in that of the alphabet; clients must not care, and this is how they show it.
#include "kv_vaults.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define MEMBERS 16
struct members {
	struct member {
		const char *name;
		char *json;
	} m[MEMBERS];
	size_t count;
	bool failed;
};

static void members_end(struct members *ms)
{
	for (size_t i = 0; i < ms->count; i++)
		free(ms->m[i].json);
}

static void __attribute__((format(printf, 3, 4)))
add(struct members *ms, const char *name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (ms->count == MEMBERS || vasprintf(&ms->m[ms->count].json, fmt, ap) < 0)
		ms->failed = true;
	else
		ms->m[ms->count++].name = name;
	va_end(ap);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int put(struct members *ms, bool sorted, FILE *out)
{
	if (ms->failed)
		return -ENOMEM;
	if (sorted)
		qsort(ms->m, ms->count, sizeof(*ms->m), by_name);
	for (size_t i = 0; i < ms->count; i++)
		(void)fprintf(out, "%c\"%s\":%s", i ? ',' : '{', ms->m[i].name, ms->m[i].json);
	(void)fputs(ms->count ? "}" : "{}", out);
	return 0;
}

// The object as a member of another.
static void add_object(struct members *ms, const char *name, struct members *child, bool sorted)
{
	autofree char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok = f && put(child, sorted, f) == 0;
	if (f && fclose(f) != 0)
		ok = false;
	if (ok)
		add(ms, name, "%s", text);
	else
		ms->failed = true;
}

static const char *yes_no(bool b)
{
	return b ? "true" : "false";
}

const char *kv_recovery_level(const struct kv_settings *s)
{
	if (s->days == 0)
		return "Purgeable";
	if (s->days == 90)
		return s->purge_protection ? "Recoverable" : "Recoverable+Purgeable";
	return s->purge_protection ? "CustomizedRecoverable" : "CustomizedRecoverable+Purgeable";
}

static void add_attributes(const struct kv_call *c, const struct kv_version *v, struct members *ms)
{
	scoped(members_end) struct members a = {.count = 0};
	const struct kv_settings *s = &c->set;
	add(&a, "enabled", "%s", yes_no(v->enabled));
	if (v->nbf)
		add(&a, "nbf", "%lld", (long long)v->nbf);
	if (v->exp)
		add(&a, "exp", "%lld", (long long)v->exp);
	add(&a, "created", "%lld", (long long)v->created);
	add(&a, "updated", "%lld", (long long)v->updated);
	add(&a, "recoveryLevel", "\"%s\"", kv_recovery_level(s));
	add(&a, "recoverableDays", "%lld", (long long)s->days);
	add(&a, "exportable", "%s", yes_no(v->exportable));
	if (!c->vault->hsm)
		add(&a, "hsmPlatform", "\"%s\"", v->material.hsm ? "2" : "0");
	add_object(ms, "attributes", &a, c->vault->hsm);
}

static void add_ops(const struct kv_version *v, struct members *ms)
{
	char text[160] = "[";
	size_t at = 1;
	for (unsigned i = 0; i < KV_OPS; i++)
		if (v->ops & 1u << i)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\"%s\"",
				at > 1 ? "," : "", kv_op_name(i));
	add(ms, "key_ops", "%s]", text);
}

static void add_number(const struct kv_material *m, const char *member, struct members *ms)
{
	autofree char *text = NULL;
	if (kv_material_public(m, member, &text))
		ms->failed = true;
	else
		add(ms, member, "\"%s\"", text);
}

static void add_key(const struct kv_call *c, const struct kv_key *k, const struct kv_version *v,
	struct members *ms)
{
	scoped(members_end) struct members j = {.count = 0};
	const struct kv_material *m = &v->material;
	add(&j, "kid", "\"%s/keys/%s/%s\"", c->base, k->name, v->id);
	add(&j, "kty", "\"%s\"", kv_kty_name(m));
	add_ops(v, &j);
	if (m->kty == KV_RSA) {
		add_number(m, "n", &j);
		add_number(m, "e", &j);
	} else if (m->kty == KV_EC) {
		add(&j, "crv", "\"%s\"", m->crv);
		add_number(m, "x", &j);
		add_number(m, "y", &j);
	}
	add_object(ms, "key", &j, c->vault->hsm);
}

static void add_rest(const struct kv_call *c, const struct kv_key *k, const struct kv_version *v,
	struct members *ms)
{
	if (v->tags)
		add(ms, "tags", "%s", v->tags);
	if (!k->deleted)
		return;
	add(ms, "recoveryId", "\"%s/deletedkeys/%s\"", c->base, k->name);
	add(ms, "deletedDate", "%lld", (long long)k->deleted);
	add(ms, "scheduledPurgeDate", "%lld", (long long)k->purge_at);
}

int kv_show_key(
	const struct kv_call *c, const struct kv_key *k, const struct kv_version *v, FILE *out)
{
	scoped(members_end) struct members ms = {.count = 0};
	add_key(c, k, v, &ms);
	add_attributes(c, v, &ms);
	add_rest(c, k, v, &ms);
	if (v->release)
		add(&ms, "release_policy", "%s", v->release);
	return put(&ms, c->vault->hsm, out);
}

int kv_show_item(const struct kv_call *c, const struct kv_key *k, const struct kv_version *v,
	bool with_version, FILE *out)
{
	scoped(members_end) struct members ms = {.count = 0};
	add(&ms, "kid", "\"%s/keys/%s%s%s\"", c->base, k->name, with_version ? "/" : "",
		with_version ? v->id : "");
	add_attributes(c, v, &ms);
	add_rest(c, k, v, &ms);
	return put(&ms, c->vault->hsm, out);
}
