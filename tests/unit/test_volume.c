// SPDX-License-Identifier: MIT
// Disks that are made, opened and unlocked, also beside stock cryptsetup.
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
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define AUTO_RIG(r)                          \
	struct volume_rig r scoped(rig_end); \
	rig_begin(&r)

static struct secret *another_secret(void)
{
	struct secret *s = NULL;
	assert_int_equal(rig_secret(0x33, &s), 0);
	return s;
}

static void a_disk_opens_with_its_slot_secret_in_both_sector_sizes(void **state)
{
	(void)state;
	for (uint32_t sector = 512; sector <= 4096; sector *= 8) {
		AUTO_RIG(r);
		struct volume *v scoped(volume_close) = NULL;
		struct secret *dek scoped(secret_free) = NULL;
		r.params.sector_size = sector;
		r.params.data_offset = sector == 512 ? 0 : 3 << 20;
		rig_create(&r);
		rig_unlock(&r, &v, &dek);
		const struct volume_info *i = volume_info(v);
		assert_int_equal(i->sector_size, sector);
		assert_int_equal(i->data_offset, sector == 512 ? 16 << 20 : 3 << 20);
		assert_int_equal(i->backing_size, i->data_offset + i->policy.size);
		assert_string_equal(i->cipher, VOLUME_CIPHER);
		assert_string_equal(i->label, "rig");
		assert_int_equal(strlen(i->uuid), VOLUME_UUID_LEN);
		assert_int_equal(i->policy.grace_denied_ms, 3600000);
		assert_int_equal(i->policy.grace_unreachable_ms, 86400000);
		assert_true(i->policy.expiry_stops);
		assert_false(i->policy.thin);
		assert_int_equal(i->binding_count, 1);
		assert_int_equal(i->keyslot_count, 1);
		assert_string_equal(i->bindings[0].key_version, "v1");
		assert_memory_equal(i->bindings[0].digest, i->digest, BINDING_DIGEST_LEN);
		assert_int_equal(dek->len, VOLUME_KEY_LEN);
	}
}

static void a_wrong_slot_secret_opens_nothing(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct secret *wrong scoped(secret_free) = another_secret();
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(rig_try(&r, 0, wrong, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "keyslot 0"));
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
}

static void two_disks_have_two_data_keys(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v[2] = {NULL, NULL};
	struct secret *dek[2] = {NULL, NULL};

	for (int i = 0; i < 2; i++) {
		rig_create(&r);
		rig_unlock(&r, &v[i], &dek[i]);
	}
	assert_false(secret_equal(dek[0], dek[1]));
	for (int i = 0; i < 2; i++) {
		volume_close(&v[i]);
		secret_free(&dek[i]);
	}
}

static void keyslots_and_digest_cost_a_thousand_rounds(void **state)
{
	(void)state;
	AUTO_RIG(r);
	rig_create(&r);
	char *json autofree = luks2_json(r.path);
	int found = 0;
	for (char *at = json; (at = strstr(at, "\"iterations\":")); at += 13, found++)
		assert_memory_equal(at, "\"iterations\":1000,", 18);
	assert_int_equal(found, 2);
	assert_null(strstr(json, "argon2"));
}

static void stock_cryptsetup_reads_the_header_and_opens_it_with_the_slot_secret(void **state)
{
	(void)state;
	AUTO_RIG(r);
	rig_create(&r);
	assert_int_equal(rig_shell(&r, "cryptsetup isLuks --type luks2 \"$IMG\""), 0);
	assert_int_equal(
		rig_shell(&r,
			"cryptsetup luksDump \"$IMG\" | grep -q 'Subsystem:[[:space:]]*cmkdisk'"),
		0);
	assert_int_equal(rig_shell(&r, "cryptsetup luksDump \"$IMG\" | grep -q '0: cmkdisk$'"), 0);
	assert_int_equal(
		rig_shell(&r, "cryptsetup open --test-passphrase --key-file \"$KEY\" \"$IMG\""), 0);
	assert_int_equal(
		rig_shell(
			&r, "echo wrong | cryptsetup open --test-passphrase --key-file - \"$IMG\""),
		2);

	// The very key that we would use, as stock tools see it.
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	char dumped[160];
	rig_unlock(&r, &v, &dek);
	(void)snprintf(dumped, sizeof(dumped), "%s/dumped", r.dir);
	assert_int_equal(
		rig_shell(&r, "cryptsetup luksDump -q --dump-volume-key --volume-key-file "
			      "\"$(dirname \"$IMG\")/dumped\" --key-file \"$KEY\" \"$IMG\""),
		0);
	uint8_t key[VOLUME_KEY_LEN + 1];
	int fd autoclose = open(dumped, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, key, sizeof(key)), VOLUME_KEY_LEN);
	assert_memory_equal(key, dek->data, VOLUME_KEY_LEN);
}

static void a_recovery_passphrase_of_stock_cryptsetup_does_not_break_the_seal(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(
		rig_shell(&r, "printf recovery >\"$IMG.new\" && cryptsetup luksAddKey -q --pbkdf "
			      "pbkdf2 --pbkdf-force-iterations 2000 --key-file \"$KEY\" \"$IMG\" "
			      "\"$IMG.new\""),
		0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
	assert_int_equal(
		rig_shell(&r, "cryptsetup open --test-passphrase --key-file \"$IMG.new\" \"$IMG\""),
		0);
	struct volume *v scoped(volume_close) = NULL;
	assert_int_equal(volume_open(r.path, false, &v, &err), 0);
	assert_int_equal(volume_info(v)->keyslot_count, 2);
	assert_int_equal(volume_info(v)->binding_count, 1);
}

static void an_unbound_key_and_a_foreign_token_are_let_be(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(rig_shell(&r, "printf x >\"$IMG.new\" && cryptsetup luksAddKey -q "
				       "--unbound --key-size 256 "
				       "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-slot 1 "
				       "\"$IMG\" \"$IMG.new\" "
				       "&& echo '{\"type\":\"stranger\",\"keyslots\":[\"1\"]}' | "
				       "cryptsetup token import "
				       "\"$IMG\""),
		0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
}

static void a_header_backup_restores_the_disk_and_erase_shreds_it(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(
		rig_shell(&r,
			"cryptsetup luksHeaderBackup --header-backup-file \"$IMG.hdr\" \"$IMG\""),
		0);
	assert_int_equal(rig_shell(&r, "cryptsetup erase -q \"$IMG\""), 0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "keyslot is gone"));
	assert_int_not_equal(
		rig_shell(&r, "cryptsetup open --test-passphrase --key-file \"$KEY\" \"$IMG\""), 0);
	assert_int_equal(rig_shell(&r, "cryptsetup luksHeaderRestore -q --header-backup-file "
				       "\"$IMG.hdr\" \"$IMG\""),
		0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
}

static void a_disk_that_stock_tools_reencrypted_says_so(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct errmsg err;

	r.params.data_offset = 0;
	rig_create(&r);
	assert_int_equal(
		rig_shell(&r,
			"cryptsetup reencrypt -q --force-offline-reencrypt --pbkdf pbkdf2 "
			"--pbkdf-force-iterations 1000 --key-slot 0 --key-file \"$KEY\" \"$IMG\""),
		0);
	assert_int_equal(rig_try(&r, 0, r.slot, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "re-encrypted"));
}

static void one_damaged_header_copy_is_not_missed(void **state)
{
	(void)state;
	for (int copy = 0; copy < 2; copy++) {
		AUTO_RIG(r);
		struct errmsg err;
		rig_create(&r);
		luks2_spoil(r.path, copy);
		assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
		luks2_spoil(r.path, !copy); // the first was repaired by then
		assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
	}
}

// In a process that may not write the file, also when the tests run as root.
static int try_without_write_permission(struct volume_rig *r)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct errmsg err;
		// Secrets are not handed on to forked children.
		if (rig_secret(RIG_SECRET, &r->slot))
			_exit(4);
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(2);
		if (access(r->path, W_OK) == 0)
			_exit(3);
		_exit(rig_try(r, 0, r->slot, &err) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_read_only_file_opens_also_with_a_damaged_primary_copy(void **state)
{
	(void)state;
	AUTO_RIG(r);

	rig_create(&r);
	luks2_spoil(r.path, 0);
	assert_int_equal(chmod(r.dir, 0755), 0);
	assert_int_equal(chmod(r.path, 0444), 0);
	assert_int_equal(try_without_write_permission(&r), 0);
	char *json autofree = luks2_json(r.path);
	assert_memory_equal(json, "xxxx", 4); // nothing was repaired, and it opened all the same
}

static void it_opens_through_a_descriptor_that_holds_an_ofd_lock(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char real[128];

	rig_create(&r);
	int fd autoclose = open(r.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	memcpy(real, r.path, sizeof(real));
	(void)snprintf(r.path, sizeof(r.path), "/proc/self/fd/%d", fd);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	rig_unlock(&r, &v, &dek);
	struct binding b = rig_binding("v2");
	struct errmsg err;
	assert_int_equal(volume_add_binding(v, dek, &b, r.slot, &err), 0);
	// A sentence names the file, not the descriptor.
	assert_int_equal(volume_remove_binding(v, dek, 29, &err), -ENOENT);
	memcpy(r.path, real, sizeof(real));
	assert_non_null(strstr(err.text, real));
	// The lock is still ours.
	int other autoclose = open(r.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), -1);
}

static void two_readings_are_the_same_disk_only_with_the_same_policy(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg err;

	rig_create(&r);
	assert_int_equal(volume_open(r.path, false, &v, &err), 0);
	const struct volume_info first = *volume_info(v);
	for (int i = 0; i < 10; i++) {
		struct volume_info now = first;
		assert_true(volume_same(&now, &first));
		now.uuid[0] ^= (char)(i == 0);
		now.cipher[0] ^= (char)(i == 1);
		now.digest[0] ^= (uint8_t)(i == 2);
		now.data_offset += i == 3;
		now.sector_size += i == 4;
		now.policy.size += i == 5;
		now.policy.thin ^= i == 6;
		now.policy.grace_denied_ms += i == 7;
		now.policy.grace_unreachable_ms += i == 8;
		now.policy.expiry_stops ^= i == 9;
		assert_false(volume_same(&now, &first));
	}
}

// Who may read a file may hold its lock, and the library would wait for it without a limit.
static void a_lock_that_somebody_holds_hangs_nobody(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v = NULL;
	struct errmsg err;

	rig_create(&r);
	int other autoclose = open(r.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_EX), 0);
	assert_int_equal(volume_open(r.path, false, &v, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another program holds its lock"));
	// What a daemon says of itself holds for the rest of the process, so in another one.
	pid_t child = fork();
	if (child == 0) {
		(void)alarm(20);
		volume_locks_are_ours();
		_exit(volume_open(r.path, false, &v, &err) ? 1 : 0);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(flock(other, LOCK_UN), 0);
	assert_int_equal(volume_open(r.path, false, &v, &err), 0);
	volume_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_opens_with_its_slot_secret_in_both_sector_sizes),
		cmocka_unit_test(a_wrong_slot_secret_opens_nothing),
		cmocka_unit_test(two_disks_have_two_data_keys),
		cmocka_unit_test(keyslots_and_digest_cost_a_thousand_rounds),
		cmocka_unit_test(
			stock_cryptsetup_reads_the_header_and_opens_it_with_the_slot_secret),
		cmocka_unit_test(a_recovery_passphrase_of_stock_cryptsetup_does_not_break_the_seal),
		cmocka_unit_test(an_unbound_key_and_a_foreign_token_are_let_be),
		cmocka_unit_test(a_header_backup_restores_the_disk_and_erase_shreds_it),
		cmocka_unit_test(a_disk_that_stock_tools_reencrypted_says_so),
		cmocka_unit_test(one_damaged_header_copy_is_not_missed),
		cmocka_unit_test(a_read_only_file_opens_also_with_a_damaged_primary_copy),
		cmocka_unit_test(it_opens_through_a_descriptor_that_holds_an_ofd_lock),
		cmocka_unit_test(two_readings_are_the_same_disk_only_with_the_same_policy),
		cmocka_unit_test(a_lock_that_somebody_holds_hangs_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
