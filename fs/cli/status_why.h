// SPDX-License-Identifier: MIT
// Why a disk is as it is, short enough for a column of `status --watch`.
#ifndef CMK_STATUS_WHY_H
#define CMK_STATUS_WHY_H

#include <stddef.h>

// A sentence about a disk's key begins with the key: its URL, with whichever version or none, or
// the path in its file: URL, and ": ". Where the sentence goes on after that; 0 if it begins with
// anything else.
size_t status_why_at(const char *sentence, const char *key_url);

// A key store's reason (its name in JSON) in words: "not permitted"; "" for none.
const char *status_why_words(const char *reason);

#endif
