// SPDX-License-Identifier: MIT
// Paths that were named on the command line.
#ifndef CMK_PATH_H
#define CMK_PATH_H

#include "attr.h"
#include "errmsg.h"

// After a failed stat(2), realpath(3) or open(2): -errnum with its sentence. ENOTCONN, which is how
// the mount of a dead daemon answers, becomes -EBUSY and says how to clear it.
int path_failed(const char *path, int errnum, struct errmsg *err);

// What a disk is called in a key store's own log: its label, or else its file's name.
const char *path_disk_name(const char *label, const char *backing);

// From the root, whatever directory we go to later; links stay as they are. The caller frees *out.
// -errno with a sentence.
int path_absolute(const char *path, char **out, struct errmsg *err) must_use;

#endif
