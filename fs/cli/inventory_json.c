// SPDX-License-Identifier: MIT
// A report for scripts. Members are only ever added; their meaning is in cmkdisk-report(1).
#include "inventory.h"
#include "json_build.h"
#include "keyguard.h"
#include "plugins.h"
#include "print.h"
#include "scope.h"

#include <stdio.h>
#include <string.h>

static void date(struct builder *b, const char *member, int64_t unix_s)
{
	char when[32];
	format_time(unix_s, when, sizeof(when));
	str(b, member, strcmp(when, "-") != 0 ? when : NULL);
}

static void expiry(struct builder *b, const struct inventory *r, const struct inventory_version *v)
{
	bool known = v->seen && v->info.exp;
	date(b, "expires", known ? v->info.exp : 0);
	maybe(b, "daysLeft", known, known ? keyguard_days_left(v->info.exp, r->now) : 0);
}

static void key_set(struct builder *b, const struct inventory *r, size_t set)
{
	bool known = set != INVENTORY_NONE;
	text(b, "keySet", known ? r->sets[set].path : NULL);
	text(b, "encryptionType", known ? r->sets[set].k.encryption_type : NULL);
}

static void binding_json(
	const struct inventory *r, const struct inventory_binding *from, struct builder *list)
{
	const struct inventory_key *k = &r->keys[from->key];
	const struct inventory_version *v = &k->versions[from->version];
	struct builder b = element(list);
	text(&b, "keyUrl", k->url);
	text(&b, "keyVersion", v->info.version);
	text(&b, "newestVersion", k->newest);
	text(&b, "alg", from->alg);
	date(&b, "bound", from->created);
	num(&b, "daysBound", (uint64_t)inventory_days(r, from->created));
	yes(&b, "inUse", from->in_use);
	yes(&b, "replaced", from->replaced);
	expiry(&b, r, v);
	key_set(&b, r, from->set);
	end(list, &b);
}

static void breach_json(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_breach *from, struct builder *list)
{
	struct errmsg sentence;
	struct builder b = element(list);
	inventory_breach_sentence(r, d, from, &sentence);
	text(&b, "breach", inventory_breach_name(from->kind));
	text(&b, "sentence", sentence.text);
	end(list, &b);
}

static void policy_of(struct builder *b, const struct inventory_disk *d)
{
	bool ours = d->kind == INVENTORY_CMKDISK;
	maybe(b, "size", d->policy.size > 0, (int64_t)d->policy.size);
	maybe(b, "graceDeniedMs", ours, (int64_t)d->policy.grace_denied_ms);
	maybe(b, "graceUnreachableMs", ours, (int64_t)d->policy.grace_unreachable_ms);
	text(b, "onExpiry", !ours ? NULL : d->policy.expiry_stops ? "stop" : "ignore");
	yes(b, "proven", d->proven);
	maybe(b, "otherKeyslots", d->header_seen, (int64_t)d->foreign_keyslots);
}

static void disk_json(
	const struct inventory *r, const struct inventory_disk *d, struct builder *list)
{
	struct builder b = element(list);
	const struct inventory_binding *main = inventory_main_binding(d);
	char scheme[33] = "";
	if (main && key_url_scheme(r->keys[main->key].url, scheme, sizeof(scheme), NULL))
		scheme[0] = '\0';
	text(&b, "backing", d->backing);
	text(&b, "kind", inventory_kind_name(d->kind));
	text(&b, "uuid", d->uuid);
	text(&b, "label", d->label);
	yes(&b, "copy", d->copy);
	text(&b, "mountpoint", d->mountpoint);
	text(&b, "name", d->name);
	text(&b, "state", d->state);
	text(&b, "cause", d->cause);
	text(&b, "provider", scheme);
	policy_of(&b, d);
	date(&b, "lastRotation", main ? main->created : 0);
	maybe(&b, "daysSinceRotation", main != NULL, main ? inventory_days(r, main->created) : 0);
	yes(&b, "moving", d->moving);
	struct builder bindings = list_in(&b, "bindings");
	for (size_t i = 0; i < d->binding_count; i++)
		binding_json(r, &d->bindings[i], &bindings);
	end(&b, &bindings);
	yes(&b, "follows", d->breach_count == 0);
	struct builder breaches = list_in(&b, "breaches");
	for (size_t i = 0; i < d->breach_count; i++)
		breach_json(r, d, &d->breaches[i], &breaches);
	end(&b, &breaches);
	maybe(&b, "errno", d->errnum != 0, d->errnum);
	text(&b, "error", d->error);
	end(list, &b);
}

static void version_json(const struct inventory *r, size_t key, size_t at, struct builder *list)
{
	const struct inventory_key *k = &r->keys[key];
	const struct inventory_version *v = &k->versions[at];
	struct builder b = element(list);
	text(&b, "version", v->info.version);
	yes(&b, "newest", inventory_is_newest(k, v));
	yes(&b, "seen", v->seen);
	if (v->seen && v->info.enabled >= 0)
		yes(&b, "enabled", v->info.enabled > 0);
	date(&b, "created", v->seen ? v->info.created : 0);
	expiry(&b, r, v);
	yes(&b, "expiresSoon", inventory_expires_soon(r, k, v));
	text(&b, "recoveryLevel", v->seen ? v->info.recovery_level : NULL);
	yes(&b, "needed", v->disks > 0);
	struct builder disks = list_in(&b, "disks");
	for (size_t i = 0; i < r->disk_count; i++)
		if (inventory_needs(&r->disks[i], key, at))
			item_str(&disks, r->disks[i].backing);
	end(&b, &disks);
	end(list, &b);
}

static void key_json(const struct inventory *r, size_t at, struct builder *list)
{
	const struct inventory_key *k = &r->keys[at];
	struct builder b = element(list);
	text(&b, "keyUrl", k->url);
	text(&b, "newestVersion", k->newest);
	key_set(&b, r, k->set);
	text(&b, "notSeen", k->sentence);
	struct builder versions = list_in(&b, "versions");
	for (size_t i = 0; i < k->version_count; i++)
		version_json(r, at, i, &versions);
	end(&b, &versions);
	end(list, &b);
}

static void rules(struct builder *root, const struct inventory *r)
{
	const struct inventory_policy *p = &r->policy;
	struct builder b = child(root, "policy");
	num(&b, "maxGraceDeniedMs", p->max_grace_denied_ms);
	maybe(&b, "maxAgeSeconds", p->max_age_s != INVENTORY_NO_LIMIT, (int64_t)p->max_age_s);
	num(&b, "maxPendingSeconds", p->max_pending_s);
	maybe(&b, "nearExpirySeconds", p->near_expiry_s != 0, (int64_t)p->near_expiry_s);
	yes(&b, "needSet", p->need_set);
	end(root, &b);
}

static void totals(struct builder *root, const struct inventory *r)
{
	struct inventory_totals t;
	inventory_totals(r, &t);
	struct builder b = child(root, "totals");
	num(&b, "disks", t.disks);
	num(&b, "mounted", t.mounted);
	num(&b, "underKeySet", t.under_set);
	num(&b, "underOtherKey", t.under_other_key);
	num(&b, "underNoKey", t.under_none);
	num(&b, "unreadable", t.unreadable);
	num(&b, "copies", t.copies);
	num(&b, "withOtherKeyslots", t.with_other_keyslots);
	num(&b, "versionsNeeded", t.versions_needed);
	num(&b, "oldVersionsNeeded", t.old_versions_needed);
	num(&b, "expiringSoon", t.expiring_soon);
	num(&b, "otherFiles", r->others);
	num(&b, "distinct", t.distinct);
	num(&b, "follow", t.follow);
	maybe(&b, "followPercent", t.distinct > 0,
		t.distinct ? (int64_t)(t.follow * 100 / t.distinct) : 0);
	end(root, &b);
}

int inventory_json(const struct inventory *r)
{
	struct builder root = object(0);
	struct json *o scoped(json_free) = root.o;
	date(&root, "made", r->now);
	yes(&root, "asked", r->asked);
	rules(&root, r);
	struct builder disks = list_in(&root, "disks");
	for (size_t i = 0; i < r->disk_count; i++)
		disk_json(r, &r->disks[i], &disks);
	end(&root, &disks);
	struct builder keys = list_in(&root, "keys");
	for (size_t i = 0; i < r->key_count; i++)
		key_json(r, i, &keys);
	end(&root, &keys);
	totals(&root, r);
	struct builder problems = list_in(&root, "problems");
	for (size_t i = 0; i < r->problem_count; i++) {
		struct builder b = element(&problems);
		text(&b, "path", r->problems[i].path);
		num(&b, "errno", (uint64_t)r->problems[i].errnum);
		text(&b, "error", r->problems[i].error);
		end(&problems, &b);
	}
	end(&root, &problems);
	return root.rc ? root.rc : print_json_value(o);
}
