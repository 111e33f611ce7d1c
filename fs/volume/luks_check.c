// SPDX-License-Identifier: MIT
// The allow-list over a LUKS2 header, before any key is asked for: what the library accepts is far
// more than what we may serve. Pure; works on the header's JSON as the library prints it.
#include "luks_internal.h"

#include "bytes.h"
#include "json.h"
#include "mac.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

// A header made by stock tools has some 10^5 to 10^6 rounds; one made to hang us has 2^32.
#define ITERATIONS_MAX 5000000
#define RESTORE "restore a header backup (cryptsetup luksHeaderRestore)"

// LUKS2 writes 64-bit numbers as decimal strings.
static bool decimal(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > 19)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = value;
	return true;
}

// "keyslots":["0","1"] as bits; what is no keyslot number is left out, the library refuses it.
static uint32_t keyslot_bits(const struct json *array)
{
	uint32_t bits = 0;
	uint64_t n;

	for (size_t i = 0; i < json_array_len(array); i++)
		if (decimal(json_as_str(json_array_at(array, i)), &n) && n < KEYSLOTS_MAX)
			bits |= UINT32_C(1) << n;
	return bits;
}

static bool is(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

static int check_config(const char *name, const struct json *config, struct errmsg *err)
{
	const struct json *mandatory = json_get(json_get(config, "requirements"), "mandatory");

	if (!json_get(config, "requirements"))
		return 0;
	const char *first = json_as_str(json_array_at(mandatory, 0));
	if (json_is_array(mandatory) && json_array_len(mandatory) == 0)
		return 0;
	if (first && strstr(first, "reencrypt"))
		return errmsg_set(err, EBADMSG,
			"%s: a re-encryption by other tools is under way (requirement \"%s\"); "
			"finish it with "
			"cryptsetup, then make a new disk with: cmkdisk create",
			name, first);
	return errmsg_set(err, EBADMSG,
		"%s: the LUKS2 header demands a feature that cmkdisk does not have (requirement "
		"\"%s\"); "
		"open it with cryptsetup, or " RESTORE,
		name, first ? first : "?");
}

static int check_segment(
	const char *name, const struct json *segments, struct header *h, struct errmsg *err)
{
	const char *number = NULL;
	const struct json *s = json_member_at(segments, 0, &number);
	uint64_t tweak;
	int64_t sector;

	if (!s || json_member_at(segments, 1, &(const char *){NULL}))
		return errmsg_set(err, EBADMSG,
			"%s: the LUKS2 header has %s data segments, expected exactly one; " RESTORE,
			name, s ? "several" : "no");
	if (!is(json_str(s, "type"), "crypt") || json_get(s, "flags") || json_get(s, "integrity") ||
		!is(number, "0"))
		return errmsg_set(err, EBADMSG,
			"%s: the data segment is not a plain encrypted one (type, integrity, flags "
			"or number "
			"differ); " RESTORE,
			name);
	const char *cipher = json_str(s, "encryption");
	if (!is(cipher, VOLUME_CIPHER))
		return errmsg_set(err, EBADMSG,
			"%s: encrypted with \"%s\", expected " VOLUME_CIPHER "; " RESTORE, name,
			cipher ? cipher : "?");
	if (!json_int(s, "sector_size", &sector) || (sector != 512 && sector != 4096))
		return errmsg_set(err, EBADMSG,
			"%s: the sector size is not 512 or 4096 bytes; " RESTORE, name);
	if (!decimal(json_str(s, "iv_tweak"), &tweak) || tweak != 0)
		return errmsg_set(err, EBADMSG, "%s: the IV tweak is not 0; " RESTORE, name);
	if (!is(json_str(s, "size"), "dynamic"))
		return errmsg_set(err, EBADMSG,
			"%s: the data segment has a size of its own, expected "
			"\"dynamic\"; " RESTORE,
			name);
	if (!decimal(json_str(s, "offset"), &h->data_offset) || h->data_offset % 4096 != 0 ||
		h->data_offset < SMALLEST_HEADER || h->data_offset > VOLUME_SIZE_MAX)
		return errmsg_set(err, EBADMSG,
			"%s: the data offset is not one that a LUKS2 file can have; " RESTORE,
			name);
	h->sector_size = (uint32_t)sector;
	return 0;
}

// Length-prefixed, as the seal's items, so that no two digests share a fingerprint.
static int fingerprint(const struct json *digest, int64_t iterations, uint8_t out[32])
{
	const char *texts[] = {json_str(digest, "type"), json_str(digest, "hash"),
		json_str(digest, "salt"), json_str(digest, "digest")};
	uint8_t row[4 * 512 + 12];
	size_t len = 0;

	store_le32(row, 8);
	store_le64(row + 4, (uint64_t)iterations);
	len = 12;
	for (size_t i = 0; i < 4; i++) {
		size_t n = texts[i] ? strlen(texts[i]) : 0;
		if (n == 0 || n > 500)
			return -EBADMSG;
		store_le32(row + len, (uint32_t)n);
		memcpy(row + len + 4, texts[i], n);
		len += 4 + n;
	}
	return sha256(row, len, out);
}

static bool good_pbkdf2(const struct json *kdf, int64_t *iterations)
{
	const char *hash = json_str(kdf, "hash");

	return is(json_str(kdf, "type"), "pbkdf2") && (is(hash, "sha256") || is(hash, "sha512")) &&
	       json_int(kdf, "iterations", iterations) && *iterations >= 1000 &&
	       *iterations <= ITERATIONS_MAX;
}

// Exactly one digest is for the data segment. A digest for no segment (an unbound key that somebody
// keeps in a keyslot) may stand beside it: header_check_keyslot() sees to it that none of our
// keyslots belongs to it.
static int check_digests(
	const char *name, const struct json *digests, struct header *h, struct errmsg *err)
{
	const char *number;
	const struct json *ours = NULL, *d;
	int64_t iterations;
	size_t for_data = 0;

	for (size_t i = 0; (d = json_member_at(digests, i, &number)); i++) {
		const struct json *segments = json_get(d, "segments");
		if (!json_is_array(segments) || json_array_len(segments) > 0) {
			ours = d;
			for_data++;
		} else {
			h->stray_keyslots |= keyslot_bits(json_get(d, "keyslots"));
		}
	}
	if (for_data != 1)
		return errmsg_set(err, EBADMSG,
			"%s: the LUKS2 header has %zu digests for its data, expected exactly "
			"one; " RESTORE,
			name, for_data);
	const struct json *segments = json_get(ours, "segments");
	if (json_array_len(segments) != 1 || !is(json_as_str(json_array_at(segments, 0)), "0"))
		return errmsg_set(err, EBADMSG,
			"%s: the digest is not for the one data segment; " RESTORE, name);
	int ret = good_pbkdf2(ours, &iterations) ? fingerprint(ours, iterations, h->digest)
						 : -EBADMSG;
	if (ret == -EBADMSG)
		return errmsg_set(err, EBADMSG,
			"%s: the digest of the volume key is not PBKDF2 with SHA-256 or SHA-512 "
			"and 1000 to %d "
			"rounds; " RESTORE,
			name, ITERATIONS_MAX);
	if (ret)
		return errmsg_set(
			err, -ret, "%s: cannot hash the header's digest: %s", name, strerror(-ret));
	h->data_keyslots = keyslot_bits(json_get(ours, "keyslots"));
	return 0;
}

static const struct json *keyslot_at(const struct json *keyslots, int n)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", n);
	return json_get(keyslots, number);
}

static bool slot_is_accepted(const struct json *slot, int64_t *iterations)
{
	const struct json *af = json_get(slot, "af"), *area = json_get(slot, "area");
	const char *af_hash = json_str(af, "hash");
	int64_t key_len, area_key_len;

	return is(json_str(slot, "type"), "luks2") && json_int(slot, "key_size", &key_len) &&
	       key_len == VOLUME_KEY_LEN && is(json_str(af, "type"), "luks1") &&
	       (is(af_hash, "sha256") || is(af_hash, "sha512")) &&
	       is(json_str(area, "type"), "raw") &&
	       is(json_str(area, "encryption"), VOLUME_CIPHER) &&
	       json_int(area, "key_size", &area_key_len) && area_key_len == VOLUME_KEY_LEN &&
	       good_pbkdf2(json_get(slot, "kdf"), iterations);
}

static int check_keyslots(
	const char *name, const struct json *keyslots, struct header *h, struct errmsg *err)
{
	for (int n = 0; n < KEYSLOTS_MAX; n++) {
		const struct json *slot = keyslot_at(keyslots, n);
		int64_t iterations;
		if (!slot)
			continue;
		h->keyslot_count++;
		if (is(json_str(slot, "type"), "reencrypt"))
			return errmsg_set(err, EBADMSG,
				"%s: keyslot %d belongs to a re-encryption by other tools; finish "
				"it with "
				"cryptsetup, then make a new disk with: cmkdisk create",
				name, n);
		if (slot_is_accepted(slot, &iterations) && iterations == SLOT_ITERATIONS &&
			is(json_str(json_get(slot, "kdf"), "hash"), SLOT_HASH))
			h->quick_keyslots |= UINT32_C(1) << n;
	}
	return 0;
}

int header_check(const char *name, const struct json *json, struct header *out, struct errmsg *err)
{
	struct header h = {0};
	const struct json *token;
	const char *number;

	int ret = check_config(name, json_get(json, "config"), err);
	if (!ret)
		ret = check_keyslots(name, json_get(json, "keyslots"), &h, err);
	if (!ret)
		ret = check_segment(name, json_get(json, "segments"), &h, err);
	if (!ret)
		ret = check_digests(name, json_get(json, "digests"), &h, err);
	if (ret)
		return ret;
	const struct json *tokens = json_get(json, "tokens");
	for (size_t i = 0; (token = json_member_at(tokens, i, &number)); i++)
		h.token_keyslots |= keyslot_bits(json_get(token, "keyslots"));
	*out = h;
	return 0;
}

int header_check_keyslot(const char *name, const struct json *json, const struct header *h,
	int token, int keyslot, struct errmsg *err)
{
	const struct json *slot = keyslot_at(json_get(json, "keyslots"), keyslot);
	const uint32_t bit = UINT32_C(1) << keyslot;
	int64_t iterations;

	if (!slot)
		return errmsg_set(err, EBADMSG,
			"%s: keyslot %d of the binding in token %d is gone, so its key opens "
			"nothing any more; " RESTORE,
			name, keyslot, token);
	if (!(h->data_keyslots & bit) || (h->stray_keyslots & bit))
		return errmsg_set(err, EBADMSG,
			"%s: keyslot %d of the binding in token %d does not belong to the data's "
			"key; " RESTORE,
			name, keyslot, token);
	// A null cipher here would let whoever can write the file choose the data key.
	if (!slot_is_accepted(slot, &iterations))
		return errmsg_set(err, EBADMSG,
			"%s: keyslot %d of the binding in token %d is not protected as cmkdisk "
			"does it "
			"(" VOLUME_CIPHER ", 512-bit key, PBKDF2 with SHA-2); " RESTORE,
			name, keyslot, token);
	return 0;
}
