// SPDX-License-Identifier: MIT
// See status_row.h.
#include "status_row.h"
#include "errmsg.h"
#include "json.h"
#include "print.h"
#include "scope.h"
#include "status_why.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GONE_SHOWN_S 60

// What there is to say about a disk that works.
static void say_active(struct status_row *r, const struct json *d)
{
	const struct json *key = json_get(d, "key"),
			  *failed = json_get(json_get(d, "rotation"), "error");
	const char *message = json_str(failed, "message");
	bool near = false;
	char ago[32];
	format_seconds(json_int_or(d, "secondsSinceGrant", 0), ago, sizeof(ago));
	if (message)
		(void)snprintf(r->sentence, sizeof(r->sentence), "rotation failed: %s",
			message + status_why_at(message, json_str_or(key, "url", "")));
	else if (json_bool(key, "nearExpiry", &near) && near)
		(void)snprintf(r->sentence, sizeof(r->sentence),
			json_int_or(key, "daysLeft", 0) < 0 ? "key version has expired"
							    : "key version expires in %" PRId64
							      " days",
			json_int_or(key, "daysLeft", 0));
	else
		(void)snprintf(r->sentence, sizeof(r->sentence),
			"proved %s ago, next check in %" PRId64 "s", ago,
			json_int_or(json_get(d, "checks"), "nextInSeconds", 0));
}

static void say_state(struct status_row *r, const struct json *d)
{
	const char *state = json_str_or(d, "state", "");
	const struct json *policy = json_get(d, "policy");
	bool denied = !strcmp(state, "grace-denied");
	if (!strcmp(state, "active")) {
		r->rank = ROW_ACTIVE;
		(void)snprintf(r->state, sizeof(r->state), "active");
		say_active(r, d);
		return;
	}
	r->rank = !strcmp(state, "stopped") ? ROW_STOPPED : ROW_GRACE;
	(void)snprintf(r->state, sizeof(r->state), "%s %s",
		r->rank == ROW_STOPPED ? "STOPPED" : "GRACE", json_str_or(d, "cause", ""));
	(void)snprintf(r->sentence, sizeof(r->sentence), "%s", json_str_or(d, "sentence", ""));
	r->left_s = json_int_or(d, "secondsLeft", 0);
	r->grace_s = json_int_or(policy, denied ? "graceDeniedMs" : "graceUnreachableMs", 0) / 1000;
}

static struct status_row *add(struct status_rows *rows, const char *mount)
{
	struct status_row *more = reallocarray(rows->at, rows->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	rows->at = more;
	struct status_row *r = &rows->at[rows->count];
	*r = (struct status_row){.mount = strdup(mount)};
	if (!r->mount)
		return NULL;
	text_sanitise(r->mount);
	rows->count++;
	return r;
}

static int add_disk(struct status_rows *rows, const char *mount, const struct json *d)
{
	struct status_row *r = add(rows, mount);
	if (!r)
		return -ENOMEM;
	(void)snprintf(r->name, sizeof(r->name), "%s", json_str_or(d, "name", ""));
	(void)snprintf(r->reason, sizeof(r->reason), "%s", json_str_or(d, "reason", ""));
	(void)snprintf(r->version, sizeof(r->version), "%.8s",
		json_str_or(json_get(d, "key"), "version", ""));
	r->warned_percent = json_int_or(d, "warned", 0);
	say_state(r, d);
	text_sanitise(r->name);
	text_sanitise(r->state);
	text_sanitise(r->reason);
	text_sanitise(r->version);
	text_sanitise(r->sentence);
	r->why_at = status_why_at(r->sentence, json_str_or(json_get(d, "key"), "url", ""));
	return 0;
}

static int add_gone(struct status_rows *rows, const char *mount, int64_t since_s)
{
	struct status_row *r = add(rows, mount);
	if (!r)
		return -ENOMEM;
	r->rank = ROW_GONE;
	r->gone_s = since_s;
	(void)snprintf(r->state, sizeof(r->state), "GONE");
	(void)snprintf(r->sentence, sizeof(r->sentence), "not mounted any more");
	return 0;
}

static int add_mount(struct status_rows *rows, const struct json *m, int64_t now_s)
{
	const struct json *disks = json_get(m, "disks");
	if (!json_str(m, "error")) {
		int rc = 0;
		for (size_t i = 0; !rc && i < json_array_len(disks); i++)
			rc = add_disk(
				rows, json_str_or(m, "mountpoint", ""), json_array_at(disks, i));
		return rc;
	}
	if (json_int_or(m, "errno", 0) == ENOENT)
		return add_gone(rows, json_str_or(m, "mountpoint", ""), now_s);
	struct status_row *r = add(rows, json_str_or(m, "mountpoint", ""));
	if (!r)
		return -ENOMEM;
	r->rank = ROW_NO_DAEMON;
	(void)snprintf(r->state, sizeof(r->state), "NO DAEMON");
	(void)snprintf(r->sentence, sizeof(r->sentence), "%s", json_str_or(m, "error", ""));
	text_sanitise(r->sentence);
	return 0;
}

static bool has_mount(const struct status_rows *rows, const char *mount)
{
	for (size_t i = 0; i < rows->count; i++)
		if (!strcmp(rows->at[i].mount, mount))
			return true;
	return false;
}

static int add_vanished(struct status_rows *rows, const struct status_rows *before, int64_t now_s)
{
	int rc = 0;
	for (size_t i = 0; before && !rc && i < before->count; i++) {
		const struct status_row *b = &before->at[i];
		int64_t since = b->rank == ROW_GONE ? b->gone_s : now_s;
		if (now_s - since < GONE_SHOWN_S && b->mount[0] && !has_mount(rows, b->mount))
			rc = add_gone(rows, b->mount, since);
	}
	return rc;
}

int status_rows_of(const struct json *mounts, const struct status_rows *before, int64_t now_s,
	struct status_rows *out)
{
	int rc = 0;
	*out = (struct status_rows){NULL, 0};
	for (size_t i = 0; !rc && i < json_array_len(mounts); i++)
		rc = add_mount(out, json_array_at(mounts, i), now_s);
	if (!rc)
		rc = add_vanished(out, before, now_s);
	if (rc)
		status_rows_free(out);
	return rc;
}

void status_rows_free(struct status_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->at[i].mount);
	free(rows->at);
	*rows = (struct status_rows){NULL, 0};
}

// Rows are large: their places are sorted, and each is moved once.
static int by_urgency(const void *one, const void *other)
{
	const struct status_row *a = *(struct status_row *const *)one,
				*b = *(struct status_row *const *)other;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->rank == ROW_GRACE && a->left_s != b->left_s)
		return a->left_s < b->left_s ? -1 : 1;
	return a < b ? -1 : a > b; // as they were
}

void status_rows_sort(struct status_rows *rows)
{
	if (rows->count < 2)
		return;
	struct status_row **order autofree = calloc(rows->count, sizeof(struct status_row *));
	struct status_row *sorted = calloc(rows->count, sizeof(*sorted));
	if (!order || !sorted) {
		free(sorted);
		return;
	}
	for (size_t i = 0; i < rows->count; i++)
		order[i] = &rows->at[i];
	qsort(order, rows->count, sizeof(*order), by_urgency);
	for (size_t i = 0; i < rows->count; i++)
		sorted[i] = *order[i];
	free(rows->at);
	rows->at = sorted;
}

const struct status_row *status_rows_find(
	const struct status_rows *rows, const struct status_row *like)
{
	for (size_t i = 0; i < rows->count; i++)
		if (!strcmp(rows->at[i].name, like->name) &&
			!strcmp(rows->at[i].mount, like->mount))
			return &rows->at[i];
	return NULL;
}

bool status_row_differs(const struct status_row *a, const struct status_row *b)
{
	return a->rank != b->rank || strcmp(a->state, b->state) != 0 ||
	       strcmp(a->reason, b->reason) != 0 || strcmp(a->version, b->version) != 0 ||
	       a->warned_percent != b->warned_percent;
}
