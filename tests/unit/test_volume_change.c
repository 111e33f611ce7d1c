// SPDX-License-Identifier: MIT
// Disks whose bindings and policy change.
#include "../helpers/luks2_edit.h"
#include "../helpers/volume_rig.h"

#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

#define AUTO_RIG(r)                          \
	struct volume_rig r scoped(rig_end); \
	rig_begin(&r)

static struct secret *another_secret(void)
{
	struct secret *s = NULL;
	assert_int_equal(rig_secret(0x33, &s), 0);
	return s;
}

static void bindings_come_and_go_and_each_opens_the_disk(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct secret *second scoped(secret_free) = another_secret();
	struct binding b = rig_binding("v2");
	struct errmsg err;

	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	assert_int_equal(volume_add_binding(v, dek, &b, second, &err), 0);
	assert_int_equal(volume_info(v)->binding_count, 2);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
	assert_int_equal(rig_try(&r, 1, second, &err), 0);
	// Each secret opens its own keyslot only.
	assert_int_equal(rig_try(&r, 0, second, &err), -EKEYREJECTED);
	assert_int_equal(volume_remove_binding(v, dek, r.binding.token, &err), 0);
	assert_int_equal(volume_info(v)->binding_count, 1);
	assert_int_equal(volume_info(v)->keyslot_count, 1);
	assert_int_equal(rig_try(&r, 0, second, &err), 0);
	assert_int_equal(volume_remove_binding(v, dek, b.token, &err), -EBUSY);
	assert_non_null(strstr(err.text, "last binding"));
	assert_int_equal(rig_try(&r, 0, second, &err), 0);
	assert_int_not_equal(
		rig_shell(&r, "cryptsetup open --test-passphrase --key-file \"$KEY\" \"$IMG\""), 0);
}

static void no_room_for_a_binding_leaves_the_disk_as_it_was(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct errmsg err;
	int ret = 0;
	size_t made = 1;

	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	for (; made < 5; made++) {
		struct binding b = rig_binding("more");
		ret = volume_add_binding(v, dek, &b, r.slot, &err);
		if (ret)
			break;
	}
	assert_int_equal(made, 3); // the area of a 1 MiB header holds three keyslots
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(volume_info(v)->binding_count, 3);
	char *json autofree = luks2_json(r.path);
	assert_null(strstr(json, "pending_keyslot"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rig_try(&r, i, r.slot, &err), 0);
}

static void a_disk_takes_thirty_bindings_and_no_more(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct errmsg err = {0};

	r.params.data_offset = 0;
	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	for (size_t i = 1; i <= BINDINGS_MAX; i++) {
		struct binding b = rig_binding("more");
		assert_int_equal(volume_add_binding(v, dek, &b, r.slot, &err),
			i < BINDINGS_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(volume_info(v)->binding_count, BINDINGS_MAX);
	assert_int_equal(rig_try(&r, 29, r.slot, &err), 0);
}

static void the_policy_changes_under_a_new_seal_only(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct errmsg err;

	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	struct volume_policy p = volume_info(v)->policy;
	p.grace_denied_ms = 1000;
	assert_int_equal(volume_set_policy(v, dek, &p, &err), 0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
	assert_int_equal(volume_info(v)->policy.grace_denied_ms, 1000);
	p.size += 4096;
	assert_int_equal(volume_set_policy(v, dek, &p, &err), -EINVAL);
	luks2_replace(r.path, "\"grace_denied_ms\":1000", "\"grace_denied_ms\":9000");
	assert_int_equal(rig_try(&r, 0, r.slot, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "seal"));
}

static void no_change_puts_a_new_seal_on_a_tampered_header(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct binding b = rig_binding("v2");
	struct errmsg err;

	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	struct volume_policy p = volume_info(v)->policy;
	luks2_replace(r.path, "\"grace_denied_ms\":3600000", "\"grace_denied_ms\":7200000");
	assert_int_equal(volume_settle(v, dek, &err), -EBADMSG);
	assert_int_equal(volume_add_binding(v, dek, &b, r.slot, &err), -EBADMSG);
	assert_int_equal(volume_set_policy(v, dek, &p, &err), -EBADMSG);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), -EBADMSG);
}

static void settling_spares_a_keyslot_that_is_not_of_our_making(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(
		rig_shell(&r,
			"printf recovery >\"$IMG.new\" && cryptsetup luksAddKey -q --pbkdf "
			"pbkdf2 --pbkdf-force-iterations 2000 --key-slot 1 --key-file \"$KEY\" "
			"\"$IMG\" \"$IMG.new\""),
		0);
	luks2_replace(r.path, "\"on_expiry\"", "\"pending_keyslot\":1,\"on_expiry\"");
	rig_unlock(&r, &v, &dek);
	assert_int_equal(volume_settle(v, dek, &err), 0);
	assert_int_equal(volume_info(v)->keyslot_count, 2);
	char *json autofree = luks2_json(r.path);
	assert_null(strstr(json, "pending_keyslot"));
	assert_int_equal(
		rig_shell(&r, "cryptsetup open --test-passphrase --key-file \"$IMG.new\" \"$IMG\""),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bindings_come_and_go_and_each_opens_the_disk),
		cmocka_unit_test(no_room_for_a_binding_leaves_the_disk_as_it_was),
		cmocka_unit_test(a_disk_takes_thirty_bindings_and_no_more),
		cmocka_unit_test(the_policy_changes_under_a_new_seal_only),
		cmocka_unit_test(no_change_puts_a_new_seal_on_a_tampered_header),
		cmocka_unit_test(settling_spares_a_keyslot_that_is_not_of_our_making),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
