// SPDX-License-Identifier: MIT
// The FUSE server: a root directory with one file per disk. The only includer of fuse_lowlevel.h.
#ifndef CMK_FRONT_H
#define CMK_FRONT_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct disk;
struct front;
struct logger;

struct front_disk {
	const char *name; // file name; no '/', not "." or ".."; unique
	struct disk *disk;
};

struct front_config {
	const char *mountpoint;		// absolute
	const char *fsname;		// shown as the device in /proc/mounts; "cmkdisk" if NULL
	const struct front_disk *disks; // copied; the disks are borrowed
	size_t disk_count;
	bool kernel_cache; // -o cache=kernel; else direct_io
	bool allow_other;
	bool read_only;
	uid_t uid;
	gid_t gid;
	mode_t mode; // permission bits of the files, e.g. 0600
	struct logger *log;
	// The kernel has said hello: requests will be answered. Called once, in a thread of the
	// front's that serves requests: must not touch the mount. May be NULL.
	void (*ready)(void *ctx);
	void *ctx;
};

// Mounts. libfuse's messages go to c->log from now on until front_free(): libfuse has one such
// switch for the whole process. Sentences: -ENOENT, -ENOTDIR, -EBUSY, -EACCES, -ENODEV (no
// /dev/fuse), ...
int front_new(const struct front_config *c, struct front **out, struct errmsg *err) must_use;
// Serves until unmounted or front_stop(), then finishes the requests begun and unmounts, also while
// files are open (they get ENOTCONN from then on). Once per front. 0 or -errno. -ETIMEDOUT: a
// backing store hangs, and requests in it were given up; the mount is gone, but threads are still
// inside the disks, so that nothing of them may be freed and the process must end now.
int front_run(struct front *f) must_use;
// Asks front_run to return; returns at once. Any thread, before front_run too; not from a signal
// handler.
void front_stop(struct front *f);
// Makes the kernel forget cached plaintext of disk i. Call it after the stop, once disk_check()
// fails, in both cache modes: without kernel_cache there are still private mappings. Waits for
// reads that are being handed over. Never from a request's thread and with no lock held: the kernel
// may wait for our replies. Not after front_free().
void front_forget(struct front *f, size_t i);
// Unmounts if still mounted. Frees nothing after -ETIMEDOUT.
void front_free(struct front **f);

#endif
