// SPDX-License-Identifier: MIT
// What providers asked to have kept for processes of theirs that are started later: note() of
// struct cmk_host. Belongs to the credentials of a command or mount, and lies in locked memory:
// what a note says of a PIN may give the PIN away.
#ifndef CMK_NOTES_H
#define CMK_NOTES_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTES_MAX 64	// of one plug-in
#define NOTES_ROOM 4400 // bytes of one plug-in's lines, with their NULs: OPEN has room for no more

struct notes;
struct secret;

int notes_new(struct notes **out) must_use;
// Wipes. NULL allowed. For scoped().
void notes_free(struct notes **n);

// Any thread. Keeps name=value for this plug-in, in place of what was kept by that name; "" forgets
// it. The oldest go where there is no room. A NULL n keeps nothing. *heard is of the agent that
// says so: see notes_for(). -EINVAL: name or value is none; -ENOMEM: not kept.
int notes_put(struct notes *n, const char *plugin, const char *name, const char *value,
	uint64_t *heard) must_use;
// Any thread. The lines for an agent of this plug-in, oldest first: "CMKDISK_NOTE=name=value", each
// with its NUL. *out is the caller's; NULL: none. *heard: as notes_count() will say until another
// agent notes something else.
int notes_for(struct notes *n, const char *plugin, struct secret **out, uint64_t *heard) must_use;
// Any thread. How often something else was noted for this plug-in.
uint64_t notes_count(struct notes *n, const char *plugin);
// They survive a fork, but the lock on their memory does not: the child locks it again.
bool notes_lock(struct notes *n);

#endif
