// SPDX-License-Identifier: MIT
// What providers are told beside the key set, in locked memory: what the user's environment says
// about signing in to a key store and about PKCS#11 modules, moved there when the program starts,
// so that /proc/PID/environ, child processes and core dumps show it no more; and the PINs that a
// person gave for keys in tokens. Each provider is told what is for its keys' scheme alone, and of
// the PINs that of its own key. The names are those that keyprov.h lists at struct cmk_key_ref.
#ifndef CMK_CREDENTIALS_H
#define CMK_CREDENTIALS_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

#define CREDENTIALS_MAX 16384u	 // bytes of all "NAME=value" of one kind, with their NULs
#define CREDENTIALS_PIN_MAX 255u // bytes of a PIN

struct credentials;
struct notes;
struct secret;

// Takes them out of the environment and wipes them there; CLOUDHSM_PIN, too, which nobody is told:
// PINs come in other ways. For main(), before there is a second
// thread and before getenv() gave a pointer to anybody. -E2BIG with a sentence if those of one kind
// are too long; they are gone from the environment all the same.
int credentials_take(struct credentials **out, struct errmsg *err) must_use;
// Wipes. NULL allowed. For scoped().
void credentials_free(struct credentials **c);

// The PIN of this key, of which the URL is spelled exactly so; NULL or "": it is known that there
// is none. In place of what was said before. Not while another thread may have an agent. -EINVAL:
// longer than CREDENTIALS_PIN_MAX; -ENOMEM.
int credentials_set_pin(struct credentials *c, const char *key_url, const char *pin) must_use;
// Gives this key the PIN of another one, or what is known of it. -ENOENT: nothing is.
int credentials_same_pin(struct credentials *c, const char *of, const char *key_url) must_use;
// For how many keys credentials_set_pin() was called.
size_t credentials_count_pins(const struct credentials *c);
// Whether credentials_set_pin() was called for this key.
bool credentials_know_pin(const struct credentials *c, const char *key_url);

// All that the provider of this key is told, one "NAME=value" after the other, each with its NUL.
// *out is the caller's; NULL: nothing. A NULL c knows nothing.
int credentials_for(const struct credentials *c, const char *key_url, struct secret **out) must_use;
// How many bytes that are.
size_t credentials_len(const struct credentials *c, const char *key_url);

// They survive a fork (daemonising), but the lock on their memory does not: the child locks again
// what is for this key. False if it cannot.
bool credentials_lock(const struct credentials *c, const char *key_url);

// What providers said that their later processes must know; theirs, as long as c. A NULL c has
// none.
struct notes *credentials_notes(const struct credentials *c);

// Puts what is for PKCS#11 modules back into the environment: for a program that is executed in
// place of this one and loads such modules itself. Where it was not executed after all,
// credentials_take_back_modules() is due before credentials_free(). -ENOMEM.
int credentials_give_back_modules(const struct credentials *c) must_use;
void credentials_take_back_modules(const struct credentials *c);

#endif
