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
	if (!json_get(request, "disk"))
		return 0;
	const char *name = json_str(request, "disk");
	if (!name) // what was meant for one disk must not befall them all
		return errmsg_set(err, EINVAL, "\"disk\": expected a string, the name of a disk");
	for (size_t i = 0; i < s->disk_count; i++)
		if (!strcmp(s->disks[i].name, name)) {
			*index = (ssize_t)i;
			return 0;
		}
	return errmsg_set(err, ENOENT, "no disk named \"%s\"; cmkdisk status %s lists them", name,
		s->mountpoint);
}

static int do_check(struct session *s, const int *disks, size_t count, struct errmsg *err)
{
	return monitor_check(s->monitor, disks, count, err);
}

static int do_unlock(struct session *s, const int *disks, size_t count, struct errmsg *err)
{
	return monitor_unlock(s->monitor, disks, count, err);
}

// disks are the monitor's indices, which are the session's: each disk was added in its turn.
static int do_lock(struct session *s, const int *disks, size_t count, struct errmsg *err)
{
	(void)err;
	for (size_t i = 0; i < count; i++)
		lease_lock(s->disks[disks[i]].lease,
			"locked by `cmkdisk lock`; `cmkdisk unlock` opens it again");
	return 0;
}

static const struct {
	const char *op;
	int (*run)(struct session *s, const int *disks, size_t count, struct errmsg *err);
	bool changes;
	// Instead of run: answers for each disk.
	int (*move)(struct session *s, const struct ctl_peer *peer, const struct json *request,
		const int *disks, size_t count, struct json **reply, struct errmsg *err);
} ops[] = {
	{"check", do_check, false, NULL},
	{"lock", do_lock, true, NULL},
	{"unlock", do_unlock, true, NULL},
	{"rotate", NULL, true, session_ctl_rotate},
	{"rekey", NULL, true, session_ctl_rekey},
};

// All together, so that those on one key cost one question. Every disk is tried; the first failure
// is the one that is told.
static int for_disks(struct session *s, ssize_t one, size_t op, const struct ctl_peer *peer,
	const struct json *request, struct json **reply, struct errmsg *err)
{
	int *list autofree = calloc(s->disk_count, sizeof(*list));
	if (!list)
		return errmsg_set(err, ENOMEM, "out of memory");
	size_t count = 0;
	for (size_t i = 0; i < s->disk_count; i++)
		if (one < 0 || (size_t)one == i)
			list[count++] = (int)i;
	if (ops[op].move)
		return ops[op].move(s, peer, request, list, count, reply, err);
	int rc = ops[op].run(s, list, count, err);
	return rc ? rc : status_json(s, reply);
}

// Nobody has the mount any more: the keys go at once, and the daemon ends.
static int stop(struct session *s, const struct ctl_peer *peer)
{
	log_notice(s->log, "stop %s: asked by uid %u, pid %d", s->mountpoint, (unsigned)peer->uid,
		(int)peer->pid);
	session_event_control(s,
		&(struct session_command){
			.op = "stop", .peer = peer, .begun_ns = clock_boot_ns(clock_real())},
		0, NULL);
	atomic_store(&s->leaving, true);
	for (size_t i = 0; i < s->disk_count; i++)
		lease_lock(s->disks[i].lease, "The disk is being unmounted");
	front_stop(s->front);
	return 0;
}

// Carries out one that concerns disks, and records it, whatever became of it.
static int run(struct session *s, size_t op, const struct ctl_peer *peer,
	const struct json *request, struct json **reply, struct errmsg *err)
{
	struct session_command c = {.op = ops[op].op,
		.key_url = ops[op].move ? json_str(request, "keyUrl") : NULL,
		.peer = peer,
		.begun_ns = clock_boot_ns(clock_real())};
	ssize_t one = -1;
	int rc = find_disk(s, request, &one, err);
	if (!rc) {
		c.disk = one < 0 ? NULL : s->disks[one].name;
		if (ops[op].changes)
			log_notice(s->log, "%s %s: asked by uid %u, pid %d", c.op,
				c.disk ? c.disk : "all disks", (unsigned)peer->uid, (int)peer->pid);
		rc = for_disks(s, one, op, peer, request, reply, err);
	}
	session_event_control(s, &c, rc, err);
	return rc;
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
	if (!strcmp(op, "stop"))
		return stop(s, peer);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(op, ops[i].op))
			return run(s, i, peer, request, reply, err);
	return errmsg_set(err, EINVAL,
		"no operation \"%s\"; expected status, check, lock, unlock, "
		"rotate, rekey or stop",
		op);
}
