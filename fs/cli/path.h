// SPDX-License-Identifier: MIT
// Why a path that was named on the command line cannot be used, as a sentence.
#ifndef CMK_PATH_H
#define CMK_PATH_H

#include "attr.h"
#include "errmsg.h"

// After a failed stat(2), realpath(3) or open(2): -errnum with its sentence. ENOTCONN, which is how
// the mount of a dead daemon answers, becomes -EBUSY and says how to clear it.
int path_failed(const char *path, int errnum, struct errmsg *err);

#endif
