// SPDX-License-Identifier: MIT
// Who moves a disk: this command, or the daemon that has it in use.
#include "moving.h"
#include "cli.h"
#include "command_records.h"
#include "ctl.h"
#include "json.h"
#include "keyset.h"
#include "mountpoint.h"
#include "path.h"
#include "print.h"
#include "remote.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOVING_TIMEOUT_MS 600000

void moving_tell(
	const char *disk, const char *key_url, const char *from, const char *to, size_t removed)
{
	if (strcmp(from, to))
		print_line("%s: key version %s -> %s of %s", disk, from, to, key_url);
	else
		print_line("%s: key version %s of %s already%s", disk, to, key_url,
			removed ? "; removed what an earlier change had left" : "");
}

void moving_tell_other(const char *disk, const char *key_url, const char *version)
{
	print_line("%s: also opened by %s version %s still; rekey --only takes that away", disk,
		key_url, version);
}

static void tell_others(const char *disk, const struct json *others)
{
	for (size_t i = 0; i < json_array_len(others); i++) {
		const struct json *o = json_array_at(others, i);
		const char *url = json_str(o, "keyUrl"), *version = json_str(o, "version");
		if (url && version)
			moving_tell_other(disk, url, version);
	}
}

static int fill_request(const struct moving *m, struct json *o)
{
	const struct keyset *k = m->target;
	if (!k)
		return 0;
	int rc = json_add_str(o, "keyUrl", k->key_url);
	if (!rc)
		rc = json_add_str(o, "config", k->config);
	if (!rc)
		rc = json_add_bool(o, "rotates", k->rotation != KEYSET_ROTATION_OFF);
	if (!rc)
		rc = json_add_bool(o, "only", m->only);
	if (!rc)
		rc = json_add_bool(o, "allowPurgeable", m->allow_purgeable);
	return rc;
}

// The first failure is returned, to be told by main(); the others are told here.
static int tell_results(const struct json *reply, struct errmsg *err)
{
	const struct json *list = json_get(reply, "results");
	int first = 0;
	for (size_t i = 0; i < json_array_len(list); i++) {
		const struct json *r = json_array_at(list, i);
		const char *disk = json_str(r, "disk"), *error = json_str(r, "error");
		const char *url = json_str(r, "keyUrl"), *from = json_str(r, "from"),
			   *to = json_str(r, "to");
		int64_t errnum = 0, removed = 0;
		if (!disk || !url || !from || !to)
			return errmsg_set(err, EBADMSG, "the daemon's answer is not understood");
		(void)json_int(r, "removed", &removed);
		if (!json_int(r, "errno", &errnum) || !error || errnum <= 0) {
			moving_tell(disk, url, from, to, (size_t)removed);
			tell_others(disk, json_get(r, "others"));
		} else if (first)
			fprintf(stderr, "cmkdisk: %s: %s\n", disk, error);
		else
			first = errmsg_set(err, (int)errnum, "%s: %s", disk, error);
	}
	return first;
}

static int by_daemon(
	const struct moving *m, const char *mountpoint, const char *disk, struct errmsg *err)
{
	struct json *request scoped(json_free) = NULL, *reply scoped(json_free) = NULL;
	if (m->target && m->target->pin)
		return errmsg_set(err, EINVAL,
			"%s: the daemon at %s cannot be given this key's PIN; put it in a file "
			"and say pin-source=file:/PATH",
			m->target->key_url, mountpoint);
	int rc = remote_request(m->target ? "rekey" : "rotate", disk, &request);
	if (!rc)
		rc = fill_request(m, request);
	if (rc)
		return errmsg_set(err, -rc, "%s", strerror(-rc));
	rc = remote_send(mountpoint, request, MOVING_TIMEOUT_MS, &reply, err);
	return rc ? rc : tell_results(reply, err);
}

struct search {
	char backing[PATH_MAX];
	char mountpoint[PATH_MAX], disk[NAME_MAX + 1];
};

// 1 once the daemon is found that has it.
static int search_socket(void *ctx, const char *socket)
{
	struct search *s = ctx;
	struct json *request scoped(json_free) = NULL, *reply scoped(json_free) = NULL;
	if (remote_request("status", NULL, &request) ||
		ctl_call_socket(socket, request, REMOTE_AT_ONCE_MS, &reply, NULL))
		return 0;
	const struct json *disks = json_get(reply, "disks");
	const char *mountpoint = json_str(reply, "mountpoint");
	for (size_t i = 0; mountpoint && i < json_array_len(disks); i++) {
		const struct json *d = json_array_at(disks, i);
		const char *backing = json_str(d, "backing"), *name = json_str(d, "name");
		if (!backing || !name || strcmp(backing, s->backing))
			continue;
		(void)snprintf(s->mountpoint, sizeof(s->mountpoint), "%s", mountpoint);
		(void)snprintf(s->disk, sizeof(s->disk), "%s", name);
		return 1;
	}
	return 0;
}

static int here_or_there(
	const struct cli *cli, const struct moving *m, const char *backing, struct errmsg *err)
{
	struct search *s autofree = calloc(1, sizeof(*s));
	if (!s)
		return errmsg_set(err, ENOMEM, "out of memory");
	int rc = moving_offline(cli, m, backing, err);
	if (rc != -EBUSY || !realpath(backing, s->backing) || ctl_each(search_socket, s) != 1)
		return rc;
	if (m->present)
		return errmsg_set(err, EINVAL,
			"%s: mounted at %s, whose daemon has the settings that it was mounted "
			"with; leave out those for the key that the disk has now",
			backing, s->mountpoint);
	if (command_records_wanted(m->audit))
		return errmsg_set(err, EINVAL,
			"%s: mounted at %s, whose daemon keeps the log that it was mounted with; "
			"leave out --audit",
			backing, s->mountpoint);
	return by_daemon(m, s->mountpoint, s->disk, err);
}

static int of_backing(
	const struct cli *cli, const struct moving *m, const char *backing, struct errmsg *err)
{
	int rc = command_records_begin(cli->records,
		&(struct command_records){.request = m->target ? "rekey" : "rotate",
			.backing = backing,
			.key_url = m->target ? m->target->key_url : NULL},
		m->audit, err);
	if (rc)
		return rc;
	rc = here_or_there(cli, m, backing, err);
	command_records_end(cli->records, rc, err);
	return rc;
}

int moving_run(const struct cli *cli, const struct moving *m, const struct cli_operands *operands,
	struct errmsg *err)
{
	bool is_mount = false;
	const char *first = operands->at[0];
	int rc = mountpoint_or_backing(first, &is_mount, err);
	if (rc)
		return rc;
	if (is_mount && m->present)
		return errmsg_set(err, EINVAL,
			"%s: settings for the key that a disk has now are for a backing file; a "
			"daemon has those that it was mounted with",
			first);
	if (is_mount && command_records_wanted(m->audit))
		return errmsg_set(err, EINVAL,
			"%s: --audit is for a backing file; a daemon keeps the log that it was "
			"mounted with",
			first);
	if (is_mount)
		return by_daemon(m, first, operands->count > 1 ? operands->at[1] : NULL, err);
	if (operands->count > 1)
		return errmsg_set(err, EINVAL,
			"%s: a backing file; a second operand, a disk, goes with a mount point",
			first);
	return of_backing(cli, m, first, err);
}
