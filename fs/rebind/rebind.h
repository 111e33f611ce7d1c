// SPDX-License-Identifier: MIT
// Moves a disk from one binding to another (rotation: to the newest version of its key; rekey: to
// another key) by one rule: the new binding is made, proven by the key store and by the header, and
// stands beside the old one before the old one goes. Whatever breaks off in between leaves a disk
// that opens with each binding that was there and is there.
//
// The order, for a caller who may not keep the header, nor the data key, while a key store is
// asked:
//   rebind_newest   asks      which version, and whether it may be used
//   rebind_prepare  asks      a slot secret that the key store wraps and unwraps again
//   (the present binding is unwrapped, the header opened, the data key taken from it)
//   rebind_commit   header    the binding beside the others, and it opens the keyslot
//   (whoever uses the old binding goes over to the new one)
//   rebind_retire   header    the old ones go
//
// The header itself is the record of what is under way: the new binding says which ones it takes
// the place of (binding.h). Whoever has opened a disk with one whose list is not empty yet ends
// that move by rebind_finish(), and needs to know nothing else of it.
#ifndef CMK_REBIND_H
#define CMK_REBIND_H

#include "attr.h"
#include "binding.h"
#include "errmsg.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>

struct agent;
struct secret;
struct volume;

// A fresh slot secret, wrapped by the version that the key store uses now and unwrapped again
// through the same identity. *b lacks what the header gives it (token, keyslot, digest, created).
// The secret is the caller's. Errors of answer_errno(); -EKEYREJECTED: what came back is not what
// was wrapped; -ENOMEM.
int rebind_make(struct agent *agent, struct secret **slot_secret, struct binding *b,
	struct errmsg *err) must_use;

// Attributes of the version that the key store would wrap with now; version "" if this identity may
// not see them, which is no error. -EKEYREVOKED if it is disabled, -EKEYEXPIRED outside its dates:
// out is filled then, too. Other errors: no answer.
int rebind_newest(struct agent *agent, struct cmk_key_info *out, struct errmsg *err) must_use;

// What a disk is to be opened with from now on.
struct rebind {
	struct binding binding;
	struct secret *slot_secret; // owned
	bool stands; // the header has it already: somebody broke off before the old one went
	bool only;   // for the caller to set: every other binding goes
	bool proven; // rebind_commit() has seen it open the disk
};

void rebind_free(struct rebind **r); // wipes; NULL allowed; for scoped()

// The agent's key at that version ("": the one that it wraps with): the binding that is there
// already among these, if the key store still unwraps it and no other is to take its place, else a
// new one. -EAGAIN: the key store wrapped with another version.
int rebind_prepare(struct agent *agent, const char *version, const struct binding *there,
	size_t count, struct rebind **out, struct errmsg *err) must_use;

// Adds it to the header, unless it stands there, and proves that it opens this very disk; it says
// there which ones it takes the place of: those to the key of `present` as its URL is spelled (with
// r->only: all), and whatever an unfinished move ties to them. present: the binding that dek was
// got with just now (volume_unlock). In a header without room, what broken-off moves left of either
// key is removed first; never `present`. r->binding is as in the header from then on. Errors of
// volume_add_binding(), volume_set_replaces() and volume_unlock().
int rebind_commit(struct volume *v, const struct secret *dek, const struct binding *present,
	struct rebind *r, struct errmsg *err) must_use;

// Removes those that it takes the place of. Only after rebind_commit(): -EINVAL otherwise. removed:
// is increased by how many have gone, also on failure.
int rebind_retire(struct volume *v, const struct secret *dek, const struct rebind *r,
	size_t *removed, struct errmsg *err) must_use;

// The same for whatever move made b: dek was got with b just now (volume_unlock).
int rebind_finish(struct volume *v, const struct secret *dek, const struct binding *b,
	size_t *removed, struct errmsg *err) must_use;

// The first of these that b is to take the place of; NULL: none is left.
const struct binding *rebind_left(
	const struct binding *b, const struct binding *all, size_t count) must_use;
// The binding to another key that is to take the place of b: a move away from b's key that is not
// finished. NULL: none.
const struct binding *rebind_successor(
	const struct binding *b, const struct binding *all, size_t count) must_use;
// 0 if there is none, else -EBUSY: to rotate b would forget where the disk was to go. name: what
// the sentence calls the disk.
int rebind_refuse_unfinished(const char *name, const struct binding *b, const struct binding *all,
	size_t count, struct errmsg *err) must_use;

#endif
