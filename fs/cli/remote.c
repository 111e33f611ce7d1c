// SPDX-License-Identifier: MIT
// Asking the daemon behind a mount point.
#include "remote.h"
#include "ctl.h"
#include "json.h"
#include "mountpoint.h"
#include "path.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int remote_request(const char *op, const char *disk, struct json **out)
{
	struct json *request scoped(json_free) = NULL;
	int rc = json_object(&request);
	if (!rc)
		rc = json_add_str(request, "op", op);
	if (!rc && disk)
		rc = json_add_str(request, "disk", disk);
	if (!rc)
		*out = TAKE(request);
	return rc;
}

int remote_call(const char *mountpoint, const char *op, const char *disk, unsigned timeout_ms,
	struct json **reply, struct errmsg *err)
{
	struct json *request scoped(json_free) = NULL;
	int rc = remote_request(op, disk, &request);
	if (rc)
		return errmsg_set(err, -rc, "%s", strerror(-rc));
	return remote_send(mountpoint, request, timeout_ms, reply, err);
}

int remote_send(const char *mountpoint, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err)
{
	char resolved[PATH_MAX];
	int rc = mountpoint_resolve(mountpoint, resolved, err);
	if (rc)
		return rc;
	rc = ctl_call(resolved, request, timeout_ms, reply, err);
	uid_t owner = 0;
	if (rc != -ENOENT || !mountpoint_seen_by(0, resolved, &owner))
		return rc;
	if (owner != geteuid())
		return errmsg_set(err, EPERM,
			"%s: the mount belongs to user %u; ask as that user, nobody else's "
			"questions reach its daemon",
			resolved, owner);
	switch (mountpoint_answers(resolved)) {
	case -ENOTCONN:
		return path_failed(resolved, ENOTCONN, err);
	case -ETIMEDOUT:
		return errmsg_set(err, ETIMEDOUT,
			"%s: its daemon does not answer; try again, or take the mount away with "
			"cmkdisk umount --lazy %s",
			resolved, resolved);
	default:
		return rc;
	}
}
