// SPDX-License-Identifier: MIT
// What `cmkdisk keyset check` found, for people and for scripts.
#ifndef CMK_KEYSET_SHOW_H
#define CMK_KEYSET_SHOW_H

#include "attr.h"

struct keyset;
struct probe;

// On standard output: a table, and below each version what there is to say about it.
void keyset_show_text(const struct keyset *k, const struct probe *p);
// On standard output: the object of cmkdisk-keyset(1). 0 or -errno.
int keyset_show_json(const struct keyset *k, const struct probe *p) must_use;

#endif
