// SPDX-License-Identifier: MIT
// The seal: a keyed check over the header fields that decide what a disk is and who may open it.
// LUKS2 protects its header against accident; this protects it against intent. Pure.
//
// MAC = HMAC-SHA-256 under HKDF-SHA-256(DEK, salt = the 36 characters of the UUID, info =
// "cmkdisk seal v1") over struct seal_fields as a row of items. An item is its length in bytes
// (32 bits, little endian) and then the bytes; a number is an item of 8 bytes, little endian, a
// flag the number 0 or 1, a text its bytes without NUL. The row:
//   uuid, cipher, key_len, sector_size, data_offset, digest, size, thin, grace_denied_ms,
//   grace_unreachable_ms, expiry_stops, binding_count, and for each binding, by token number:
//   token, keyslot, key_url, key_version, alg, wrapped, digest, created, and, if it replaces
//   others, their ids one after the other as one item (never 8 bytes long, as a token number is)
//
// Members of the one token of type "cmkdisk-seal", required but for the last:
//   type                  "cmkdisk-seal"
//   keyslots              [], always empty
//   version               integer, 1: the format of this token
//   size                  integer: bytes of the disk, 512..2^49, whole sectors
//   thin                  boolean: discards punch holes, zero sectors read as zeros
//   grace_denied_ms       integer: milliseconds, 0 to ten years
//   grace_unreachable_ms  integer: milliseconds, 0 to ten years
//   on_expiry             "stop" or "ignore"
//   mac                   array of one or two strings, base64url of 32 bytes
//   pending_keyslot       integer, only while a change is under way: the keyslot that the change
//                         adds or removes. Not covered by the MAC; volume_settle() destroys such a
//                         keyslot only if no token uses it and it has the shape of one of ours.
#ifndef CMK_SEAL_H
#define CMK_SEAL_H

#include "attr.h"
#include "binding.h"
#include "errmsg.h"
#include "mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_TOKEN_TYPE "cmkdisk-seal"
#define SEAL_FORMAT 1
#define SEAL_MACS_MAX 2
#define VOLUME_UUID_LEN 36
#define VOLUME_CIPHER "aes-xts-plain64"
#define VOLUME_KEY_LEN 64
#define VOLUME_SIZE_MAX \
	(UINT64_C(1) << 49) // 512 TiB: 15 digits, which any JSON library keeps exact
#define GRACE_MS_MAX (UINT64_C(3650) * 24 * 3600 * 1000)
#define BINDINGS_MAX 30 // of LUKS2's 32 tokens: one is the seal, one is spare for a change

// What `create` decided for the life of the disk.
struct volume_policy {
	uint64_t grace_denied_ms;
	uint64_t grace_unreachable_ms;
	bool expiry_stops; // --on-expiry stop|ignore
	bool thin;
	uint64_t size; // of the disk, bytes, a multiple of the sector size
};

struct seal_fields {
	char uuid[VOLUME_UUID_LEN + 1];
	char cipher[32];
	uint32_t key_len;     // bytes
	uint32_t sector_size; // bytes
	uint64_t data_offset; // bytes
	uint8_t digest[BINDING_DIGEST_LEN];
	struct volume_policy policy;
	const struct binding *bindings; // sorted by token number; borrowed
	size_t binding_count;
};

// The seal token. Two MACs stand in it only while a change of the bindings is under way: that of
// the set before and that of the set after, so that every step of the change opens.
struct seal {
	int token; // -1 when not stored
	struct volume_policy policy;
	uint8_t mac[SEAL_MACS_MAX][MAC_LEN];
	size_t mac_count;
	int pending_keyslot; // -1 when no change is under way
};

// Strict like binding_parse(): -EBADMSG with a sentence naming token and member.
int seal_parse(
	int token, const char *json, size_t len, struct seal *out, struct errmsg *err) must_use;
int seal_print(const struct seal *s, char **out) must_use; // the caller frees *out

// -EINVAL with a sentence if no disk can have this policy.
int policy_check(const struct volume_policy *p, uint32_t sector_size, struct errmsg *err) must_use;

struct secret;
// The MAC of these fields under this volume key.
int seal_mac(const struct seal_fields *f, const struct secret *dek, uint8_t out[MAC_LEN]) must_use;
// 0 if one of the seal's MACs fits, -EBADMSG with a sentence if not.
int seal_verify(const struct seal *s, const struct seal_fields *f, const struct secret *dek,
	struct errmsg *err) must_use;

#endif
