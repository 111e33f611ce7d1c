// SPDX-License-Identifier: MIT
// Sentences for paths.
#include "path.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *path_disk_name(const char *label, const char *backing)
{
	if (label && *label)
		return label;
	const char *slash = strrchr(backing, '/');
	return slash ? slash + 1 : backing;
}

int path_failed(const char *path, int errnum, struct errmsg *err)
{
	switch (errnum) {
	case ENOENT:
		return errmsg_set(err, errnum, "%s: does not exist; check the path", path);
	case ENOTDIR:
		return errmsg_set(err, errnum,
			"%s: what stands before a slash in it is not a directory; check the path",
			path);
	case ELOOP:
		return errmsg_set(err, errnum,
			"%s: its symbolic links lead in a circle; name the thing itself", path);
	case ENAMETOOLONG:
		return errmsg_set(err, errnum, "%.200s...: longer than a path can be", path);
	case EACCES:
		return errmsg_set(err, errnum,
			"%s: this user may not reach it; check the permissions of the directories "
			"that lead to it",
			path);
	case ENOTCONN:
		return errmsg_set(err, errnum,
			"%s: the mount of a daemon that is gone; clear it with cmkdisk umount %s",
			path, path);
	default:
		return errmsg_set(
			err, errnum, "%s: cannot be looked at: %s", path, strerror(errnum));
	}
}

int path_absolute(const char *path, char **out, struct errmsg *err)
{
	char *here autofree = NULL;
	*out = NULL;
	if (*path == '/') {
		*out = strdup(path);
	} else {
		here = getcwd(NULL, 0);
		if (!here)
			return errmsg_set(err, errno,
				"%s: the directory that we are in has no path; name it from the "
				"root",
				path);
		if (asprintf(out, "%s/%s", strcmp(here, "/") ? here : "", path) < 0)
			*out = NULL;
	}
	return *out ? 0 : errmsg_set(err, ENOMEM, "out of memory");
}
