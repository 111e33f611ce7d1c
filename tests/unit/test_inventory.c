// SPDX-License-Identifier: MIT
// Which disk breaks which rule of the policy of `cmkdisk report`.
#include "inventory_fixture.h"

// The names of what is found in the disk, with blanks between them.
static void expect(struct inventory *r, size_t disk, const char *names)
{
	char found[256] = "";
	struct inventory_disk *d = &r->disks[disk];
	inventory_judge(r, d);
	for (size_t i = 0; i < d->breach_count; i++) {
		struct errmsg sentence = {{0}};
		size_t len = strlen(found);
		(void)snprintf(found + len, sizeof(found) - len, "%s%s", i ? " " : "",
			inventory_breach_name(d->breaches[i].kind));
		inventory_breach_sentence(r, d, &d->breaches[i], &sentence);
		assert_true(strlen(sentence.text) > 10);
	}
	assert_string_equal(found, names);
}

static void sentence_has(struct inventory *r, size_t disk, const char *words)
{
	struct errmsg sentence = {{0}};
	struct inventory_disk *d = &r->disks[disk];
	inventory_judge(r, d);
	assert_true(d->breach_count > 0);
	inventory_breach_sentence(r, d, &d->breaches[0], &sentence);
	if (!strstr(sentence.text, words))
		print_error("it says: %s\n", sentence.text);
	assert_non_null(strstr(sentence.text, words));
}

static void nothing_known_breaks_no_rule(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 10);
	expect(&r, 0, "");
}

static void a_grace_may_be_as_long_as_the_policy_says(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 0);
	expect(&r, 0, "");
	r.disks[0].policy.grace_denied_ms = HOUR_MS + 1;
	expect(&r, 0, "grace-denied");
	r.policy.max_grace_denied_ms = 2 * HOUR_MS;
	expect(&r, 0, "");
}

static void what_is_no_disk_of_ours_is_under_no_key(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	add_disk(&r, "a")->kind = INVENTORY_LUKS2;
	add_disk(&r, "b")->kind = INVENTORY_OTHER;
	expect(&r, 0, "no-customer-key");
	expect(&r, 1, "no-customer-key");
	sentence_has(&r, 0, "without a binding");
	sentence_has(&r, 1, "not encrypted by cmkdisk");
}

static void what_cannot_be_read_does_not_follow(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct inventory_disk *d = add_disk(&r, "a");
	d->kind = INVENTORY_DAMAGED;
	d->errnum = 74;
	d->error = strdup("a: both copies");
	expect(&r, 0, "unreadable");
	sentence_has(&r, 0, "a: both copies");
}

static void age_counts_from_the_newest_binding_of_a_key(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct inventory_disk *d = add_disk(&r, "a");
	bind(&r, d, "file:/k", "1", 730);
	expect(&r, 0, "");
	d->bindings[0].created--;
	expect(&r, 0, "age");
	sentence_has(&r, 0, "version 1 of its key for 730 days, the policy permits 730 days");
	bind(&r, d, "file:/other", "1", 1);
	expect(&r, 0, "age");
	bind(&r, d, "file:/k", "2", 5);
	expect(&r, 0, "");
	bind(&r, d, "file:/k", "3", 5);
	expect(&r, 0, "");
	r.policy.max_age_s = 4 * DAY;
	expect(&r, 0, "age");
	r.policy.max_age_s = INVENTORY_NO_LIMIT;
	expect(&r, 0, "");
}

static void a_date_to_come_is_not_old(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", -3);
	expect(&r, 0, "");
	assert_int_equal(inventory_days(&r, r.disks[0].bindings[0].created), -3);
	assert_int_equal(inventory_days(&r, NOW + 1), -1);
	assert_int_equal(inventory_days(&r, NOW - DAY + 1), 0);
	assert_int_equal(inventory_days(&r, NOW - DAY), 1);
}

static void an_expired_version_is_found_if_it_was_seen(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 10);
	struct inventory_version *v = seen(&r, "file:/k", "1");
	v->info.exp = NOW + 1;
	expect(&r, 0, "");
	v->info.exp = NOW;
	expect(&r, 0, "expired");
	v->seen = false;
	expect(&r, 0, "");
	v->seen = true;
	r.disks[0].bindings[0].replaced = true; // its successor is there
	expect(&r, 0, "");
}

static void a_rotation_is_late_when_the_new_version_is_old(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 10);
	newest(&r, "file:/k", "2", 1);
	expect(&r, 0, "");
	newest(&r, "file:/k", "2", 2);
	expect(&r, 0, "rotation-pending");
	sentence_has(&r, 0, "newest version of its key, 2,");
	// When it was made is what a daemon does not tell.
	seen(&r, "file:/k", "2")->info.created = 0;
	expect(&r, 0, "");
	newest(&r, "file:/k", "2", 2);
	bind(&r, &r.disks[0], "file:/k", "2", 0);
	expect(&r, 0, "");
}

static void who_stays_on_a_version_has_no_rotation_to_be_late(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	struct keyset *set = add_set(&r, VAULT);
	bind(&r, add_disk(&r, "a"), VAULT "/1", "1", 10);
	bind(&r, add_disk(&r, "b"), "file:/k?version=1", "1", 10);
	newest(&r, VAULT, "2", 5);
	newest(&r, "file:/k?version=2", "2", 5);
	expect(&r, 0, "rotation-pending");
	expect(&r, 1, "");
	set->rotation = KEYSET_ROTATION_OFF;
	expect(&r, 0, "");
	set->rotation = KEYSET_ROTATION_ON;
	expect(&r, 0, "rotation-pending");
	(void)snprintf(set->key_url, sizeof(set->key_url), "%s", VAULT "/1");
	expect(&r, 0, "rotation-pending");
	set->rotation = KEYSET_ROTATION_UNSET;
	expect(&r, 0, "");
}

static void every_key_must_be_that_of_a_set_if_one_is_needed(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	add_set(&r, "file:/k");
	struct inventory_disk *d = add_disk(&r, "a");
	bind(&r, d, "file:///k", "1", 1);
	r.policy.need_set = true;
	expect(&r, 0, "");
	bind(&r, d, "file:/escrow", "1", 1);
	expect(&r, 0, "other-key");
	sentence_has(&r, 0, "file:/escrow is the key of none");
	r.policy.need_set = false;
	expect(&r, 0, "");
}

static void a_key_that_could_be_purged_is_found_if_it_was_seen(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), VAULT, "1", 1);
	struct inventory_version *v = seen(&r, VAULT, "1");
	(void)snprintf(v->info.recovery_level, sizeof(v->info.recovery_level), "Recoverable");
	expect(&r, 0, "");
	(void)snprintf(
		v->info.recovery_level, sizeof(v->info.recovery_level), "Recoverable+Purgeable");
	expect(&r, 0, "purgeable");
	v->seen = false;
	expect(&r, 0, "");
}

static void all_that_is_wrong_is_told_each_once(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	add_set(&r, "file:/k");
	struct inventory_disk *d = add_disk(&r, "a");
	r.policy.need_set = true;
	d->policy.grace_denied_ms = 2 * HOUR_MS;
	bind(&r, d, VAULT, "1", 1000);
	bind(&r, d, "file:/x", "1", 1000);
	newest(&r, VAULT, "2", 5);
	struct inventory_version *v = seen(&r, VAULT, "1");
	v->info.exp = 1;
	(void)snprintf(v->info.recovery_level, sizeof(v->info.recovery_level), "Purgeable");
	expect(&r, 0, "grace-denied other-key age expired rotation-pending purgeable");
	expect(&r, 0, "grace-denied other-key age expired rotation-pending purgeable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_known_breaks_no_rule),
		cmocka_unit_test(a_grace_may_be_as_long_as_the_policy_says),
		cmocka_unit_test(what_is_no_disk_of_ours_is_under_no_key),
		cmocka_unit_test(what_cannot_be_read_does_not_follow),
		cmocka_unit_test(age_counts_from_the_newest_binding_of_a_key),
		cmocka_unit_test(a_date_to_come_is_not_old),
		cmocka_unit_test(an_expired_version_is_found_if_it_was_seen),
		cmocka_unit_test(a_rotation_is_late_when_the_new_version_is_old),
		cmocka_unit_test(who_stays_on_a_version_has_no_rotation_to_be_late),
		cmocka_unit_test(every_key_must_be_that_of_a_set_if_one_is_needed),
		cmocka_unit_test(a_key_that_could_be_purged_is_found_if_it_was_seen),
		cmocka_unit_test(all_that_is_wrong_is_told_each_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
