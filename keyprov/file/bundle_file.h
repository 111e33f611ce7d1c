// SPDX-License-Identifier: MIT
// Key bundles as files: who may have written them, reading them into secret memory, and replacing
// them so that a reader or a crash finds the old or the new one, never half of one.
#ifndef CMK_BUNDLE_FILE_H
#define CMK_BUNDLE_FILE_H

#include "bundle.h"

// Reads and checks the file. err begins with the path.
//   -ENOENT    the directory is there, the file is not
//   -ENOTDIR   the directory is not there (perhaps not mounted)
//   -EACCES    no permission to read it
//   -EPERM     not a plain private file: wrong owner, readable by others, a symbolic link,
//              in a directory that anybody may write to
//   -EBADMSG   not a bundle
//   -EIO, -ESTALE, …  as the system said
int bundle_load(const struct cmk_host *host, const char *path, struct bundle **out,
	struct kp_err *err) must_use;

// The right to change the bundle at path, for one process at a time. Held by an flock on the
// file .NAME.lock beside it, which is also where the new content is written: it becomes the
// bundle by rename. Left over after a kill, it is emptied and used by the next change.
struct bundle_lock;

// Waits up to five seconds for another holder, then -EBUSY. -EACCES, -ENOTDIR, -EROFS, … if the
// directory does not take a file; -EPERM if the lock file is not ours.
int bundle_lock(const char *path, struct bundle_lock **out, struct kp_err *err) must_use;
void bundle_unlock(struct bundle_lock **lock); // removes the lock file; NULL allowed

// Puts b in place, durably. With create, -EEXIST if there is a file already. Ends the lock's
// usefulness: only bundle_unlock() may follow.
int bundle_store(
	struct bundle_lock *lock, const struct bundle *b, bool create, struct kp_err *err) must_use;

#endif
