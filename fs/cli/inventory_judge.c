// SPDX-License-Identifier: MIT
// Whether disks follow the policy, and the figures. Pure: the report in, breaches and numbers out.
// What is not known breaks no rule, but for a header that cannot be read.
#include "clock.h"
#include "inventory.h"
#include "keyguard.h"
#include "keyurl.h"
#include "print.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct inventory_key *key_of(
	const struct inventory *r, const struct inventory_binding *b)
{
	return &r->keys[b->key];
}

static const struct inventory_version *version_of(
	const struct inventory *r, const struct inventory_binding *b)
{
	return &r->keys[b->key].versions[b->version];
}

static bool older(const struct inventory *r, int64_t since, uint64_t limit_s)
{
	return since < r->now && (uint64_t)(r->now - since) > limit_s;
}

int64_t inventory_days(const struct inventory *r, int64_t since)
{
	int64_t s = r->now - since;
	return s < 0 ? -((-s + INVENTORY_DAY_S - 1) / INVENTORY_DAY_S) : s / INVENTORY_DAY_S;
}

const struct inventory_binding *inventory_main_binding(const struct inventory_disk *d)
{
	const struct inventory_binding *first = NULL;
	for (size_t i = 0; i < d->binding_count; i++) {
		const struct inventory_binding *b = &d->bindings[i];
		if (b->in_use)
			return b;
		if (!first || (first->replaced && !b->replaced))
			first = b;
	}
	return first;
}

static bool is_of_no_set(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_binding *b)
{
	(void)d;
	return r->policy.need_set && b->set == INVENTORY_NONE;
}

// The newest one that the disk has to this key is what counts.
static bool is_too_old(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_binding *b)
{
	for (size_t i = 0; i < d->binding_count; i++)
		if (d->bindings[i].key == b->key && d->bindings[i].created > b->created)
			return false;
	return older(r, b->created, r->policy.max_age_s);
}

static bool is_expired(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_binding *b)
{
	(void)d;
	const struct inventory_version *v = version_of(r, b);
	return !b->replaced && v->seen && v->info.exp && v->info.exp <= r->now;
}

static const struct inventory_version *newest_of(const struct inventory_key *k)
{
	for (size_t i = 0; i < k->version_count; i++)
		if (inventory_is_newest(k, &k->versions[i]))
			return &k->versions[i];
	return NULL;
}

// Whoever says that disks stay on their version has no rotation that could be late.
static bool follows_rotation(const struct inventory *r, const struct inventory_binding *b)
{
	const struct inventory_key *k = key_of(r, b);
	if (b->set == INVENTORY_NONE)
		return !key_url_has_version(k->ask_url) || key_url_rotates(k->ask_url);
	const struct keyset *set = &r->sets[b->set].k;
	if (set->rotation == KEYSET_ROTATION_OFF)
		return false;
	return !key_url_has_version(set->key_url) ||
	       (key_url_rotates(set->key_url) && set->rotation == KEYSET_ROTATION_ON);
}

static bool is_pending(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_binding *b)
{
	const struct inventory_version *newest = newest_of(key_of(r, b));
	if (!newest || !newest->seen || !newest->info.created || !follows_rotation(r, b))
		return false;
	for (size_t i = 0; i < d->binding_count; i++)
		if (d->bindings[i].key == b->key && version_of(r, &d->bindings[i]) == newest)
			return false;
	return older(r, newest->info.created, r->policy.max_pending_s);
}

static bool is_purgeable(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_binding *b)
{
	(void)d;
	const struct inventory_version *v = version_of(r, b);
	return v->seen && keyguard_purgeable(&v->info);
}

// Those that are about a binding.
static const struct {
	enum inventory_breach_kind kind;
	bool (*found)(const struct inventory *r, const struct inventory_disk *d,
		const struct inventory_binding *b);
} rules[] = {
	{BREACH_OTHER_KEY, is_of_no_set},
	{BREACH_AGE, is_too_old},
	{BREACH_EXPIRED, is_expired},
	{BREACH_PENDING, is_pending},
	{BREACH_PURGEABLE, is_purgeable},
};

static void breach(struct inventory_disk *d, enum inventory_breach_kind kind, size_t binding)
{
	d->breaches[d->breach_count++] = (struct inventory_breach){kind, binding};
}

void inventory_judge(const struct inventory *r, struct inventory_disk *d)
{
	d->breach_count = 0;
	if (d->kind == INVENTORY_LUKS2 || d->kind == INVENTORY_OTHER)
		breach(d, BREACH_NO_KEY, INVENTORY_NONE);
	if (d->errnum)
		breach(d, BREACH_UNREADABLE, INVENTORY_NONE);
	if (d->kind == INVENTORY_CMKDISK &&
		d->policy.grace_denied_ms > r->policy.max_grace_denied_ms)
		breach(d, BREACH_GRACE, INVENTORY_NONE);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (size_t b = 0; b < d->binding_count; b++)
			if (rules[i].found(r, d, &d->bindings[b])) {
				breach(d, rules[i].kind, b);
				break;
			}
}

const char *inventory_breach_name(enum inventory_breach_kind kind)
{
	static const char *const names[BREACH_COUNT] = {[BREACH_NO_KEY] = "no-customer-key",
		[BREACH_UNREADABLE] = "unreadable",
		[BREACH_OTHER_KEY] = "other-key",
		[BREACH_GRACE] = "grace-denied",
		[BREACH_AGE] = "age",
		[BREACH_EXPIRED] = "expired",
		[BREACH_PENDING] = "rotation-pending",
		[BREACH_PURGEABLE] = "purgeable"};
	return names[kind];
}

void inventory_limit(uint64_t seconds, char *out, size_t room)
{
	if (seconds >= 2 * INVENTORY_DAY_S)
		(void)snprintf(out, room, "%" PRIu64 " days", seconds / INVENTORY_DAY_S);
	else
		format_duration_ms(seconds * MS_PER_S, out, room);
}

static void about_disk(const struct inventory *r, const struct inventory_disk *d,
	enum inventory_breach_kind kind, struct errmsg *out)
{
	char is[32], most[32];
	format_duration_ms(d->policy.grace_denied_ms, is, sizeof(is));
	format_duration_ms(r->policy.max_grace_denied_ms, most, sizeof(most));
	if (kind == BREACH_GRACE)
		(void)errmsg_set(out, EDOM,
			"I/O goes on for %s after a refusal, the policy permits %s", is, most);
	else if (kind == BREACH_UNREADABLE)
		(void)errmsg_set(out, EDOM, "which keys open it cannot be told: %s", d->error);
	else if (d->kind == INVENTORY_LUKS2)
		(void)errmsg_set(out, EDOM,
			"a LUKS2 container without a binding: it is under no customer's key");
	else
		(void)errmsg_set(out, EDOM, "not encrypted by cmkdisk: no LUKS2 container");
}

void inventory_breach_sentence(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_breach *b, struct errmsg *out)
{
	if (b->binding == INVENTORY_NONE) {
		about_disk(r, d, b->kind, out);
		return;
	}
	const struct inventory_binding *binding = &d->bindings[b->binding];
	const struct inventory_key *k = key_of(r, binding);
	const struct cmk_key_info *info = &version_of(r, binding)->info;
	const struct inventory_version *newest = newest_of(k);
	char limit[32], date[32];
	inventory_limit(b->kind == BREACH_AGE ? r->policy.max_age_s : r->policy.max_pending_s,
		limit, sizeof(limit));
	format_time(info->exp, date, sizeof(date));
	switch (b->kind) {
	case BREACH_OTHER_KEY:
		(void)errmsg_set(out, EDOM, "%.300s is the key of none of the key sets", k->url);
		return;
	case BREACH_AGE:
		(void)errmsg_set(out, EDOM,
			"bound to version %s of its key for %" PRId64
			" days, the policy permits %s",
			info->version, inventory_days(r, binding->created), limit);
		return;
	case BREACH_EXPIRED:
		(void)errmsg_set(
			out, EDOM, "version %s of its key expired at %s", info->version, date);
		return;
	case BREACH_PENDING:
		format_time(newest ? newest->info.created : 0, date, sizeof(date));
		(void)errmsg_set(out, EDOM,
			"not bound to the newest version of its key, %s, which was made at %s; the "
			"policy permits %s",
			k->newest, date, limit);
		return;
	default:
		(void)errmsg_set(out, EDOM,
			"the recovery level of its key is %s: once deleted, it could be destroyed "
			"for ever",
			info->recovery_level);
	}
}

bool inventory_expires_soon(
	const struct inventory *r, const struct inventory_key *k, const struct inventory_version *v)
{
	uint64_t near = r->policy.near_expiry_s;
	if (!near && k->set != INVENTORY_NONE)
		near = r->sets[k->set].k.near_expiry_s;
	return v->disks && v->seen && keyguard_near_expiry(&v->info, near, r->now);
}
