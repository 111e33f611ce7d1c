// SPDX-License-Identifier: MIT
// What the session tells the audit log and the hooks: events are made and posted here, in whatever
// thread something happens in, and nobody waits for what becomes of them.
#ifndef CMK_SESSION_EVENT_H
#define CMK_SESSION_EVENT_H

#include "agent.h"
#include "attr.h"
#include "ctl.h"
#include "errmsg.h"
#include "event.h"
#include "lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit;
struct audit_stats;
struct hooks_stats;
struct hook_result;
struct hooks;
struct moved;
struct session;
struct session_disk;

struct session_events {
	pthread_mutex_t lock; // taken last; audit and hooks are posted to with it
	struct audit *audit;  // NULL none
	struct hooks *hooks;  // NULL none
	atomic_bool wanted;   // there is one of them
	char *head;	      // of every event; owned
};

// Nothing is served yet: a log or a program that will not do refuses the mount, with a sentence.
int session_events_open(struct session *s, struct errmsg *err) must_use;
// Lets the programs that run have their time, and what was posted be written, for a bounded time.
// Whoever still posts afterwards is not heard. -EBUSY: a thread of theirs hangs, and the session
// has to stay.
int session_events_close(struct session *s) must_use;
// Whether programs run or wait; how long one that runs has after the unmount.
bool session_hooks_busy(struct session *s);
uint32_t session_hooks_time_ms(const struct session *s);
// Whether an event has a listener, so that it need not be made.
bool session_events_wanted(struct session *s);
// Any thread. *e stays the caller's.
void session_event(struct session *s, const struct event *e);
void session_record(struct session *s, const struct event *e); // without the hooks

// False if there is none.
bool session_audit_stats(struct session *s, struct audit_stats *out);
bool session_hooks_stats(struct session *s, struct hooks_stats *out);

// Facts that several kinds share: "keyUrl" and "keyVersion" of the binding in use; how much of the
// grace is left at the event's time; why it is in its state.
void session_event_key(struct session_disk *d, struct event *e);
void session_event_grace(struct event *e, const struct lease_view *v);
void session_event_why(struct event *e, const struct lease_view *v);

// How many disks are bound to this version of a key (NULL: to any); *name is that of the last, or
// unchanged.
size_t session_bound_to(
	struct session *s, const char *key_url, const char *version, const char **name);

// session_event_kinds.c: one by one.
void session_event_answered(void *session, const struct agent_answered *a); // struct agent_config
void session_event_mounted(struct session *s);				    // all disks
void session_event_unmounted(struct session *s);			    // those told as mounted
// The monitor's word that a disk stays stopped although its key is granted; ctx is the disk.
void session_event_not_resumed(void *ctx, int error, const char *sentence);
// A mount that came to nothing.
void session_event_refused(struct session *s, int rc, const struct errmsg *err);
struct session_command {
	const char *op, *disk, *key_url; // disk: NULL all; key_url: of a rekey
	const struct ctl_peer *peer;
	uint64_t begun_ns;
};
void session_event_control(
	struct session *s, const struct session_command *c, int rc, const struct errmsg *err);
// kind: rotated or rotation-failed.
void session_event_moved(struct session_disk *d, enum event_kind kind, const struct moved *m,
	const struct ctl_peer *by_hand);

// session_event_lease.c
// What was told of a disk's lease last. Zero-filled at first, but for the state: stopped.
struct lease_seen {
	enum lease_state state;
	uint64_t stops;
	bool unlocked; // once at least
};
#define LEASE_STEPS_MAX 4
struct lease_step {
	enum event_kind kind;
	enum lease_state from, to;
	bool over; // something else came after it, and nothing more is known of it
};
// Pure: the steps from what was seen to v, of which several may have become one report; updates
// what was seen. Returns how many.
size_t lease_steps(struct lease_seen *seen, const struct lease_view *v,
	struct lease_step out[LEASE_STEPS_MAX]);
// told_ns: boot time of the report, which is after the key was wiped.
void session_event_lease(struct session_disk *d, const struct lease_view *v, uint64_t told_ns);

#endif
