// SPDX-License-Identifier: MIT
// The requests of the control socket. Protocol: cmkdisk-status(1).
#include "clock.h"
#include "json.h"
#include "log.h"
#include "scope.h"
#include "session_internal.h"
#include "status_json.h"

#include <errno.h>
#include <string.h>

static int find_disk(
	struct session *s, const struct json *request, ssize_t *index, struct errmsg *err)
{
	*index = -1;
	const char *name = json_str(request, "disk");
	if (!name)
		return 0;
	for (size_t i = 0; i < s->disk_count; i++)
		if (!strcmp(s->disks[i].name, name)) {
			*index = (ssize_t)i;
			return 0;
		}
	return errmsg_set(err, ENOENT, "no disk named \"%s\"; cmkdisk status %s lists them", name,
		s->mountpoint);
}

static int do_check(struct session *s, struct session_disk *d, struct errmsg *err)
{
	return monitor_check(s->monitor, d->monitored, err);
}

static int do_unlock(struct session *s, struct session_disk *d, struct errmsg *err)
{
	return monitor_unlock(s->monitor, d->monitored, err);
}

static int do_lock(struct session *s, struct session_disk *d, struct errmsg *err)
{
	(void)s;
	(void)err;
	lease_lock(d->lease, "locked by `cmkdisk lock`; `cmkdisk unlock` opens it again");
	return 0;
}

static const struct {
	const char *op;
	int (*run)(struct session *s, struct session_disk *d, struct errmsg *err);
	bool changes;
} ops[] = {
	{"check", do_check, false},
	{"lock", do_lock, true},
	{"unlock", do_unlock, true},
};

// Every disk is tried; the first failure is the one that is told.
static int for_disks(struct session *s, ssize_t one, size_t op, struct errmsg *err)
{
	int first = 0;
	for (size_t i = 0; i < s->disk_count; i++) {
		if (one >= 0 && (size_t)one != i)
			continue;
		struct errmsg this = {{0}};
		int rc = ops[op].run(s, &s->disks[i], &this);
		if (rc && !first) {
			*err = this;
			errmsg_prefix(err, "%s", s->disks[i].name);
			first = rc;
		}
	}
	return first;
}

int session_ctl(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err)
{
	struct session *s = ctx;
	const char *op = json_str(request, "op");
	if (!op)
		return errmsg_set(err, EINVAL, "the request has no \"op\"");
	if (!strcmp(op, "status"))
		return status_json(s, reply);
	ssize_t one = -1;
	int rc = find_disk(s, request, &one, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(op, ops[i].op))
			continue;
		if (ops[i].changes)
			log_notice(s->log, "%s %s: asked by uid %u, pid %d", op,
				one < 0 ? "all disks" : s->disks[one].name, (unsigned)peer->uid,
				(int)peer->pid);
		rc = for_disks(s, one, i, err);
		return rc ? rc : status_json(s, reply);
	}
	return errmsg_set(
		err, EINVAL, "no operation \"%s\"; expected status, check, lock or unlock", op);
}
