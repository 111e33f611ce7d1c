// SPDX-License-Identifier: MIT
// The disk of a rehearsal. It is destroyed with its directory.
#include "rig.h"

#include "command.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "disk.img"
#define OPEN_FILES 16

static int place(const char *dir, const char *name, char out[PATH_MAX], struct errmsg *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
	return n < 0 || n >= PATH_MAX ? errmsg_set(err, ENAMETOOLONG, "%s: too long a path", dir)
				      : 0;
}

// What the stage needs, and where the user's runtime directory is: mount and status must agree.
static int choose_environment(struct rig *r, const struct stage *s)
{
	size_t n = 0;
	const char *run = getenv("XDG_RUNTIME_DIR");
	while (s->environment && s->environment[n])
		n++;
	r->environment = calloc(n + 2, sizeof(*r->environment));
	if (!r->environment)
		return -ENOMEM;
	// No copies: there may be credentials among them.
	for (size_t i = 0; i < n; i++)
		r->environment[i] = s->environment[i];
	if (run && asprintf(&r->runtime, "XDG_RUNTIME_DIR=%s", run) < 0) {
		r->runtime = NULL;
		return -ENOMEM;
	}
	r->environment[n] = r->runtime;
	return 0;
}

static void forget_environment(struct rig *r)
{
	free(r->runtime);
	free(r->environment);
	r->runtime = NULL;
	r->environment = NULL;
}

static int create(struct rig *r, uint64_t bytes, struct errmsg *err)
{
	char size[32], denied[32], unreachable[32];
	const struct policy_played *p = &r->stage->policy;
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	format_duration_ms(p->grace_denied_ms, denied, sizeof(denied));
	format_duration_ms(p->grace_unreachable_ms, unreachable, sizeof(unreachable));
	const char *argv[] = {r->stage->programs->cmkdisk, "create", "--size", size, "--set",
		r->stage->set, "--data-offset", "1M", "--grace-denied", denied,
		"--grace-unreachable", unreachable, "--label", "rehearsal", r->backing, NULL};
	return command_run((char *const *)argv, r->environment, COMMAND_TIMEOUT_MS, NULL, err);
}

static int mount_it(struct rig *r, struct errmsg *err)
{
	char options[64] = "interval=";
	size_t len = strlen(options);
	format_duration_ms(r->stage->policy.interval_ms, options + len, sizeof(options) - len);
	const char *argv[] = {r->stage->programs->cmkdisk, "mount", "--set", r->stage->set,
		"--audit", r->audit, "-o", options, r->backing, r->mountpoint, NULL};
	int rc = command_run((char *const *)argv, r->environment, COMMAND_TIMEOUT_MS, NULL, err);
	r->mounted = rc == 0;
	return rc;
}

int rig_up(
	struct rig *r, const struct stage *s, const char *dir, uint64_t bytes, struct errmsg *err)
{
	*r = (struct rig){.stage = s};
	int rc = choose_environment(r, s);
	if (rc)
		return errmsg_set(err, ENOMEM, "no memory");
	rc = place(dir, NAME, r->backing, err);
	if (!rc)
		rc = place(dir, "mnt", r->mountpoint, err);
	if (!rc)
		rc = place(dir, "audit.jsonl", r->audit, err);
	if (!rc)
		rc = place(r->mountpoint, NAME, r->file, err);
	if (!rc && mkdir(r->mountpoint, 0700))
		rc = errmsg_set(err, errno, "%s: %m", r->mountpoint);
	if (!rc)
		rc = create(r, bytes, err);
	return rc ? rc : mount_it(r, err);
}

int rig_down(struct rig *r, struct errmsg *err)
{
	const char *argv[] = {
		r->stage ? r->stage->programs->cmkdisk : "", "umount", r->mountpoint, NULL, NULL};
	int rc = 0;
	if (r->mounted)
		rc = command_run(
			(char *const *)argv, r->environment, COMMAND_TIMEOUT_MS, NULL, err);
	if (rc) {
		argv[2] = "--lazy";
		argv[3] = r->mountpoint;
		rc = command_run(
			(char *const *)argv, r->environment, COMMAND_TIMEOUT_MS, NULL, err);
	}
	r->mounted = false;
	forget_environment(r);
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) ? errno : 0;
}

int rig_remove(const char *dir, struct errmsg *err)
{
	int rc = nftw(dir, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (rc == 0)
		return 0;
	return errmsg_set(err, rc > 0 ? rc : errno, "%s: not all of it could be removed: %s", dir,
		strerror(rc > 0 ? rc : errno));
}
