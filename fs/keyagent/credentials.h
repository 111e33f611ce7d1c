// SPDX-License-Identifier: MIT
// What the user's environment says about signing in to a key store: moved into locked memory when
// the program starts, so that /proc/PID/environ, child processes and core dumps show it no more.
// The names are those that keyprov.h lists at struct cmk_key_ref.
#ifndef CMK_CREDENTIALS_H
#define CMK_CREDENTIALS_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

#define CREDENTIALS_MAX 16384u // bytes of all "NAME=value", with their NULs

struct credentials;

// Takes them out of the environment and wipes them there. For main(), before there is a second
// thread and before getenv() gave a pointer to anybody. *out is NULL if there are none. -E2BIG with
// a sentence if they are too long; they are gone from the environment all the same.
int credentials_take(struct credentials **out, struct errmsg *err) must_use;
// Wipes. NULL allowed. For scoped().
void credentials_free(struct credentials **c);

// All of them, one after the other, each with its NUL; *len counts the bytes. NULL: none (also for
// a NULL c).
const char *credentials_block(const struct credentials *c, size_t *len);

// They survive a fork (daemonising), but the lock on their memory does not: the child locks again.
// False if it cannot.
bool credentials_lock(const struct credentials *c);

#endif
