// SPDX-License-Identifier: MIT
// A report for people: the table of disks or, at length, a line for each with what there is to say
// about it below; the ledger of key versions, the policy, and the figures.
#include "inventory.h"
#include "plugins.h"
#include "print.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 80
#define ROW "%-10s %-9s %-8s %-6s %-7s %-10s %s"

static void provider_of(const char *url, char out[33])
{
	if (key_url_scheme(url, out, 33, NULL))
		(void)snprintf(out, 33, "-");
}

static void print_row(const struct inventory *r, const struct inventory_disk *d)
{
	const struct inventory_binding *b = inventory_main_binding(d);
	char size[32] = "-", provider[33] = "-", rotated[32] = "-", expires[32] = "-";
	char policy[32] = "follows";
	if (d->policy.size)
		format_size(d->policy.size, size, sizeof(size));
	if (b) {
		const struct inventory_version *v = &r->keys[b->key].versions[b->version];
		provider_of(r->keys[b->key].url, provider);
		(void)snprintf(
			rotated, sizeof(rotated), "%" PRId64 "d", inventory_days(r, b->created));
		if (v->seen && v->info.exp)
			(void)snprintf(expires, sizeof(expires), "%" PRId64 "d",
				-inventory_days(r, v->info.exp));
	}
	if (d->breach_count)
		(void)snprintf(policy, sizeof(policy), "%zu breach%s", d->breach_count,
			d->breach_count == 1 ? "" : "es");
	print_line(ROW, inventory_state(d), size, provider, rotated, expires, policy, d->backing);
}

static void print_binding(const struct inventory *r, const struct inventory_binding *b)
{
	const struct inventory_key *k = &r->keys[b->key];
	const struct inventory_version *v = &k->versions[b->version];
	char bound[32];
	format_time(b->created, bound, sizeof(bound));
	print_line("  key       %s%s", k->url, b->in_use ? " (in use)" : "");
	print_line("            version %s%s", v->info.version,
		inventory_is_newest(k, v) ? ", the newest" : "");
	print_line("            bound %s, %" PRId64 " days ago%s", bound,
		inventory_days(r, b->created), b->replaced ? "; being replaced" : "");
	if (b->set == INVENTORY_NONE) {
		print_line("            %s", r->set_count ? "customer key, of none of the key sets"
							  : "customer key, no key set");
		return;
	}
	const char *type = r->sets[b->set].k.encryption_type;
	print_line("            key set %s%s%s", r->sets[b->set].path, type ? ", " : "",
		type ? type : "");
}

static void print_policy_of(const struct inventory_disk *d)
{
	char denied[32], unreachable[32];
	format_duration_ms(d->policy.grace_denied_ms, denied, sizeof(denied));
	format_duration_ms(d->policy.grace_unreachable_ms, unreachable, sizeof(unreachable));
	print_line("  grace     %s after a refusal, %s without an answer", denied, unreachable);
	print_line("            on expiry %s; %s", d->policy.expiry_stops ? "stop" : "ignore",
		d->proven ? "in force, its seal was checked" : "as the header says");
}

static void print_disk(const struct inventory *r, const struct inventory_disk *d)
{
	struct errmsg sentence;
	print_row(r, d);
	if (*d->uuid)
		print_line("  uuid      %s%s", d->uuid,
			d->copy ? ", as another disk of this report has" : "");
	if (d->mountpoint)
		print_line("  mounted   %s/%s", d->mountpoint, d->name ? d->name : "?");
	for (size_t i = 0; i < d->binding_count; i++)
		print_binding(r, &d->bindings[i]);
	if (d->kind == INVENTORY_CMKDISK)
		print_policy_of(d);
	if (d->foreign_keyslots)
		print_line("  others    %zu keyslot%s added with other tools", d->foreign_keyslots,
			d->foreign_keyslots == 1 ? "" : "s");
	if (d->moving)
		print_line("  moving    a change of its keys is not finished");
	for (size_t i = 0; i < d->breach_count; i++) {
		inventory_breach_sentence(r, d, &d->breaches[i], &sentence);
		print_line("  breach    %s", sentence.text);
	}
}

// The names of those that need the version, as many on a line as fit.
static void print_needing(const struct inventory *r, size_t key, size_t version)
{
	size_t used = 0;
	char *line autofree = NULL;
	for (size_t i = 0; i < r->disk_count; i++) {
		const char *name = r->disks[i].backing;
		if (!inventory_needs(&r->disks[i], key, version))
			continue;
		char *longer = NULL;
		bool fits = line && used + 2 + strlen(name) < COLUMNS - 6;
		if (line && !fits)
			print_line("      %s,", line);
		int n = asprintf(&longer, "%s%s%s", fits ? line : "", fits ? ", " : "", name);
		free(line);
		line = n < 0 ? NULL : longer;
		used = n < 0 ? 0 : (size_t)n;
	}
	if (line)
		print_line("      %s", line);
}

static void print_version(const struct inventory *r, size_t key, size_t version, bool whole)
{
	const struct inventory_key *k = &r->keys[key];
	const struct inventory_version *v = &k->versions[version];
	char date[32], expiry[64] = "", needed[32] = "no disk";
	format_time(v->info.exp, date, sizeof(date));
	if (v->seen && v->info.exp)
		(void)snprintf(expiry, sizeof(expiry), ", %s %s%s",
			v->info.exp <= r->now ? "expired" : "expires", date,
			inventory_expires_soon(r, k, v) && v->info.exp > r->now ? " (soon)" : "");
	if (v->disks)
		(void)snprintf(
			needed, sizeof(needed), "%zu disk%s", v->disks, v->disks == 1 ? "" : "s");
	print_line("    %s%s%s%s: %s", v->info.version,
		inventory_is_newest(k, v) ? ", newest"
		: *k->newest		  ? ", old"
					  : "",
		v->seen && v->info.enabled == 0 ? ", disabled" : "", expiry, needed);
	if (whole)
		print_needing(r, key, version);
}

static void print_key(const struct inventory *r, size_t key, bool whole)
{
	const struct inventory_key *k = &r->keys[key];
	const char *level = "";
	for (size_t i = 0; i < k->version_count; i++)
		if (k->versions[i].seen && *k->versions[i].info.recovery_level)
			level = k->versions[i].info.recovery_level;
	print_line("  %s", k->url);
	if (*level)
		print_line("    recovery level %s", level);
	if (*k->sentence)
		print_line("    not seen: %s", k->sentence);
	else if (!*k->newest)
		print_line("    not seen: say --ask to ask the key store for its attributes");
	for (size_t i = 0; i < k->version_count; i++)
		print_version(r, key, i, whole);
}

static void print_rules(const struct inventory *r)
{
	const struct inventory_policy *p = &r->policy;
	const char *unseen = r->asked ? "" : " (not looked at without --ask)";
	char text[32];
	print_line("Policy");
	format_duration_ms(p->max_grace_denied_ms, text, sizeof(text));
	print_line("  %-9s of I/O after a refusal, at most", text);
	if (p->max_age_s != INVENTORY_NO_LIMIT) {
		inventory_limit(p->max_age_s, text, sizeof(text));
		print_line("  %-9s since a disk was bound to its key version, at most", text);
	}
	inventory_limit(p->max_pending_s, text, sizeof(text));
	print_line("  %-9s until a disk follows a new key version, at most%s", text, unseen);
	if (p->need_set)
		print_line("  no key but those of the key sets");
	print_line(
		"  no expired key%s", r->asked ? "" : " (without --ask: as far as daemons know)");
	print_line("  no key that could be purged%s", unseen);
}

static void print_totals(const struct inventory *r)
{
	struct inventory_totals t;
	inventory_totals(r, &t);
	print_line("Totals");
	print_line("  %5zu  disks, %zu of them mounted, %zu a copy of another", t.disks, t.mounted,
		t.copies);
	if (r->set_count)
		print_line("  %5zu  under the keys of the key sets alone", t.under_set);
	print_line("  %5zu  under %s", t.under_other_key,
		r->set_count ? "another customer key" : "a customer key");
	print_line("  %5zu  under no customer key", t.under_none);
	print_line("  %5zu  damaged or unreadable", t.unreadable);
	print_line("  %5zu  with keyslots of other tools", t.with_other_keyslots);
	print_line("  %5zu  key versions in use, %zu of them old, %zu expired or to expire soon",
		t.versions_needed, t.old_versions_needed, t.expiring_soon);
	if (r->others)
		print_line("  %5zu  other files in the directories, not looked into", r->others);
	if (t.distinct)
		print_line("  %5zu  of %zu disks%s follow the policy, %zu %%", t.follow, t.distinct,
			t.copies ? ", each with its copies," : "", t.follow * 100 / t.distinct);
}

static int print_disks(const struct inventory *r, bool whole)
{
	const struct inventory_disk **order autofree = inventory_order(r);
	if (!order)
		return -ENOMEM;
	if (!whole)
		return inventory_table(r, order, stdout);
	if (r->disk_count)
		print_line(ROW, "state", "size", "provider", "bound", "expires", "policy", "disk");
	for (size_t i = 0; i < r->disk_count; i++)
		print_disk(r, order[i]);
	return 0;
}

int inventory_text(const struct inventory *r, bool whole)
{
	int rc = print_disks(r, whole);
	for (size_t i = 0; !rc && i < r->problem_count; i++)
		print_line("missing: %s", r->problems[i].error);
	if (!rc && r->key_count)
		print_line("Keys, with the versions that the disks of this report need");
	for (size_t i = 0; !rc && i < r->key_count; i++)
		print_key(r, i, whole);
	if (rc)
		return rc;
	print_rules(r);
	print_totals(r);
	return 0;
}
