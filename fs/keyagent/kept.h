// SPDX-License-Identifier: MIT
// Secrets that a forked child has as well: the daemon needs what was learnt before it went to the
// background. Private to this folder.
#ifndef CMK_KEPT_H
#define CMK_KEPT_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>

struct secret;

// As secret_new(), but that it survives a fork.
int kept_new(size_t len, struct secret **out) must_use;
// The lock on the memory does not: the child locks it again. False if it cannot. NULL allowed.
bool kept_lock(const struct secret *s);

#endif
