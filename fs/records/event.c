// SPDX-License-Identifier: MIT
// The table of event kinds, and the text of one event.
#include "event.h"

#include "json.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S 1000000

static const struct {
	const char *name, *operation;
	bool hook;
} kinds[EVENT_KINDS] = {
	[EVENT_KEY_OPERATION] = {"key-operation", NULL, false},
	[EVENT_CREATED] = {"created", "DiskCreate", false},
	[EVENT_MOUNTED] = {"mounted", "DiskMount", false},
	[EVENT_UNMOUNTED] = {"unmounted", "DiskUnmount", false},
	[EVENT_UNLOCKED] = {"unlocked", "DiskUnlock", false},
	[EVENT_GRACE_BEGIN] = {"grace-begin", "DiskGraceBegin", true},
	[EVENT_GRACE_WARNING] = {"grace-warning", "DiskGraceWarning", true},
	[EVENT_GRACE_END] = {"grace-end", "DiskGraceEnd", true},
	[EVENT_BEFORE_STOP] = {"before-stop", "DiskBeforeStop", true},
	[EVENT_STOPPED] = {"stopped", "DiskStop", true},
	[EVENT_RESUMED] = {"resumed", "DiskResume", true},
	[EVENT_ROTATED] = {"rotated", "DiskRotate", true},
	[EVENT_ROTATION_FAILED] = {"rotation-failed", "DiskRotate", true},
	[EVENT_NEAR_EXPIRY] = {"near-expiry", "KeyNearExpiry", true},
	[EVENT_AGENT_RESTARTED] = {"agent-restarted", "AgentRestart", true},
	[EVENT_STORE_ERROR] = {"store-error", "StoreError", true},
	[EVENT_CONTROL] = {"control", "ControlCommand", false},
	[EVENT_POLICY] = {"policy", "PolicyDecision", false},
	[EVENT_HOOK] = {"hook", "HookRun", false},
	[EVENT_AUDIT_GAP] = {"audit-gap", "AuditGap", false},
};

const char *event_name(enum event_kind k)
{
	return kinds[k].name;
}

const char *event_operation(enum event_kind k)
{
	return kinds[k].operation;
}

bool event_has_hook(enum event_kind k)
{
	return kinds[k].hook;
}

static int64_t wall_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

void event_begin(
	struct event *e, enum event_kind k, const struct clock_source *clock, const char *disk)
{
	*e = (struct event){
		.kind = k, .boot_us = clock_boot_ns(clock) / 1000, .wall_us = wall_us()};
	(void)snprintf(e->disk, sizeof(e->disk), "%s", disk ? disk : "");
	e->rc = json_object(&e->facts);
}

void event_end(struct event *e)
{
	json_free(&e->facts);
}

void event_happened(struct event *e, uint64_t boot_us)
{
	e->wall_us -= (int64_t)(e->boot_us - boot_us);
	e->boot_us = boot_us;
}

// A member that is there already stays as it is.
static void keep(struct event *e, int rc)
{
	if (rc && rc != -EEXIST)
		e->rc = rc;
}

void event_str(struct event *e, const char *member, const char *value)
{
	if (!e->rc && value)
		keep(e, json_add_str(e->facts, member, value));
}

void event_int(struct event *e, const char *member, int64_t value)
{
	if (!e->rc)
		keep(e, json_add_int(e->facts, member, value));
}

void event_bool(struct event *e, const char *member, bool value)
{
	if (!e->rc)
		keep(e, json_add_bool(e->facts, member, value));
}

void event_identity(struct event *e, uint32_t uid, int64_t pid)
{
	struct json *who = NULL;
	if (!e->rc)
		e->rc = json_object(&who);
	if (e->rc)
		return;
	e->rc = json_add_int(who, "uid", uid);
	if (!e->rc)
		e->rc = json_add_int(who, "pid", pid);
	keep(e, json_add(e->facts, "identity", who));
}

void event_result(struct event *e, bool success, const char *signature, const char *sentence)
{
	event_str(e, "resultType", success ? "Success" : "Failure");
	event_str(e, "resultSignature", signature);
	event_str(e, "resultDescription", sentence && *sentence ? sentence : NULL);
}

void event_time_text(int64_t at, char *out, size_t room)
{
	time_t s = (time_t)(at / US_PER_S);
	struct tm tm;
	char date[24] = "1970-01-01T00:00:00";
	if (gmtime_r(&s, &tm))
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out, room, "%s.%06dZ", date, (int)(at % US_PER_S));
}

// What all events have, as JSON. A name of a disk may hold anything: it is put down by the library.
static int head_of(const struct event *e, char **out)
{
	struct json *o scoped(json_free) = NULL;
	const char *operation = json_str(e->facts, "operationName");
	char time[32];
	event_time_text(e->wall_us, time, sizeof(time));
	int rc = json_object(&o);
	if (!rc)
		rc = json_add_str(o, "time", time);
	if (!rc)
		rc = json_add_int(o, "bootMicros", (int64_t)e->boot_us);
	if (!rc)
		rc = json_add_str(o, "category", "AuditEvent");
	if (!rc)
		rc = json_add_str(o, "event", event_name(e->kind));
	if (!rc && !operation)
		rc = json_add_str(o, "operationName", event_operation(e->kind));
	if (!rc && e->disk[0])
		rc = json_add_str(o, "disk", e->disk);
	return rc ? rc : json_print(o, false, out);
}

int event_text(const struct event *e, const char *head, char **out)
{
	char *first autofree = NULL, *facts autofree = NULL;
	int rc = e->rc;
	if (!rc)
		rc = head_of(e, &first);
	if (!rc)
		rc = json_print(e->facts, false, &facts);
	if (rc)
		return rc;
	// Objects side by side: "{a}" and "{b}" become "{a,b}".
	bool more = strcmp(facts, "{}") != 0;
	int n = asprintf(out, "%.*s%s%s%s%s}", (int)strlen(first) - 1, first, *head ? "," : "",
		head, more ? "," : "", more ? facts + 1 : "");
	if (n < 0)
		return -ENOMEM;
	if (more)
		(*out)[n - 1] = '\0';
	return 0;
}
