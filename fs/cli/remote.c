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

int remote_call(const char *mountpoint, const char *op, const char *disk, unsigned timeout_ms,
	struct json **reply, struct errmsg *err)
{
	char resolved[PATH_MAX];
	int rc = mountpoint_resolve(mountpoint, resolved, err);
	if (rc)
		return rc;
	struct json *request scoped(json_free) = NULL;
	rc = json_object(&request);
	if (!rc)
		rc = json_add_str(request, "op", op);
	if (!rc && disk)
		rc = json_add_str(request, "disk", disk);
	if (rc)
		return errmsg_set(err, -rc, "%s", strerror(-rc));
	rc = ctl_call(resolved, request, timeout_ms, reply, err);
	if (rc == -ENOENT && mountpoint_is_ours(resolved) && mountpoint_is_dead(resolved))
		return path_failed(resolved, ENOTCONN, err);
	return rc;
}
