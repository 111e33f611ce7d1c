// SPDX-License-Identifier: MIT
// The ledger of a report: which versions of which keys are needed by whom, and the figures.
#include "inventory_fixture.h"

static void one_key_is_one_however_it_is_spelt(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "https://CONTOSO.vault.azure.net/keys/disks/1", "1", 1);
	bind(&r, add_disk(&r, "b"), VAULT, "2", 1);
	bind(&r, &r.disks[1], "pkcs11:token=t;object=k;id=%01", "01", 1);
	bind(&r, &r.disks[0], "pkcs11:object=k;token=t;id=%02", "02", 1);
	assert_int_equal(r.key_count, 2);
	assert_int_equal(r.keys[0].version_count, 2);
	assert_int_equal(r.keys[1].version_count, 2);
	assert_string_equal(r.keys[0].ask_url, VAULT); // asks for the newest of all
	assert_true(inventory_needs(&r.disks[0], 0, 0) && !inventory_needs(&r.disks[0], 0, 1));
}

static void the_ledger_counts_each_disk_once_for_a_version(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	add_set(&r, VAULT "/0");
	bind(&r, add_disk(&r, "a"), VAULT, "1", 1);
	bind(&r, &r.disks[0], VAULT, "1", 1);
	bind(&r, add_disk(&r, "b"), VAULT, "1", 1);
	bind(&r, add_disk(&r, "b"), VAULT, "2", 1); // the same UUID
	(void)snprintf(r.keys[0].newest, sizeof(r.keys[0].newest), "3");
	assert_int_equal(inventory_count(&r), 0);
	assert_int_equal(r.keys[0].version_count, 4);
	assert_int_equal(r.keys[0].versions[0].disks, 2);
	assert_int_equal(r.keys[0].versions[1].disks, 1);
	assert_string_equal(r.keys[0].versions[2].info.version, "0"); // named by the set alone
	assert_int_equal(r.keys[0].versions[2].disks, 0);
	assert_true(inventory_is_newest(&r.keys[0], &r.keys[0].versions[3]));
	assert_true(!r.disks[0].copy && !r.disks[1].copy && r.disks[2].copy);
}

static void soon_is_what_the_policy_says_or_else_the_key_set(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct keyset *set = add_set(&r, VAULT);
	bind(&r, add_disk(&r, "a"), VAULT, "1", 1);
	struct inventory_version *v = seen(&r, VAULT, "1");
	v->info.exp = NOW + 30 * DAY;
	assert_false(
		inventory_expires_soon(&r, &r.keys[0], v)); // nobody needs it, as far as counted
	assert_int_equal(inventory_count(&r), 0);
	assert_true(inventory_expires_soon(&r, &r.keys[0], v));
	v->info.exp++;
	assert_false(inventory_expires_soon(&r, &r.keys[0], v));
	set->near_expiry_s = 60 * DAY;
	assert_true(inventory_expires_soon(&r, &r.keys[0], v));
	r.policy.near_expiry_s = 3 * DAY;
	assert_false(inventory_expires_soon(&r, &r.keys[0], v));
	v->info.exp = 0;
	assert_false(inventory_expires_soon(&r, &r.keys[0], v));
}

static void the_figures_add_up(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct inventory_totals t;
	add_set(&r, "file:/k");
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 1);
	bind(&r, add_disk(&r, "b"), "file:/k", "2", 1);
	bind(&r, &r.disks[1], "file:/escrow", "1", 1);
	r.disks[1].mountpoint = "/mnt";
	r.disks[1].foreign_keyslots = 2;
	add_disk(&r, "c")->kind = INVENTORY_LUKS2;
	add_disk(&r, "d")->kind = INVENTORY_OTHER;
	struct inventory_disk *damaged = add_disk(&r, "e");
	damaged->kind = INVENTORY_DAMAGED;
	damaged->errnum = 74;
	damaged->error = strdup("e");
	(void)snprintf(r.keys[0].newest, sizeof(r.keys[0].newest), "2");
	seen(&r, "file:/k", "1")->info.exp = 1;
	assert_int_equal(inventory_count(&r), 0);
	for (size_t i = 0; i < r.disk_count; i++)
		inventory_judge(&r, &r.disks[i]);
	inventory_totals(&r, &t);
	assert_int_equal(t.disks, 5);
	assert_int_equal(t.under_set + t.under_other_key + t.under_none + t.unreadable, t.disks);
	assert_int_equal(t.under_set, 1);
	assert_int_equal(t.under_other_key, 1);
	assert_int_equal(t.under_none, 2);
	assert_int_equal(t.mounted, 1);
	assert_int_equal(t.with_other_keyslots, 1);
	assert_int_equal(t.versions_needed, 3);
	assert_int_equal(t.old_versions_needed, 1); // of the other key the newest is not known
	assert_int_equal(t.expiring_soon, 1);
	assert_int_equal(t.follow, 1);
}

// A disk and its copies are one disk in the share, and follow if all of them do.
static void a_copy_is_not_counted_twice_in_the_share(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct inventory_totals t;
	// The days that each file is bound: 1000 are too many.
	static const struct {
		const char *uuid;
		int days;
	} files[] = {{"a", 1}, {"a", 1}, {"b", 1}, {"b", 1000}, {"b", 1000}, {"c", 1000}, {"c", 1},
		{"d", 1}, {"e", 1000}, {"e", 1000}};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		bind(&r, add_disk(&r, files[i].uuid), "file:/k", "1", files[i].days);
	assert_int_equal(inventory_count(&r), 0);
	for (size_t i = 0; i < r.disk_count; i++)
		inventory_judge(&r, &r.disks[i]);
	inventory_totals(&r, &t);
	assert_int_equal(t.disks, 10);
	assert_int_equal(t.copies, 5);
	assert_int_equal(t.distinct, 5);
	assert_int_equal(t.follow, 2); // a and d
}

static void the_binding_in_use_stands_for_the_disk(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct inventory_disk *d = add_disk(&r, "a");
	assert_null(inventory_main_binding(d));
	bind(&r, d, "file:/k", "1", 9)->replaced = true;
	assert_ptr_equal(inventory_main_binding(d), &d->bindings[0]);
	bind(&r, d, "file:/k", "2", 1);
	assert_ptr_equal(inventory_main_binding(d), &d->bindings[1]);
	bind(&r, d, "file:/k", "3", 0)->in_use = true;
	assert_ptr_equal(inventory_main_binding(d), &d->bindings[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key_is_one_however_it_is_spelt),
		cmocka_unit_test(the_ledger_counts_each_disk_once_for_a_version),
		cmocka_unit_test(soon_is_what_the_policy_says_or_else_the_key_set),
		cmocka_unit_test(the_figures_add_up),
		cmocka_unit_test(a_copy_is_not_counted_twice_in_the_share),
		cmocka_unit_test(the_binding_in_use_stands_for_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
