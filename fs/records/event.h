// SPDX-License-Identifier: MIT
// Something that happened to a disk, its key or the daemon, as the audit log and the hooks are told
// it: one JSON object, whose members are described in cmkdisk-audit(5). Never given a secret.
#ifndef CMK_EVENT_H
#define CMK_EVENT_H

#include "attr.h"
#include "clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

// The public name of each is in event.c, with its operationName and whether hooks run for it.
enum event_kind {
	EVENT_KEY_OPERATION,   // one question to a key store, and its answer
	EVENT_CREATED,	       // a disk, by a command
	EVENT_MOUNTED,	       // a disk, with its policy
	EVENT_UNMOUNTED,       // a disk
	EVENT_UNLOCKED,	       // its first grant
	EVENT_GRACE_BEGIN,     // hook
	EVENT_GRACE_WARNING,   // hook
	EVENT_GRACE_END,       // hook; the key was granted again before the stop
	EVENT_BEFORE_STOP,     // hook
	EVENT_STOPPED,	       // hook; the key is wiped
	EVENT_RESUMED,	       // hook
	EVENT_ROTATED,	       // hook
	EVENT_ROTATION_FAILED, // hook
	EVENT_NEAR_EXPIRY,     // hook
	EVENT_AGENT_RESTARTED, // hook
	EVENT_STORE_ERROR,     // hook; of the backing file
	EVENT_CONTROL,	       // a command: over the control socket, or one without a daemon
	EVENT_POLICY,	       // a decision: allowed or refused what, and why
	EVENT_HOOK,	       // how a hook's program ended
	EVENT_AUDIT_GAP,       // events that could not be written
	EVENT_KINDS
};

const char *event_name(enum event_kind k);	// "grace-begin"
const char *event_operation(enum event_kind k); // "DiskGraceBegin", in the manner of AuditEvent
bool event_has_hook(enum event_kind k);

// Times are set when it is made. Members are added one by one; the first failure (no memory) is
// kept, and told by event_text().
struct event {
	enum event_kind kind;
	uint64_t boot_us; // CLOCK_BOOTTIME
	int64_t wall_us;  // Unix time
	char disk[256];	  // its name in the mount; "" none, or several
	struct json *facts;
	int rc;
};

// clock: for boot_us; the wall clock is the system's. disk may be NULL.
void event_begin(
	struct event *e, enum event_kind k, const struct clock_source *clock, const char *disk);
void event_end(struct event *e); // for scoped()
// It happened at this boot time, a little before it was made: moves both times.
void event_happened(struct event *e, uint64_t boot_us);
// NULL value: no member. Members of the same name as an earlier one are dropped.
void event_str(struct event *e, const char *member, const char *value);
void event_int(struct event *e, const char *member, int64_t value);
void event_bool(struct event *e, const char *member, bool value);
// "identity": {"uid":..,"pid":..}
void event_identity(struct event *e, uint32_t uid, int64_t pid);
// "resultType" ("Success" or "Failure"), "resultSignature" (a short word such as a verdict), and
// "resultDescription" (the sentence; NULL or "" none).
void event_result(struct event *e, bool success, const char *signature, const char *sentence);

// The whole as one line of JSON without its end: time, bootMicros, category, event, operationName,
// host, mountpoint, pid, disk, then the facts. head: members that are the same for all events of
// this daemon, as `"host":"h","mountpoint":"/m","pid":1`; may be "". The caller frees *out.
int event_text(const struct event *e, const char *head, char **out) must_use;
// "2026-11-23T04:30:00.123456Z". room >= 32.
void event_time_text(int64_t wall_us, char *out, size_t room);

#endif
