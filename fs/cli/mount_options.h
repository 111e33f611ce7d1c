// SPDX-License-Identifier: MIT
// The -o options of `cmkdisk mount`.
#ifndef CMK_MOUNT_OPTIONS_H
#define CMK_MOUNT_OPTIONS_H

#include "attr.h"
#include "errmsg.h"
#include "session.h"

// Adds a comma-separated list to *o. -EINVAL with a sentence.
int mount_options_parse(const char *list, struct mount_options *o, struct errmsg *err) must_use;

#endif
