// SPDX-License-Identifier: MIT
// What the luks_*.c files share; nobody else includes it.
#ifndef CMK_LUKS_INTERNAL_H
#define CMK_LUKS_INTERNAL_H

#include "luks.h"

#include <libcryptsetup.h>

#define MIB (UINT64_C(1) << 20)
#define METADATA_SIZE (UINT64_C(64) << 10)   // each of the two header copies
#define SMALLEST_HEADER (UINT64_C(32) << 10) // two copies as small as LUKS2 allows
#define KEYSLOTS_AREA_MIN (UINT64_C(256) << 10)
#define DATA_OFFSET_DEFAULT (16 * MIB)
#define DATA_OFFSET_MAX (128 * MIB)
#define VOLUME_SUBSYSTEM "cmkdisk"
#define SLOT_ITERATIONS 1000 // the slot secret has full entropy, so more would only cost time
#define SLOT_HASH "sha256"
#define KEYSLOTS_MAX 32
#define TOKENS_MAX 32

struct json;

// luks_device.c: the library, kept quiet, and its errors as sentences.

struct device {
	struct crypt_device *cd;
	char said[256]; // the library's last error message
};

// On a path as libcryptsetup opens it. Nothing is read yet.
int device_init(
	const char *path, const char *name, struct device *dev, struct errmsg *err) must_use;
// Waits, but not for ever, until nobody holds the lock that the library is about to wait for
// without a limit. -EBUSY with a sentence.
int device_wait_unlocked(
	const char *path, const char *name, bool writable, struct errmsg *err) must_use;
void device_free(struct device *dev); // for scoped()
// -errno for a failed library call (ret < 0) and "NAME: DOING failed: <what the library said>;
// ...".
int device_fail(struct device *dev, const char *name, int ret, const char *doing,
	struct errmsg *err) must_use;
// New keyslots and digests get PBKDF2 with few rounds, and no benchmark.
int device_quick_pbkdf(struct device *dev) must_use;
// Replaces what stands there; NULL removes it.
int device_put_token(struct device *dev, const char *name, int token, const char *json,
	struct errmsg *err) must_use;
int device_put_binding(
	struct device *dev, const char *name, const struct binding *b, struct errmsg *err) must_use;
int device_put_seal(
	struct device *dev, const char *name, const struct seal *s, struct errmsg *err) must_use;
// Stores our keyslot n for this volume key.
int device_put_keyslot(struct device *dev, const char *name, int keyslot, const struct secret *dek,
	const struct secret *slot_secret, struct errmsg *err) must_use;

// luks_probe.c: the backing file itself.

// Regular file or block device; *size in bytes.
int probe_backing(const char *path, const char *name, bool writable, uint64_t *size,
	struct errmsg *err) must_use;
// Why the library found no LUKS2 header in it: always an error, with the sentence.
int probe_explain(const char *path, const char *name, struct errmsg *err) must_use;
// -EEXIST with a sentence unless the first MiB is zeros.
int probe_unused(const char *path, const char *name, struct errmsg *err) must_use;
// How sentences call a path: /proc/self/fd/N by the file behind it. The caller frees *name.
int probe_name(const char *path, char **name) must_use;

// luks_check.c: the allow-list. Pure: works on the header's JSON.

struct header {
	uint32_t sector_size;
	uint64_t data_offset;
	uint8_t digest[BINDING_DIGEST_LEN];
	uint32_t data_keyslots;	 // bit n: keyslot n opens the data segment
	uint32_t stray_keyslots; // bit n: keyslot n is named by a digest of another key
	uint32_t token_keyslots; // bit n: some token names keyslot n
	uint32_t quick_keyslots; // bit n: keyslot n has the shape that we give ours
	size_t keyslot_count;
};

int header_check(
	const char *name, const struct json *json, struct header *out, struct errmsg *err) must_use;
// That keyslot n opens the data segment, and with means that we accept from ours.
int header_check_keyslot(const char *name, const struct json *json, const struct header *h,
	int token, int keyslot, struct errmsg *err) must_use;

// luks_tokens.c: our tokens among all of them.

struct tokens {
	struct seal seal;
	struct binding *bindings; // sorted by token number
	size_t count;
};

// Before the allow-list, so that a stock disk is called one: -EBADMSG with a sentence unless there
// are exactly one seal and at least one binding.
int tokens_present(const char *name, const struct json *json, const char *subsystem,
	struct errmsg *err) must_use;
// After it. -EBADMSG with a sentence: a malformed token, a keyslot shared.
int tokens_read(
	const char *name, const struct json *json, struct tokens *out, struct errmsg *err) must_use;
void tokens_free(struct tokens *t);
// That a binding which a caller made would be read again once it is stored: -EINVAL if not.
int binding_acceptable(const struct binding *b, struct errmsg *err) must_use;

// luks.c

struct volume {
	struct device dev;
	char *path; // as given, for the library
	char *name; // for sentences
	bool writable;
	struct header header;
	struct tokens tokens;
	struct volume_info info;
};

// Takes over what the header in dev.cd says, after the allow-list. On failure nothing changes.
int volume_adopt(struct volume *v, struct errmsg *err) must_use;
// Reads the header from disk again, then volume_adopt().
int volume_reload(struct volume *v, struct errmsg *err) must_use;
// The sealed fields as they stand in the header; borrows from v.
struct seal_fields volume_fields(const struct volume *v);

#endif
