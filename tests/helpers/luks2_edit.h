// SPDX-License-Identifier: MIT
// Hostile hands on a LUKS2 header: changes its JSON or binary fields in both copies and repairs the
// checksums, as somebody who can write the file would. For tests only; fails the test by assertion.
#ifndef CMK_LUKS2_EDIT_H
#define CMK_LUKS2_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LUKS2_AT_UUID = 168,
	LUKS2_AT_SUBSYSTEM = 208,
	LUKS2_BINARY_LEN = 4096,
};

// The JSON text of the primary copy; the caller frees it.
char *luks2_json(const char *path);
// Replaces the JSON text in both copies.
void luks2_set_json(const char *path, const char *json);
// Replaces the first occurrence of `from`, which must be there.
void luks2_replace(const char *path, const char *from, const char *to);
// Overwrites bytes of the binary header in both copies.
void luks2_poke(const char *path, size_t at, const void *bytes, size_t len);
// Damages a copy (0 or 1) without repairing its checksum.
void luks2_spoil(const char *path, int copy);
// Repairs the checksum of a copy that lies in memory: binary header and JSON area, len in all.
void luks2_repair(uint8_t *copy, size_t len);

#endif
