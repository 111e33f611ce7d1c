// SPDX-License-Identifier: MIT
// What a file is that may be no disk of ours.
#include "../helpers/luks2_edit.h"
#include "../helpers/volume_rig.h"

#include "luks.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>

static enum volume_kind kind_of(const struct volume_rig *r)
{
	enum volume_kind kind = VOLUME_KIND_NONE;
	struct errmsg err = {{0}};
	int rc = volume_kind(r->path, &kind, &err);
	if (rc)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
	return kind;
}

static void a_disk_is_ours_also_when_it_is_refused(void **state)
{
	(void)state;
	struct volume_rig r scoped(rig_end);
	rig_begin(&r);
	rig_create(&r);
	assert_int_equal(kind_of(&r), VOLUME_KIND_CMKDISK);
	luks2_replace(r.path, "\"cmkdisk-seal\"", "\"another-seal\"");
	assert_int_equal(kind_of(&r), VOLUME_KIND_CMKDISK);
}

static void one_good_copy_is_enough(void **state)
{
	(void)state;
	struct volume_rig r scoped(rig_end);
	rig_begin(&r);
	rig_create(&r);
	volume_locks_are_ours(); // else the library mends it at once
	luks2_spoil(r.path, 0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_CMKDISK);
	luks2_spoil(r.path, 1);
	assert_int_equal(kind_of(&r), VOLUME_KIND_DAMAGED);
	// Without the magic of the first copy the second one's is found.
	assert_int_equal(
		rig_shell(&r, "dd if=/dev/zero of=\"$IMG\" bs=4k count=1 conv=notrunc"), 0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_DAMAGED);
	assert_int_equal(
		rig_shell(&r, "dd if=/dev/zero of=\"$IMG\" bs=1M count=1 conv=notrunc"), 0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_NONE);
}

static void a_stock_container_is_told_from_ours(void **state)
{
	(void)state;
	struct volume_rig r scoped(rig_end);
	rig_begin(&r);
	rig_create(&r);
	assert_int_equal(rig_shell(&r, "truncate -s 0 \"$IMG\" && truncate -s 20M \"$IMG\""), 0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_NONE);
	assert_int_equal(
		rig_shell(&r, "echo phrase | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 "
			      "--pbkdf-force-iterations 1000 \"$IMG\" -"),
		0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_LUKS2);
	assert_int_equal(
		rig_shell(&r, "echo '{\"type\":\"foreign\",\"keyslots\":[]}' | cryptsetup token "
			      "import \"$IMG\""),
		0);
	assert_int_equal(kind_of(&r), VOLUME_KIND_LUKS2);
}

static void what_cannot_be_looked_at_is_told(void **state)
{
	(void)state;
	enum volume_kind kind;
	struct errmsg err = {{0}};
	assert_int_equal(volume_kind("/nowhere", &kind, &err), -ENOENT);
	assert_int_equal(volume_kind("/dev/null", &kind, &err), -EINVAL);
	assert_int_equal(volume_kind("/", &kind, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_ours_also_when_it_is_refused),
		cmocka_unit_test(a_stock_container_is_told_from_ours),
		cmocka_unit_test(what_cannot_be_looked_at_is_told),
		cmocka_unit_test(one_good_copy_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
