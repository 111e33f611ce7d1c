// SPDX-License-Identifier: MIT
// The --audit and --hook options of `cmkdisk mount`.
#ifndef CMK_MOUNT_RECORDS_H
#define CMK_MOUNT_RECORDS_H

#include "attr.h"
#include "errmsg.h"
#include "hooks.h"
#include "session.h"

// Zero-filled at first. Not to be copied: config points into it.
struct mount_records {
	struct records_config config;
	char *audit_file; // owned
	char *hooks[HOOKS_PROGRAMS_MAX];
};

// Each adds one; paths become absolute, since the daemon goes to another directory. -EINVAL with a
// sentence.
int mount_records_audit(struct mount_records *r, const char *value, struct errmsg *err) must_use;
int mount_records_hook(struct mount_records *r, const char *program, struct errmsg *err) must_use;
// Once all options are known. -EINVAL with a sentence.
int mount_records_check(
	const struct mount_records *r, bool foreground, struct errmsg *err) must_use;
// Once the mount point is known, with its links resolved: the log is not to lie below it. -EINVAL
// with a sentence.
int mount_records_outside(
	const struct mount_records *r, const char *mountpoint, struct errmsg *err) must_use;
void mount_records_free(struct mount_records *r); // for scoped()

#endif
