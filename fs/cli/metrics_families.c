// SPDX-License-Identifier: MIT
// See metrics_families.h.
#include "metrics_families.h"
#include "json.h"
#include "metrics_subjects.h"
#include "metrics_text.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

enum scope { PER_MOUNT, PER_DISK, PER_VERSION };
enum unit { COUNT, YES_NO, MILLISECONDS, LEFT_S };

// Where a value is: a member of an object in the mount's or the disk's object (NULL: of that one).
struct source {
	const char *in, *member;
	enum unit unit;
	const char *value; // of the family's label
};

#define SOURCES 6
struct row {
	struct metric_family family;
	enum scope scope;
	struct source from[SOURCES];
	const char *label;
	// Instead of `from`: what is no mere number.
	void (*own)(struct exposition *x, const struct row *r, const struct subject *s,
		const struct metric_labels *l);
};

static void own_up(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	bool ok = false;
	metric_int(x, &r->family, l, json_bool(s->mount, "ok", &ok) && ok);
}

static void own_mount_info(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	const char *version = json_str(s->mount, "version");
	struct metric_labels more = metric_label_add(l, "version", version);
	if (version)
		metric_int(x, &r->family, &more, 1);
}

static void own_disk_info(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	struct metric_labels more = metric_label_add(l, "backing", json_str(s->disk, "backing"));
	more = metric_label_add(&more, "uuid", json_str(s->disk, "uuid"));
	more = metric_label_add(&more, "key", s->key);
	more = metric_label_add(&more, "version", s->version);
	metric_int(x, &r->family, &more, 1);
}

static void own_state(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	static const char *const states[] = {
		"active", "grace-denied", "grace-unreachable", "stopped"};
	const char *now = json_str(s->disk, "state");
	for (size_t i = 0; now && i < sizeof(states) / sizeof(states[0]); i++) {
		struct metric_labels more = metric_label_add(l, "state", states[i]);
		metric_int(x, &r->family, &more, !strcmp(now, states[i]));
	}
}

// Whether the object has an error of its own: 1 if that is to be told as such, else 0.
static void put_error(struct exposition *x, const struct row *r, const struct json *o,
	const struct metric_labels *l, bool error_is)
{
	if (json_is_object(o))
		metric_int(x, &r->family, l, json_is_object(json_get(o, "error")) == error_is);
}

static void own_rotation_failed(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	put_error(x, r, json_get(s->disk, "rotation"), l, true);
}

static void own_audit_ok(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	put_error(x, r, json_get(s->mount, "audit"), l, false);
}

#define BOUNDS_MAX 32
static void own_latency(struct exposition *x, const struct row *r, const struct subject *s,
	const struct metric_labels *l)
{
	const struct json *latency = json_get(json_get(s->disk, "checks"), "latency"),
			  *le = json_get(latency, "leMs"), *counts = json_get(latency, "counts");
	size_t n = json_array_len(le);
	int64_t bound[BOUNDS_MAX], count[BOUNDS_MAX + 1], sum;
	if (n > BOUNDS_MAX || json_array_len(counts) != n + 1 || !json_int(latency, "sumMs", &sum))
		return;
	for (size_t i = 0; i <= n; i++)
		if (!json_as_int(json_array_at(counts, i), &count[i]) ||
			(i < n && !json_as_int(json_array_at(le, i), &bound[i])))
			return;
	metric_histogram(x, &r->family, l, bound, count, n, sum);
}

// A number, a yes or no, a time, and how long until a date.
#define AT(o, m, v)                                                   \
	{                                                             \
		.in = (o), .member = (m), .unit = COUNT, .value = (v) \
	}
#define YES(o, m, v)                                                   \
	{                                                              \
		.in = (o), .member = (m), .unit = YES_NO, .value = (v) \
	}
#define MS(o, m, v)                                                          \
	{                                                                    \
		.in = (o), .member = (m), .unit = MILLISECONDS, .value = (v) \
	}
#define LEFT(o, m, v)                                                  \
	{                                                              \
		.in = (o), .member = (m), .unit = LEFT_S, .value = (v) \
	}
#define ROW(kind, name, help, per, ...)                                   \
	{                                                                 \
		.family = {name, kind, help}, .scope = (per), __VA_ARGS__ \
	}

static const struct row rows[] = {
	ROW(METRIC_GAUGE, "cmkdisk_up", "Whether the mount's daemon answers.", PER_MOUNT,
		.own = own_up),
	ROW(METRIC_INFO, "cmkdisk_mount", "The daemon's program, by version.", PER_MOUNT,
		.own = own_mount_info),
	ROW(METRIC_GAUGE, "cmkdisk_memory_locked", "Whether memory for keys could be locked.",
		PER_MOUNT, .from = {YES(NULL, "memoryLocked", NULL)}),

	ROW(METRIC_INFO, "cmkdisk_disk", "What a disk is, and the key version that it depends on.",
		PER_DISK, .own = own_disk_info),
	ROW(METRIC_GAUGE, "cmkdisk_disk_size_bytes", "Size of the disk.", PER_DISK,
		.from = {AT(NULL, "size", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_disk_state",
		"1 for the state that the disk's lease is in, 0 for the others.", PER_DISK,
		.own = own_state),
	ROW(METRIC_GAUGE, "cmkdisk_disk_left_seconds",
		"Until the disk stops if nothing changes; absent when stopped.", PER_DISK,
		.from = {MS(NULL, "msLeft", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_disk_since_grant_seconds",
		"Since the key store last granted the key.", PER_DISK,
		.from = {AT(NULL, "secondsSinceGrant", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_disk_in_state_seconds", "Since the state last changed.",
		PER_DISK, .from = {AT(NULL, "secondsInState", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_disk_stops", "How many times the disk has stopped.", PER_DISK,
		.from = {AT(NULL, "stops", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_disk_key_present", "Whether the data key is in memory.",
		PER_DISK, .from = {YES(NULL, "keyPresent", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_disk_grace_seconds",
		"How long the lease outlives the last proof, by its cause.", PER_DISK,
		.from = {MS("policy", "graceDeniedMs", "denied"),
			MS("policy", "graceUnreachableMs", "unreachable")},
		.label = "cause"),
	ROW(METRIC_GAUGE, "cmkdisk_disk_check_interval_seconds",
		"How often the key store is asked.", PER_DISK,
		.from = {MS("checks", "intervalMs", NULL)}),

	ROW(METRIC_COUNTER, "cmkdisk_io_requests", "Requests put to the disk.", PER_DISK,
		.from = {AT("io", "reads", "read"), AT("io", "writes", "write"),
			AT("io", "flushes", "flush")},
		.label = "operation"),
	ROW(METRIC_COUNTER, "cmkdisk_io_bytes", "Plaintext bytes read and written.", PER_DISK,
		.from = {AT("io", "bytesRead", "read"), AT("io", "bytesWritten", "write")},
		.label = "operation"),
	ROW(METRIC_COUNTER, "cmkdisk_io_refused",
		"Requests that failed with EIO because the disk was stopped.", PER_DISK,
		.from = {AT("io", "refused", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_io_store_errors", "Requests that failed in the backing store.",
		PER_DISK, .from = {AT("io", "storeErrors", NULL)}),

	ROW(METRIC_GAUGE, "cmkdisk_rotation_enabled",
		"Whether the disk follows the newest version of its key.", PER_DISK,
		.from = {YES("rotation", "enabled", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_rotation_pending",
		"Whether the disk still needs another version than the newest.", PER_DISK,
		.from = {YES("rotation", "pending", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_rotation_failed",
		"Whether the last try to follow the newest version failed.", PER_DISK,
		.own = own_rotation_failed),
	ROW(METRIC_GAUGE, "cmkdisk_rotation_last_timestamp_seconds",
		"When the disk was bound to the version that it has.", PER_DISK,
		.from = {AT("rotation", "lastRotation", NULL)}),

	ROW(METRIC_COUNTER, "cmkdisk_checks",
		"Questions put to the key store about this version, by its verdict.", PER_VERSION,
		.from = {AT("checks", "granted", "granted"), AT("checks", "denied", "denied"),
			AT("checks", "unreachable", "unreachable"),
			AT("checks", "misconfigured", "misconfigured"),
			AT("checks", "badBlob", "bad_blob")},
		.label = "verdict"),
	ROW(METRIC_HISTOGRAM, "cmkdisk_check_duration_seconds", "How long these questions took.",
		PER_VERSION, .own = own_latency),
	ROW(METRIC_COUNTER, "cmkdisk_agent_restarts",
		"How many times the key agent had to be started again.", PER_VERSION,
		.from = {AT("checks", "agentRestarts", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_agent_timeouts",
		"How many questions the key agent did not answer in time.", PER_VERSION,
		.from = {AT("checks", "agentTimeouts", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_agent_crashes", "How many times the key agent died.",
		PER_VERSION, .from = {AT("checks", "agentCrashes", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_key_expiry_timestamp_seconds",
		"When the key version expires; absent if never or not known.", PER_VERSION,
		.from = {AT("key", "expires", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_key_expiry_left_seconds",
		"Until the key version expires; negative when it has.", PER_VERSION,
		.from = {LEFT("key", "expires", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_key_near_expiry",
		"Whether the key version expires soon, or has expired.", PER_VERSION,
		.from = {YES("key", "nearExpiry", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_key_attributes_seen",
		"Whether the key store shows when the key expires.", PER_VERSION,
		.from = {YES("key", "attributesSeen", NULL)}),

	ROW(METRIC_GAUGE, "cmkdisk_audit_ok", "Whether the audit log can be written.", PER_MOUNT,
		.own = own_audit_ok),
	ROW(METRIC_COUNTER, "cmkdisk_audit_records", "Records written to the audit log.", PER_MOUNT,
		.from = {AT("audit", "written", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_audit_lost", "Records that could not be kept.", PER_MOUNT,
		.from = {AT("audit", "lost", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_audit_pending", "Records that wait to be written.", PER_MOUNT,
		.from = {AT("audit", "pending", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_hook_runs", "Hooks that were run.", PER_MOUNT,
		.from = {AT("hooks", "run", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_hook_failures", "Hooks that failed.", PER_MOUNT,
		.from = {AT("hooks", "failed", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_hook_timeouts",
		"Hooks that were ended because they took too long.", PER_MOUNT,
		.from = {AT("hooks", "timedOut", NULL)}),
	ROW(METRIC_COUNTER, "cmkdisk_hook_dropped",
		"Hooks that were not run because too many waited.", PER_MOUNT,
		.from = {AT("hooks", "dropped", NULL)}),
	ROW(METRIC_GAUGE, "cmkdisk_hook_waiting", "Hooks that wait for their turn.", PER_MOUNT,
		.from = {AT("hooks", "waiting", NULL)}),
};

static void put_value(struct exposition *x, const struct row *r, const struct source *from,
	const struct subject *s, const struct metric_labels *l, int64_t wall_s)
{
	const struct json *o = s->disk ? s->disk : s->mount;
	bool yes;
	int64_t n;
	if (from->in)
		o = json_get(o, from->in);
	if (from->unit == YES_NO ? !json_bool(o, from->member, &yes)
				 : !json_int(o, from->member, &n))
		return;
	struct metric_labels more = metric_label_add(l, r->label, from->value);
	if (from->unit == MILLISECONDS)
		metric_milli(x, &r->family, &more, n);
	else
		metric_int(x, &r->family, &more,
			from->unit == YES_NO ? yes : n - (from->unit == LEFT_S ? wall_s : 0));
}

static bool concerns(const struct row *r, const struct subject *s)
{
	switch (r->scope) {
	case PER_MOUNT:
		return !s->disk;
	case PER_DISK:
		return s->disk;
	default:
		return s->first_of_version;
	}
}

static void put_row(
	struct exposition *x, const struct row *r, const struct subjects *all, int64_t wall_s)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct subject *s = &all->at[i];
		if (!concerns(r, s))
			continue;
		struct metric_labels l = {{{"mountpoint", s->mountpoint}}, 1};
		if (r->scope == PER_DISK)
			l = metric_label_add(&l, "disk", s->name);
		if (r->scope == PER_VERSION) {
			l = metric_label_add(&l, "key", s->key);
			l = metric_label_add(&l, "version", s->version);
		}
		if (r->own)
			r->own(x, r, s, &l);
		for (size_t k = 0; k < SOURCES && r->from[k].member; k++)
			put_value(x, r, &r->from[k], s, &l, wall_s);
	}
}

int metrics_print(FILE *to, const struct json *mounts, bool openmetrics, int64_t wall_s)
{
	static const struct metric_family build = {
		"cmkdisk_build", METRIC_INFO, "The program that tells, by version."};
	struct exposition x = {to, openmetrics, NULL};
	struct subjects all scoped(subjects_free) = {NULL, 0};
	int rc = subjects_of(mounts, &all);
	if (rc)
		return rc;
	metric_int(&x, &build, &(struct metric_labels){{{"version", CMKDISK_VERSION}}, 1}, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_row(&x, &rows[i], &all, wall_s);
	metric_end(&x);
	return 0;
}
