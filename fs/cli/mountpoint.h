// SPDX-License-Identifier: MIT
// What a mount point is before, during and after a mount, also when its daemon is dead.
#ifndef CMK_MOUNTPOINT_H
#define CMK_MOUNTPOINT_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <sys/types.h>

// The absolute path without links, as far as it can be told without asking a filesystem that may be
// dead: the last component is not looked at. out: PATH_MAX bytes. -ENOENT, ... with a sentence.
int mountpoint_resolve(const char *path, char *out, struct errmsg *err) must_use;
// The same, and it must be a directory on which nothing of ours is mounted, alive or dead.
int mountpoint_prepare(const char *path, char *out, struct errmsg *err) must_use;
// Whether the topmost mount there is of type fuse.cmkdisk, from /proc/self/mountinfo.
bool mountpoint_is_ours(const char *resolved);
// The same as process pid sees it, which may be in another mount namespace (0: this process); and
// whose mount it is, if owner is not NULL.
bool mountpoint_seen_by(pid_t pid, const char *resolved, uid_t *owner);
// Whether the mount of ours there has a daemon: 0; -ENOTCONN, it is gone; -ETIMEDOUT, no answer for
// two seconds. Where a control socket is, only that is asked: a frozen daemon may still listen.
int mountpoint_answers(const char *resolved) must_use;
// What an operand that may name a mount point or a backing file names: a directory, or a mount of
// ours, also a dead one, is a mount point. -ENOENT, ... with a sentence.
int mountpoint_or_backing(const char *path, bool *is_mount, struct errmsg *err) must_use;
// Calls fn for every mount of type fuse.cmkdisk that the present user made, alive or dead.
void mountpoint_each_mine(void (*fn)(void *ctx, const char *at), void *ctx);

#endif
