// SPDX-License-Identifier: MIT
// Asking the daemon behind a mount point.
#ifndef CMK_REMOTE_H
#define CMK_REMOTE_H

#include "attr.h"
#include "errmsg.h"

struct json;

// Longer than any key store's deadline.
#define REMOTE_TIMEOUT_MS 60000
// For what the daemon does at once, without asking anybody.
#define REMOTE_AT_ONCE_MS 5000

// {"op":op,"disk":disk}, the caller's; without "disk" if that is NULL.
int remote_request(const char *op, const char *disk, struct json **out) must_use;
// Sends {"op":op,"disk":disk} (disk NULL: all) and waits. *reply is the caller's.
int remote_call(const char *mountpoint, const char *op, const char *disk, unsigned timeout_ms,
	struct json **reply, struct errmsg *err) must_use;

// Sends a request of the caller's own making.
int remote_send(const char *mountpoint, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err) must_use;

#endif
