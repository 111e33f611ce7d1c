// SPDX-License-Identifier: MIT
// What `status` shows of a mount, as the daemon tells it.
#ifndef CMK_STATUS_JSON_H
#define CMK_STATUS_JSON_H

#include "attr.h"

struct json;
struct session;

// Members: cmkdisk-status(1). The caller frees *out. 0 or -ENOMEM.
int status_json(struct session *s, struct json **out) must_use;

#endif
