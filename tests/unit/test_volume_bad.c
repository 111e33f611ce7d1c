// SPDX-License-Identifier: MIT
// Headers that must be refused before any key is asked for, one generator per defect, each with a
// sentence that tells them apart. A hostile header is edited with its checksums repaired.
#include "../helpers/luks2_edit.h"
#include "../helpers/volume_rig.h"

#include "fileio.h"
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
#include <sys/stat.h>

#define AUTO_RIG(r)                          \
	struct volume_rig r scoped(rig_end); \
	rig_begin(&r)

static void expect_refused(struct volume_rig *r, const char *what, int expected, const char *said)
{
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg err = {0};

	int ret = volume_open(r->path, false, &v, &err);
	if (ret != expected || v || !strstr(err.text, said))
		fail_msg("%s: got %d \"%s\", expected %d and \"%s\"", what, ret, err.text, expected,
			said);
	if (!strstr(err.text, "; "))
		fail_msg("%s: \"%s\" does not say what to do", what, err.text);
}

#define SLOT_AREA "\"encryption\":\"aes-xts-plain64\",\"key_size\":64}"
#define DATA_CIPHER "\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096}"
#define DATA_SIZE "\"size\":\"dynamic\""
#define KDF "\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":1000,\"salt\""
#define DIGEST "\"hash\":\"sha256\",\"iterations\":1000,\"salt\""
#define KEYSLOTS_SIZE "\"keyslots_size\":\"917504\""
#define TOKENS "\"tokens\":{"
#define OURS "\"type\":\"cmkdisk\",\"keyslots\":[\"0\"]"
#define B64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SEAL "{\"type\":\"cmkdisk-seal\",\"keyslots\":[]}"

// From, to, once. A row with two edits applies both.
static const struct edit_row {
	const char *what, *from, *to, *from2, *to2, *said;
} edits[] = {
	{"wrong cipher", DATA_CIPHER,
		"\"encryption\":\"aes-cbc-essiv:sha256\",\"sector_size\":4096}", NULL, NULL,
		"encrypted with \"aes-cbc-essiv:sha256\""},
	{"null cipher", DATA_CIPHER, "\"encryption\":\"cipher_null-ecb\",\"sector_size\":4096}",
		NULL, NULL, "encrypted with \"cipher_null-ecb\""},
	{"odd sector size", DATA_CIPHER, "\"encryption\":\"aes-xts-plain64\",\"sector_size\":2048}",
		NULL, NULL, "sector size"},
	{"iv tweak", "\"iv_tweak\":\"0\"", "\"iv_tweak\":\"8\"", NULL, NULL, "IV tweak"},
	{"fixed size", DATA_SIZE, "\"size\":\"65536\"", NULL, NULL, "size of its own"},
	{"linear segment", "\"type\":\"crypt\"", "\"type\":\"linear\"", NULL, NULL,
		"not a plain encrypted one"},
	{"integrity", DATA_CIPHER,
		"\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096,\"integrity\":{\"type\":"
		"\"hmac("
		"sha256)\",\"journal_encryption\":\"none\",\"journal_integrity\":\"none\"}}",
		NULL, NULL, "not a plain encrypted one"},
	{"two segments",
		"\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"1048576\"," DATA_SIZE,
		"\"segments\":{\"1\":{\"type\":\"crypt\",\"offset\":\"1114112\"," DATA_SIZE
		",\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096},"
		"\"0\":{\"type\":\"crypt\",\"offset\":\"1048576\",\"size\":\"65536\"",
		"\"segments\":[\"0\"]", "\"segments\":[\"0\",\"1\"]", "several data segments"},
	{"foreign requirement", KEYSLOTS_SIZE,
		KEYSLOTS_SIZE ",\"requirements\":{\"mandatory\":[\"hologram\"]}", NULL, NULL,
		"hologram"},
	{"reencryption requirement", KEYSLOTS_SIZE,
		KEYSLOTS_SIZE ",\"requirements\":{\"mandatory\":[\"offline-reencrypt\"]}", NULL,
		NULL, "re-encryption"},
	{"null cipher on our keyslot", SLOT_AREA,
		"\"encryption\":\"cipher_null-ecb\",\"key_size\":64}", NULL, NULL,
		"not protected as cmkdisk does it"},
	{"memory-hungry keyslot", KDF,
		"\"type\":\"argon2id\",\"time\":4,\"memory\":4194304,\"cpus\":4,\"salt\"", NULL,
		NULL, "not protected as cmkdisk does it"},
	{"endless keyslot", KDF,
		"\"type\":\"pbkdf2\",\"hash\":\"sha256\",\"iterations\":2147483647,\"salt\"", NULL,
		NULL, "not protected as cmkdisk does it"},
	{"weak hash on our keyslot", KDF,
		"\"type\":\"pbkdf2\",\"hash\":\"sha1\",\"iterations\":1000,\"salt\"", NULL, NULL,
		"not protected as cmkdisk does it"},
	{"endless digest", "\"segments\":[\"0\"]," DIGEST,
		"\"segments\":[\"0\"],\"hash\":\"sha256\",\"iterations\":2147483647,\"salt\"", NULL,
		NULL, "digest of the volume key"},
	{"changed digest", "\"segments\":[\"0\"]," DIGEST,
		"\"segments\":[\"0\"],\"hash\":\"sha256\",\"iterations\":1001,\"salt\"", NULL, NULL,
		"re-encrypted"},
	{"keyslot of another key", "\"keyslots\":[\"0\"],\"segments\":[\"0\"]",
		"\"keyslots\":[],\"segments\":[\"0\"]", "\"digests\":{",
		"\"digests\":{\"1\":{\"type\":\"pbkdf2\",\"keyslots\":[\"0\"],\"segments\":[],"
		"\"hash\":\"sha256\",\"iterations\":1000,\"salt\":\"" B64 "\",\"digest\":\"" B64
		"\"},",
		"does not belong to the data's key"},
	{"broken token: member missing", "\"key_url\"", "\"kex_url\"", NULL, NULL, "\"key_url\""},
	{"broken token: wrong type", "\"key_version\":\"v1\"", "\"key_version\":1", NULL, NULL,
		"\"key_version\""},
	{"newer token", OURS ",\"version\":1", OURS ",\"version\":2", NULL, NULL,
		"format version 2"},
	{"truncated wrapped secret", "\"wrapped\":\"paWlpaWlpaWlpaWl", "\"wrapped\":\"", NULL, NULL,
		"cut short"},
	{"no seal", "\"type\":\"cmkdisk-seal\"", "\"type\":\"cmkdisk-zeal\"", NULL, NULL,
		"creation was interrupted"},
	{"two seals", TOKENS, TOKENS "\"9\":" SEAL ",", NULL, NULL, "2 seals"},
	{"no binding", "\"type\":\"cmkdisk\"", "\"type\":\"cmkdesk\"", NULL, NULL, "0 bindings"},
	{"neither seal nor binding", "\"type\":\"cmkdisk-seal\"", "\"type\":\"cmkdisk-zeal\"",
		"\"type\":\"cmkdisk\"", "\"type\":\"cmkdesk\"", "creation was interrupted"},
	{"binding without keyslot", OURS, "\"type\":\"cmkdisk\",\"keyslots\":[]", NULL, NULL,
		"keyslot is gone"},
	{"binding with a keyslot that is not there", OURS,
		"\"type\":\"cmkdisk\",\"keyslots\":[\"7\"]", NULL, NULL, "damaged"},
	{"cut JSON", "\"config\":{", "\"config\":[", NULL, NULL, "damaged"},
	{"seal without size", "\"size\":262144", "\"site\":262144", NULL, NULL, "\"size\""},
	{"size with a broken sector", "\"size\":262144", "\"size\":261632", NULL, NULL,
		"sector size"},
	{"a disk larger than its file", "\"size\":262144", "\"size\":266240", NULL, NULL,
		"4096 are missing"},
	{"the largest disk", "\"size\":262144", "\"size\":562949953421312", NULL, NULL,
		"are missing"},
};

static void each_hostile_edit_is_refused_with_its_own_sentence(void **state)
{
	(void)state;
	AUTO_RIG(r);
	char good[160];

	rig_create(&r);
	(void)snprintf(good, sizeof(good), "%s/good", r.dir);
	rig_copy(r.path, good);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		const struct edit_row *e = &edits[i];
		struct errmsg err;
		rig_copy(good, r.path);
		assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
		luks2_replace(r.path, e->from, e->to);
		if (e->from2)
			luks2_replace(r.path, e->from2, e->to2);
		expect_refused(&r, e->what, -EBADMSG, e->said);
	}
}

static void two_bindings_with_one_keyslot_are_refused(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct binding b = rig_binding("v2");
	struct errmsg err;

	rig_create(&r);
	rig_unlock(&r, &v, &dek);
	assert_int_equal(volume_add_binding(v, dek, &b, r.slot, &err), 0);
	luks2_replace(r.path, "\"type\":\"cmkdisk\",\"keyslots\":[\"1\"]", OURS);
	expect_refused(&r, "shared", -EBADMSG, "share keyslot 0");
}

// What the seal is for: edits that the allow-list cannot object to.
static void each_sealed_field_that_is_edited_stops_the_unlocking(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"\"grace_denied_ms\":3600000", "\"grace_denied_ms\":36000000"},
		{"\"grace_unreachable_ms\":86400000", "\"grace_unreachable_ms\":0"},
		{"\"on_expiry\":\"stop\"", "\"on_expiry\":\"ignore\""},
		{"\"thin\":false", "\"thin\":true"},
		{"\"size\":262144", "\"size\":258048"},
		{"\"key_url\":\"file:///etc", "\"key_url\":\"file:///tmp"},
		{"\"key_version\":\"v1\"", "\"key_version\":\"v0\""},
		{"\"alg\":\"RSA-OAEP-256\"", "\"alg\":\"RSA-OAEP\""},
		{"\"wrapped\":\"paWl", "\"wrapped\":\"paWm"},
		{"\"mac\":[\"", "\"mac\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\""},
		{"\"sector_size\":4096", "\"sector_size\":512"},
		{"\"offset\":\"1048576\"", "\"offset\":\"1052672\""},
		{TOKENS "\"0\":", TOKENS "\"4\":"},
	};
	AUTO_RIG(r);
	char good[160];

	rig_create(&r);
	(void)snprintf(good, sizeof(good), "%s/good", r.dir);
	rig_copy(r.path, good);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct errmsg err;
		rig_copy(good, r.path);
		luks2_replace(r.path, rows[i][0], rows[i][1]);
		assert_int_equal(truncate(r.path, 4 << 20), 0); // room for every edit
		// An alien MAC beside the true one is no harm: it fits nothing.
		bool harmless = strstr(rows[i][0], "mac") != NULL;
		int ret = rig_try(&r, 0, r.slot, &err);
		if (harmless ? ret : (ret != -EBADMSG || !strstr(err.text, "seal of the header")))
			fail_msg("%s: %d \"%s\"", rows[i][1], ret, err.text);
	}
	rig_copy(good, r.path);
	luks2_poke(r.path, LUKS2_AT_UUID, "0", 1);
	luks2_poke(r.path, LUKS2_AT_UUID + 1, "1", 1);
	struct errmsg err;
	assert_int_equal(rig_try(&r, 0, r.slot, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "seal of the header"));
}

// Writes bytes at an offset of an otherwise empty file of a given length.
static void craft(struct volume_rig *r, off_t len, const char *bytes, size_t n, uint64_t at)
{
	int fd autoclose = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	if (n)
		assert_int_equal(pwrite_full(fd, bytes, n, at), 0);
}

static void files_that_are_no_luks2_containers_are_told_apart(void **state)
{
	(void)state;
	AUTO_RIG(r);

	expect_refused(&r, "absent", -ENOENT, "no such backing file");
	craft(&r, 0, NULL, 0, 0);
	expect_refused(&r, "empty", -EBADMSG, "too short");
	craft(&r, 20000, "LUKS\xba\xbe\0\2", 8, 0);
	expect_refused(&r, "short", -EBADMSG, "too short");
	craft(&r, 2 << 20, NULL, 0, 0);
	expect_refused(&r, "zeros", -EBADMSG, "zeros");
	craft(&r, 2 << 20, "LUKS\xba\xbe\0\1", 8, 0);
	expect_refused(&r, "LUKS1", -EBADMSG, "LUKS1");
	craft(&r, 2 << 20, "\x53\xef", 2, 1080);
	expect_refused(&r, "ext4", -EBADMSG, "ext2/3/4");
	craft(&r, 2 << 20, "XFSB", 4, 0);
	expect_refused(&r, "xfs", -EBADMSG, "XFS");
	craft(&r, 2 << 20, "_BHRfS_M", 8, 65600);
	expect_refused(&r, "btrfs", -EBADMSG, "btrfs");
	craft(&r, 2 << 20, "hello", 5, 0);
	expect_refused(&r, "text", -EBADMSG, "not a LUKS2 container;");
	craft(&r, 2 << 20, "LUKS\xba\xbe\0\2", 8, 0);
	expect_refused(&r, "magic only", -EBADMSG, "damaged in both copies");
	assert_int_equal(unlink(r.path), 0);
	assert_int_equal(mkdir(r.path, 0700), 0);
	expect_refused(&r, "directory", -EINVAL, "a directory");
	assert_int_equal(rmdir(r.path), 0);
	assert_int_equal(mkfifo(r.path, 0600), 0);
	expect_refused(&r, "fifo", -EINVAL, "a special file");
}

static void both_copies_damaged_and_a_cut_file_are_refused(void **state)
{
	(void)state;
	AUTO_RIG(r);

	rig_create(&r);
	assert_int_equal(truncate(r.path, (1 << 20) + 256 * 1024 - 1), 0);
	expect_refused(&r, "cut", -EBADMSG, "1 are missing");
	assert_int_equal(truncate(r.path, (1 << 20) + 100), 0);
	expect_refused(&r, "cut to the header", -EBADMSG, "262044 are missing");
	rig_create(&r);
	luks2_spoil(r.path, 0);
	luks2_spoil(r.path, 1);
	expect_refused(&r, "both", -EBADMSG, "damaged in both copies");
}

static void a_stock_luks2_disk_is_called_one(void **state)
{
	(void)state;
	AUTO_RIG(r);

	craft(&r, 20 << 20, NULL, 0, 0);
	assert_int_equal(
		rig_shell(&r, "cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 "
			      "--pbkdf-force-iterations 1000 --key-file \"$KEY\" \"$IMG\""),
		0);
	expect_refused(&r, "stock", -EBADMSG, "a stock LUKS2 disk");
}

static void a_reencryption_that_stock_tools_began_is_refused(void **state)
{
	(void)state;
	AUTO_RIG(r);

	r.params.data_offset = 0;
	rig_create(&r);
	assert_int_equal(
		rig_shell(&r,
			"cryptsetup reencrypt -q --init-only --pbkdf pbkdf2 "
			"--pbkdf-force-iterations 1000 --key-slot 0 --key-file \"$KEY\" \"$IMG\""),
		0);
	expect_refused(&r, "reencryption", -EBADMSG, "re-encryption");
}

static void create_refuses_what_it_cannot_make_and_overwrites_nothing(void **state)
{
	(void)state;
	AUTO_RIG(r);
	struct errmsg err;
	const struct volume_params good = r.params;
#define REFUSED(expected, sentence)                                                            \
	do {                                                                                   \
		assert_int_equal(                                                              \
			volume_create(r.path, &r.params, &r.binding, r.slot, &err), expected); \
		assert_non_null(strstr(err.text, sentence));                                   \
		r.params = good;                                                               \
	} while (0)

	REFUSED(-ENOENT, "no such backing file");
	craft(&r, (1 << 20) + 256 * 1024, NULL, 0, 0);
	r.params.sector_size = 1024;
	REFUSED(-EINVAL, "512 or 4096");
	r.params.data_offset = 4096;
	REFUSED(-EINVAL, "whole MiB");
	r.params.data_offset = UINT64_C(1) << 40;
	REFUSED(-EINVAL, "whole MiB");
	r.params.policy.size = 0;
	REFUSED(-EINVAL, "multiple of the sector size");
	r.params.policy.size = 4097;
	REFUSED(-EINVAL, "multiple of the sector size");
	r.params.policy.size += 4096;
	REFUSED(-EINVAL, "make it longer");
	r.params.policy.grace_denied_ms = UINT64_MAX;
	REFUSED(-EINVAL, "ten years");
	r.params.label = "a label that is by far too long to fit into a LUKS2 header";
	REFUSED(-EINVAL, "label");
	r.binding.key_url[0] = '\0';
	REFUSED(-EINVAL, "makes no binding");
	r.binding = rig_binding("v1");
	craft(&r, (1 << 20) + 256 * 1024, "x", 1, (1 << 20) - 1);
	REFUSED(-EEXIST, "holds data already");
	rig_create(&r);
	REFUSED(-EEXIST, "holds data already");
	assert_int_equal(rig_try(&r, 0, r.slot, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hostile_edit_is_refused_with_its_own_sentence),
		cmocka_unit_test(two_bindings_with_one_keyslot_are_refused),
		cmocka_unit_test(each_sealed_field_that_is_edited_stops_the_unlocking),
		cmocka_unit_test(files_that_are_no_luks2_containers_are_told_apart),
		cmocka_unit_test(both_copies_damaged_and_a_cut_file_are_refused),
		cmocka_unit_test(a_stock_luks2_disk_is_called_one),
		cmocka_unit_test(a_reencryption_that_stock_tools_began_is_refused),
		cmocka_unit_test(create_refuses_what_it_cannot_make_and_overwrites_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
