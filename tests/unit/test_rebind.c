// SPDX-License-Identifier: MIT
// Moving a disk to another binding, step by step: what is made is proven, what is proven stands
// beside the old, and only then does the old one go.
#include "rebind_fixture.h"

static void a_fresh_secret_is_wrapped_and_unwrapped_again(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct secret *one scoped(secret_free) = NULL, *two scoped(secret_free) = NULL;
	struct binding b;
	assert_int_equal(rebind_make(&w.key, &one, &b, &w.err), 0);
	assert_int_equal(w.key.unwraps, 1);
	assert_string_equal(b.key_version, "v2");
	assert_string_equal(b.key_url, KEY);
	assert_int_equal(rebind_make(&w.key, &two, &b, &w.err), 0);
	assert_false(secret_equal(one, two));
}

static void what_comes_back_must_be_what_was_wrapped(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct secret *slot = NULL;
	struct binding b;
	w.key.lies = true;
	assert_int_equal(rebind_make(&w.key, &slot, &b, &w.err), -EKEYREJECTED);
	w.key.lies = false;
	w.key.away = true;
	assert_int_equal(rebind_make(&w.key, &slot, &b, &w.err), -EHOSTUNREACH);
	w.key.away = false;
	w.key.disabled[2] = true;
	assert_int_equal(rebind_make(&w.key, &slot, &b, &w.err), -EKEYREVOKED);
	assert_non_null(strstr(w.err.text, "disabled"));
	assert_null(slot);
}

static void the_newest_version_must_be_usable(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct cmk_key_info info;
	assert_int_equal(rebind_newest(&w.key, &info, &w.err), 0);
	assert_string_equal(info.version, "v2");
	w.key.exp = 1000;
	assert_int_equal(rebind_newest(&w.key, &info, &w.err), -EKEYEXPIRED);
	w.key.exp = 0;
	w.key.disabled[2] = true;
	assert_int_equal(rebind_newest(&w.key, &info, &w.err), -EKEYREVOKED);
	assert_non_null(strstr(w.err.text, "v2"));
	w.key.away = true;
	assert_int_equal(rebind_newest(&w.key, &info, &w.err), -EHOSTUNREACH);
}

static void attributes_that_may_not_be_seen_are_no_error(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	struct cmk_key_info info;
	w.key.blind = true;
	assert_int_equal(rebind_newest(&w.key, &info, &w.err), 0);
	assert_string_equal(info.version, "");
	assert_int_equal(prepare(&w, &w.key, "", &r), 0);
	assert_string_equal(r->binding.key_version, "v2");
	assert_false(r->stands);
	rebind_free(&r);
	w.key.newest = 1;
	assert_int_equal(prepare(&w, &w.key, "", &r), 0);
	assert_true(r->stands); // what it wraps with now is what the disk has
}

static void a_store_that_wraps_with_another_version_is_not_believed(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	w.key.stray = true;
	assert_int_equal(prepare(&w, &w.key, "v2", &r), -EAGAIN);
	assert_null(r);
	assert_int_equal(bindings(&w), 1);
}

static void the_new_binding_stands_beside_the_old_one(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	assert_int_equal(prepare(&w, &w.key, "v2", &r), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_true(r->proven);
	assert_int_equal(bindings(&w), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(opens(&w, &w.key, &volume_info(w.v)->bindings[i]), 0);
}

static void only_the_proven_one_lets_the_old_one_go(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	assert_int_equal(prepare(&w, &w.key, "v2", &r), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), -EINVAL);
	assert_int_equal(bindings(&w), 1);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), 0);
	assert_int_equal(w.removed, 1);
	assert_int_equal(bindings(&w), 1);
	assert_string_equal(volume_info(w.v)->bindings[0].key_version, "v2");
	assert_int_equal(opens(&w, &w.key, &volume_info(w.v)->bindings[0]), 0);
	assert_int_equal(volume_info(w.v)->keyslot_count, 1);
}

static void a_wrong_secret_is_not_proven(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	assert_int_equal(prepare(&w, &w.key, "v1", &r), 0);
	assert_true(r->stands);
	r->slot_secret->data[3] ^= 1;
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), -EKEYREJECTED);
	assert_false(r->proven);
	r->slot_secret->data[3] ^= 1;
	r->binding.created++; // another binding than the header's
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), -EAGAIN);
	assert_false(r->proven);
}

static void interrupted_work_is_taken_up(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	assert_int_equal(prepare(&w, &w.key, "v2", &r), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	rebind_free(&r);
	unsigned wraps = w.key.wraps;
	assert_int_equal(prepare(&w, &w.key, "v2", &r), 0);
	assert_true(r->stands && !r->proven);
	assert_int_equal(w.key.wraps, wraps);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_int_equal(bindings(&w), 2); // no third
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 1);
}

// One that the key of today did not make is replaced, and goes with the old ones.
static void a_damaged_binding_of_the_version_is_replaced(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	struct secret *slot scoped(secret_free) = NULL;
	struct binding bad = w.rig.binding;
	assert_int_equal(rig_secret(0x44, &slot), 0);
	(void)snprintf(bad.key_version, sizeof(bad.key_version), "v2");
	assert_int_equal(volume_add_binding(w.v, w.dek, &bad, slot, &w.err), 0);
	assert_int_equal(prepare(&w, &w.key, "v2", &r), 0);
	assert_false(r->stands);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 1);
	assert_int_equal(opens(&w, &w.key, &volume_info(w.v)->bindings[0]), 0);
}

static void bindings_to_other_keys_stay_unless_all_are_to_go(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *moved scoped(rebind_free) = NULL;
	struct binding second = add_on_purpose(&w, &w.other);
	assert_int_equal(prepare(&w, &w.key, "v2", &moved), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, moved, &w.err), 0);
	assert_int_equal(bindings(&w), 3);
	assert_int_equal(rebind_retire(w.v, w.dek, moved, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 2);
	assert_int_equal(opens(&w, &w.other, &second), 0);
	moved->only = true;
	assert_int_equal(rebind_commit(w.v, w.dek, &moved->binding, moved, &w.err), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, moved, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 1);
	assert_int_equal(opens(&w, &w.key, &moved->binding), 0);
}

static void a_move_to_another_key_takes_the_former_away(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	assert_int_equal(prepare(&w, &w.other, "v1", &r), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 1);
	assert_string_equal(volume_info(w.v)->bindings[0].key_url, OTHER);
}

// The rig's header has room for three: what earlier moves left goes first, and the present one
// last.
static void a_full_header_loses_what_earlier_moves_left(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r = NULL;
	for (int i = 0; i < 4; i++) {
		char version[8];
		(void)snprintf(version, sizeof(version), "v%d", w.key.newest);
		assert_int_equal(prepare(&w, &w.key, version, &r), 0);
		assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
		assert_int_equal(opens(&w, &w.key, &r->binding), 0);
		assert_true(bindings(&w) <= 3);
		rebind_free(&r);
		w.key.newest += w.key.newest < FAKE_VERSIONS;
	}
	assert_string_equal(volume_info(w.v)->bindings[0].key_version, "v1");
	assert_int_equal(opens(&w, &w.key, &volume_info(w.v)->bindings[0]), 0);
	// Of a third key, nothing is taken.
	struct agent third = {.key_url = "file:///etc/cmkdisk/third.key", .newest = 1};
	assert_int_equal(prepare(&w, &w.other, "v1", &r), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &w.rig.binding, r, &w.err), 0);
	assert_int_equal(rebind_retire(w.v, w.dek, r, &w.removed, &w.err), 0);
	struct binding now = r->binding;
	rebind_free(&r);
	assert_int_equal(bindings(&w), 1);
	for (w.key.newest = 1; w.key.newest < 3; w.key.newest++)
		(void)add_on_purpose(&w, &w.key);
	assert_int_equal(prepare(&w, &third, "v1", &r), 0);
	assert_int_equal(rebind_commit(w.v, w.dek, &now, r, &w.err), -ENOSPC);
	assert_int_equal(bindings(&w), 3);
	rebind_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_secret_is_wrapped_and_unwrapped_again),
		cmocka_unit_test(what_comes_back_must_be_what_was_wrapped),
		cmocka_unit_test(the_newest_version_must_be_usable),
		cmocka_unit_test(attributes_that_may_not_be_seen_are_no_error),
		cmocka_unit_test(a_store_that_wraps_with_another_version_is_not_believed),
		cmocka_unit_test(the_new_binding_stands_beside_the_old_one),
		cmocka_unit_test(only_the_proven_one_lets_the_old_one_go),
		cmocka_unit_test(a_wrong_secret_is_not_proven),
		cmocka_unit_test(interrupted_work_is_taken_up),
		cmocka_unit_test(a_damaged_binding_of_the_version_is_replaced),
		cmocka_unit_test(bindings_to_other_keys_stay_unless_all_are_to_go),
		cmocka_unit_test(a_move_to_another_key_takes_the_former_away),
		cmocka_unit_test(a_full_header_loses_what_earlier_moves_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
