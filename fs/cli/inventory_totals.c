// SPDX-License-Identifier: MIT
// The figures of a report, and the names of what it counts. Pure.
#include "inventory.h"

const char *inventory_kind_name(enum inventory_kind kind)
{
	static const char *const names[] = {[INVENTORY_CMKDISK] = "cmkdisk",
		[INVENTORY_LUKS2] = "luks2",
		[INVENTORY_OTHER] = "other",
		[INVENTORY_DAMAGED] = "damaged",
		[INVENTORY_UNREADABLE] = "unreadable"};
	return names[kind];
}

static bool under_sets_alone(const struct inventory_disk *d)
{
	for (size_t i = 0; i < d->binding_count; i++)
		if (d->bindings[i].set == INVENTORY_NONE)
			return false;
	return d->binding_count > 0;
}

static void count_disk(const struct inventory_disk *d, struct inventory_totals *t)
{
	bool ours = d->kind == INVENTORY_CMKDISK, set = ours && under_sets_alone(d);
	t->mounted += d->mountpoint != NULL;
	t->under_set += set;
	t->under_other_key += ours && !set;
	t->under_none += d->kind == INVENTORY_LUKS2 || d->kind == INVENTORY_OTHER;
	t->unreadable += d->kind == INVENTORY_DAMAGED || d->kind == INVENTORY_UNREADABLE;
	t->copies += d->copy;
	t->with_other_keyslots += d->foreign_keyslots > 0;
}

// Whether the disk or one of its copies breaks a rule; counted where the first of them does.
static bool breaks_first(const struct inventory *r, size_t i)
{
	const struct inventory_disk *d = &r->disks[i];
	size_t first = d->copy ? d->copy_of : i;
	if (!d->breach_count || (d->copy && r->disks[first].breach_count))
		return false;
	for (size_t j = first + 1; d->copy && j < i; j++)
		if (r->disks[j].copy && r->disks[j].copy_of == first && r->disks[j].breach_count)
			return false;
	return true;
}

void inventory_totals(const struct inventory *r, struct inventory_totals *out)
{
	*out = (struct inventory_totals){.disks = r->disk_count};
	for (size_t i = 0; i < r->disk_count; i++)
		count_disk(&r->disks[i], out);
	out->distinct = out->follow = out->disks - out->copies;
	for (size_t i = 0; i < r->disk_count; i++)
		out->follow -= breaks_first(r, i);
	for (size_t i = 0; i < r->key_count; i++) {
		const struct inventory_key *k = &r->keys[i];
		for (size_t j = 0; j < k->version_count; j++) {
			const struct inventory_version *v = &k->versions[j];
			out->versions_needed += v->disks > 0;
			out->old_versions_needed +=
				v->disks > 0 && *k->newest && !inventory_is_newest(k, v);
			out->expiring_soon += inventory_expires_soon(r, k, v);
		}
	}
}
