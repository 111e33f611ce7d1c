// SPDX-License-Identifier: MIT
// Where a mount's records go, and whom it calls.
#include "mount_records.h"
#include "path.h"
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mount_records_audit(struct mount_records *r, const char *value, struct errmsg *err)
{
	if (!strcmp(value, "journal")) {
		r->config.audit_journal = true;
		return 0;
	}
	if (!strcmp(value, "stderr")) {
		r->config.audit_stderr = true;
		return 0;
	}
	if (!*value || !strcmp(value, "-"))
		return errmsg_set(err, EINVAL,
			"--audit \"%s\": expected a file, \"journal\" or \"stderr\"", value);
	if (r->audit_file)
		return errmsg_set(err, EINVAL,
			"--audit %s: %s is the log's file already; only one can be", value,
			r->audit_file);
	int rc = path_absolute(value, &r->audit_file, err);
	r->config.audit_file = r->audit_file;
	return rc;
}

int mount_records_hook(struct mount_records *r, const char *program, struct errmsg *err)
{
	size_t *n = &r->config.hook_count;
	if (!*program)
		return errmsg_set(err, EINVAL, "--hook \"\": expected a program");
	if (*n == HOOKS_PROGRAMS_MAX)
		return errmsg_set(err, EINVAL, "--hook %s: at most %d programs can be run", program,
			HOOKS_PROGRAMS_MAX);
	int rc = path_absolute(program, &r->hooks[*n], err);
	if (rc)
		return rc;
	++*n;
	r->config.hooks = r->hooks;
	return 0;
}

int mount_records_check(const struct mount_records *r, bool foreground, struct errmsg *err)
{
	if (r->config.audit_stderr && !foreground)
		return errmsg_set(err, EINVAL,
			"--audit stderr: a mount in the background has no terminal; add -f, or use "
			"--audit journal");
	return 0;
}

int mount_records_outside(const struct mount_records *r, const char *mountpoint, struct errmsg *err)
{
	const size_t n = strlen(mountpoint);
	const char *name = r->audit_file ? strrchr(r->audit_file, '/') : NULL;
	if (!name)
		return 0;
	char *folder autofree = strndup(r->audit_file, (size_t)(name - r->audit_file) + 1);
	if (!folder)
		return errmsg_set(err, ENOMEM, "out of memory");
	// Of a folder that is not there, whoever opens the log will tell.
	char *resolved autofree = realpath(folder, NULL);
	if (!resolved || strncmp(resolved, mountpoint, n) != 0 ||
		(resolved[n] && resolved[n] != '/'))
		return 0;
	return errmsg_set(err, EINVAL,
		"--audit %s: lies below the mount point, where its name means something else once "
		"the disks are mounted; name a file elsewhere",
		r->audit_file);
}

void mount_records_free(struct mount_records *r)
{
	free(r->audit_file);
	for (size_t i = 0; i < r->config.hook_count; i++)
		free(r->hooks[i]);
}
