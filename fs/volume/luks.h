// SPDX-License-Identifier: MIT
// The LUKS2 container of a disk, read and changed only through libcryptsetup, of which this folder
// is the only includer. Use from one thread at a time per process (the library's rule); never on
// the data path. The library locks a backing file (flock) for moments; whoever else holds it is
// waited for a few seconds only. Sentences begin with the file's name: callers need not prefix it.
#ifndef CMK_LUKS_H
#define CMK_LUKS_H

#include "attr.h"
#include "binding.h"
#include "errmsg.h"
#include "seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;
struct volume; // an opened header

// What the header says. Everything but `sealed` policy is unproven until volume_unlock() succeeded.
struct volume_info {
	char uuid[VOLUME_UUID_LEN + 1];
	char label[48]; // printable: control characters are replaced
	char cipher[32];
	uint32_t sector_size; // 512 or 4096
	uint64_t data_offset; // bytes
	// SHA-256 over the LUKS2 digest's iterations, type, hash, salt and value (texts as in the
	// header; items as in seal.h). Same digest, same volume key.
	uint8_t digest[BINDING_DIGEST_LEN];
	struct volume_policy policy;
	// Sorted by token number; owned by the volume, until it changes.
	const struct binding *bindings;
	size_t binding_count;
	size_t keyslot_count;  // in use, of which one per binding is ours
	bool pending;	       // a change of the bindings was broken off; volume_settle() ends it
	uint64_t backing_size; // bytes of the file or device
};

struct volume_params {
	uint32_t sector_size;	     // 512 or 4096
	uint64_t data_offset;	     // bytes; 0 for the default of 16 MiB; whole MiB, 1 to 128
	const char *label;	     // or NULL; at most 47 bytes
	const char *name;	     // what sentences call the file; NULL: by its path
	struct volume_policy policy; // with the disk's size
};

// Opens a header for reading (and changing when writable). Allow-list before any key is asked for:
// LUKS2; exactly one crypt segment of aes-xts-plain64, 512-bit key, sector size 512 or 4096, iv
// tweak 0, at data_offset to the end; no requirements; no reencryption; exactly one seal and at
// least one binding, each with its own keyslot and made for this volume key; backing file large
// enough for the sealed size. Foreign keyslots, tokens and unbound digests are let be: stock tools
// add them, and none of them can reach the data segment through our keyslots.
// path may be /proc/self/fd/N. The library repairs a damaged header copy from the good one when the
// file can be written, also when writable is false. Sentences on failure: -EBADMSG (not LUKS2, not
// ours, damaged), -ENOENT, -EACCES, -EROFS, -EBUSY
// (another program holds the lock), ...
int volume_open(const char *path, bool writable, struct volume **out, struct errmsg *err) must_use;
// What a file is, for who meets files that may be anything; whether volume_open() takes it is
// another question. No key is needed, and nothing that the header says is checked. Sentences as
// above.
enum volume_kind {
	VOLUME_KIND_NONE,    // no LUKS2 header, and no remains of one
	VOLUME_KIND_LUKS2,   // without a mark of cmkdisk: made and opened by stock tools
	VOLUME_KIND_CMKDISK, // with a token of cmkdisk, or made by it
	VOLUME_KIND_DAMAGED, // once a LUKS2 header: no copy of it can be read
};
int volume_kind(const char *path, enum volume_kind *out, struct errmsg *err) must_use;
// This process keeps others from the backing files by a lock of its own: the library is to take
// none in it any more. For a process that may not wait for whoever holds one, which the right to
// read suffices for. For the rest of the process; a damaged header copy is then not repaired.
void volume_locks_are_ours(void);
void volume_close(struct volume **v); // NULL allowed; for scoped()
const struct volume_info *volume_info(const struct volume *v);
// Whether two readings of a header, at least one of them unproven, describe the same disk under the
// same sealed policy: all but label, bindings, counts and backing_size.
bool volume_same(const struct volume_info *a, const struct volume_info *b);

// Slot secret -> volume key, and the proof that the header is the one that was sealed. *dek is the
// caller's. -EKEYREJECTED: the secret does not open the binding's keyslot. -EBADMSG: wrong digest
// or broken seal. Nothing is in *dek on failure.
int volume_unlock(struct volume *v, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err) must_use;

// Makes a new container in an existing, large enough file whose first MiB is zeros (-EEXIST if
// not): random volume key, one keyslot for slot_secret, the binding (its token, keyslot, digest and
// created are filled in here), the seal. The last write makes it openable: a crash before leaves a
// file that volume_open refuses.
int volume_create(const char *path, const struct volume_params *p, struct binding *b,
	const struct secret *slot_secret, struct errmsg *err) must_use;

// Adds a binding to an unlocked disk (dek from volume_unlock), or removes one, so that at every
// instant, also after a crash or a torn write, the disk opens with each binding that was there
// before and is there after. Both look at the header as it is on disk now, and refuse (-EBADMSG) to
// put a new seal on one whose present seal is broken. -EBUSY: removing the last binding. -ENOSPC:
// no room for another. -EROFS: opened read-only. info's bindings move with every call. A change
// that a crash left half done is completed or undone by volume_settle().
int volume_add_binding(struct volume *v, const struct secret *dek, struct binding *b,
	const struct secret *slot_secret, struct errmsg *err) must_use;
int volume_remove_binding(
	struct volume *v, const struct secret *dek, int token, struct errmsg *err) must_use;
// Writes what the binding in b->token, which is this one, replaces: b->replaces. -ENOENT if it is
// not there. At every instant the disk opens as before.
int volume_set_replaces(struct volume *v, const struct secret *dek, const struct binding *b,
	struct errmsg *err) must_use;
int volume_settle(struct volume *v, const struct secret *dek, struct errmsg *err) must_use;

// Re-writes the seal for a changed policy (offline change of graces). Size and thin must not
// differ.
int volume_set_policy(struct volume *v, const struct secret *dek, const struct volume_policy *p,
	struct errmsg *err) must_use;

#endif
