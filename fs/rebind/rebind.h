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
	bool proven; // rebind_commit() has seen it open the disk
};

void rebind_free(struct rebind **r); // wipes; NULL allowed; for scoped()

// The agent's key at that version ("": the one that it wraps with): the binding that is there
// already among these, if the key store still unwraps it, else a new one. -EAGAIN: the key store
// wrapped with another version.
int rebind_prepare(struct agent *agent, const char *version, const struct binding *there,
	size_t count, struct rebind **out, struct errmsg *err) must_use;

// Adds it to the header, unless it stands there, and proves that it opens this very disk. present:
// the binding that dek was got with just now (volume_unlock). In a header without room, what
// broken-off moves left of either key is removed first; never `present`. *r->binding has its token
// from then on. Errors of volume_add_binding() and volume_unlock().
int rebind_commit(struct volume *v, const struct secret *dek, const struct binding *present,
	struct rebind *r, struct errmsg *err) must_use;

// Removes the other bindings to this key, as their URL is spelled (NULL: every other binding).
// Only after rebind_commit(): -EINVAL otherwise. removed may be NULL.
int rebind_retire(struct volume *v, const struct secret *dek, const struct rebind *r,
	const char *key_url, size_t *removed, struct errmsg *err) must_use;

#endif
