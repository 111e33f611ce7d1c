// SPDX-License-Identifier: MIT
// Small disks in a private directory, for tests of fs/volume. The "key store" of these tests is a
// slot secret that the rig knows. Fails the test by assertion.
#ifndef CMK_VOLUME_RIG_H
#define CMK_VOLUME_RIG_H

#include "luks.h"

struct secret;

struct volume_rig {
	char dir[96];
	char path[128];	       // the backing file
	char secret_path[128]; // the slot secret as a key file for stock tools, once rig_stock()
			       // ran
	struct secret *slot;
	struct binding binding;
	struct volume_params params; // 4096-byte sectors, data at 1 MiB, 256 KiB large
};

#define RIG_SECRET 0x5a
// A slot secret of that byte; the rig's own has RIG_SECRET.
int rig_secret(int byte, struct secret **out) must_use;

void rig_begin(struct volume_rig *r);
void rig_end(struct volume_rig *r); // for scoped()
// (Re)makes the backing file and the disk in it.
void rig_create(struct volume_rig *r);
// A binding as a key store might have made it.
struct binding rig_binding(const char *version);
// Opens and unlocks with a secret; 0 or the error of either step. Closes again.
int rig_try(
	struct volume_rig *r, size_t nth_binding, const struct secret *slot, struct errmsg *err);
// Opens writable and unlocks; asserts success.
void rig_unlock(struct volume_rig *r, struct volume **v, struct secret **dek);
// Runs a shell command with $IMG and $KEY set, output dropped; its exit status.
int rig_shell(struct volume_rig *r, const char *command);
void rig_copy(const char *from, const char *to);

#endif
