// SPDX-License-Identifier: MIT
// The one type for secret bytes: own pages between guard pages, locked into memory, kept out of
// core dumps and of forked children, wiped when freed. It cannot be grown, copied by assignment
// or printed.
#ifndef CMK_SECRET_H
#define CMK_SECRET_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
	uint8_t *data;
	size_t len;
	bool locked; // mlock() succeeded
};

// Zero-filled, len in bytes, 1..524288. -ENOMEM when memory is short; when it merely cannot be
// locked the object is made all the same and `locked` is false, which the caller must report.
int secret_new(size_t len, struct secret **out) must_use;
// Takes len bytes from data, which the caller still owns and should wipe.
int secret_dup(const void *data, size_t len, struct secret **out) must_use;
// Filled by getrandom(2).
int secret_random(size_t len, struct secret **out) must_use;
// Wipes and frees; NULL allowed. For scoped().
void secret_free(struct secret **s);

// Constant time in the contents.
bool secret_equal(const struct secret *a, const struct secret *b);
// Wipe that the compiler may not drop.
void wipe(void *p, size_t len);

// Called once at program start by every program that will hold a secret: no core dumps, not
// ptraceable by the same user, RLIMIT_CORE 0. 0 or -errno.
int process_seal_memory(void) must_use;

#endif
