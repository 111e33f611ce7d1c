// SPDX-License-Identifier: MIT
// What all stages have in common.
#include "stage.h"

#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const done[ACTS] = {
	[ACT_NONE] = "nothing was done",
	[ACT_DISABLE] = "the key was disabled",
	[ACT_ENABLE] = "the key was enabled",
	[ACT_DELETE] = "the key was deleted",
	[ACT_RECOVER] = "the key was recovered",
	[ACT_PURGE] = "the key was deleted and purged",
	[ACT_RESTORE] = "the key was restored from its backup",
	[ACT_EXPIRE] = "the key's expiry date was set to now",
	[ACT_UNEXPIRE] = "the key's expiry date was put off",
	[ACT_NOT_YET] = "the key's first day was put off",
	[ACT_VALID] = "the key's first day was set back to the past",
	[ACT_REVOKE] = "the identity's permissions were taken away",
	[ACT_GRANT] = "the identity's permissions were given back",
	[ACT_REMOVE_IDENTITY] = "the identity was removed",
	[ACT_RESTORE_IDENTITY] = "the identity was restored, with its permissions",
	[ACT_ROTATE] = "the key was rotated",
	[ACT_ROTATE_UNGRANTED] = "the key was rotated, and the identity may not wrap and unwrap "
				 "with the new version",
	[ACT_GRANT_NEW] = "the identity was permitted to use the new version",
	[ACT_DISABLE_OLD] = "all versions but the newest were disabled",
	[ACT_ENABLE_OLD] = "the old versions were enabled",
	[ACT_OUTAGE] = "the key store was cut off",
	[ACT_OUTAGE_OVER] = "the key store could be reached again",
	[ACT_THROTTLE] = "the key store began to throttle every unwrap (429)",
	[ACT_THROTTLE_OVER] = "the key store throttled no more",
	[ACT_SLOW] = "the key store became slow",
	[ACT_SLOW_OVER] = "the key store answered at once again",
	[ACT_REMOVE_FILE] = "the key's file was taken away",
	[ACT_RESTORE_FILE] = "the key's file was put back",
	[ACT_DESTROY_OBJECT] = "the key was destroyed in the token",
	[ACT_RESTORE_OBJECT] = "the key was imported into the token again",
	[ACT_PULL_TOKEN] = "the token was pulled",
	[ACT_PUSH_TOKEN] = "the token was put back",
};

const char *act_text(enum act a)
{
	return done[a];
}

int stage_directory(
	const struct stage *s, const char *name, char *out, size_t room, struct errmsg *err)
{
	int n = snprintf(out, room, "%s/%s", s->dir, name);
	if (n < 0 || (size_t)n >= room)
		return errmsg_set(err, ENAMETOOLONG,
			"%s: too long a path for a rehearsal; choose a shorter one with --dir",
			s->dir);
	return mkdir(out, 0700) ? errmsg_set(err, errno, "%s: cannot be made: %m", out) : 0;
}

int stage_write(const char *path, const char *text, struct errmsg *err)
{
	int fd autoclose = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -errno : write_full(fd, text, strlen(text));
	return rc ? errmsg_set(err, -rc, "%s: cannot be written: %s", path, strerror(-rc)) : 0;
}
