// SPDX-License-Identifier: MIT
// The lease: permission to use the data key until a deadline. Owns the expanded key; the only
// object at which the data path and the key path meet. Rules: cmkdisk-leases(7). Pure but for one
// mutex: no thread, no file, no log, no clock of its own.
#ifndef CMK_LEASE_H
#define CMK_LEASE_H

#include "attr.h"
#include "clock.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;
struct lease;

enum lease_state { LEASE_ACTIVE, LEASE_GRACE_DENIED, LEASE_GRACE_UNREACHABLE, LEASE_STOPPED };

// Why it is in grace or stopped. LEASE_CAUSE_NONE while active.
enum lease_cause {
	LEASE_CAUSE_NONE,
	LEASE_CAUSE_NOT_UNLOCKED, // never had a grant
	LEASE_CAUSE_DENIED,	  // with a cmk_reason
	LEASE_CAUSE_EXPIRED,	  // now >= exp
	LEASE_CAUSE_NOT_YET_VALID,
	LEASE_CAUSE_UNREACHABLE,
	LEASE_CAUSE_LOCKED, // `cmkdisk lock`, or the daemon is going down
};

struct lease_policy {
	uint64_t grace_denied_ms;
	uint64_t grace_unreachable_ms;
	bool expiry_stops;
	bool resume_auto;
};

#define LEASE_SENTENCE_MAX 512

// One answer of a key agent, as the monitor hands it on.
struct lease_verdict {
	enum cmk_verdict verdict;
	enum cmk_reason reason;
	uint64_t asked_ns; // boot time at which the question was asked
	int64_t nbf, exp;  // Unix seconds, 0 none or unknown
	char sentence[LEASE_SENTENCE_MAX];
};

struct lease_view {
	enum lease_state state;
	enum lease_cause cause;
	enum cmk_reason reason;
	uint64_t deadline_ns;	// boot time; meaningless when stopped
	uint64_t last_grant_ns; // boot time of the last proof; 0 none
	uint64_t since_ns;	// boot time of the last change of state
	uint64_t stops;		// times it stopped since construction
	int64_t exp;		// as last seen; 0 none or unknown
	bool key_present;	// an expanded key is in memory
	// Why it is in this state; "" while active. A denial's stays when an outage follows.
	char sentence[LEASE_SENTENCE_MAX];
};

// The expanded key, opaque to the lease. make() is called with the lease's mutex NOT held.
struct lease_key_ops {
	int (*make)(void *ctx, const struct secret *dek, void **key);
	void (*destroy)(void **key); // wipes
	void *ctx;
};

// Called after a change of state, never with the mutex held, never from lease_enter/lease_leave
// (a change noticed there is reported by the next lease_tick or verdict), a stop only after the
// key is wiped; reports arrive one at a time. Changes in quick succession may arrive as one:
// compare view->stops to see a stop that was over already. Runs in the monitor's threads, among
// others: be brief, and never wait for the monitor. May be NULL.
typedef void (*lease_changed_fn)(void *ctx, const struct lease_view *view);

// Starts STOPPED(not unlocked): a restart grants nothing.
int lease_new(const struct clock_source *clock, const struct lease_policy *policy,
	const struct lease_key_ops *ops, lease_changed_fn changed, void *changed_ctx,
	struct lease **out) must_use;
// Stops, waits for the users inside, wipes, frees. NULL allowed.
void lease_free(struct lease **l);

// STOPPED -> ACTIVE with this key, on this granted verdict (an unwrap of this disk's own binding).
// dek stays the caller's to wipe. by_hand: `cmkdisk unlock` or the mount itself; else the monitor's
// own resumption, refused with -EPERM when resume is manual or the disk was locked by hand.
// -EKEYEXPIRED, -EKEYREVOKED, -ENOKEY (no answer) if the verdict does not allow it; -ETIME if its
// grace is over already, or it was asked before the stop or before a newer answer; -EAGAIN if the
// disk was locked or the key refused while make() ran; -EALREADY if not stopped. Refused
// before make() is called, v counts as a plain verdict. Waits for users of the former key. Errors
// of make().
int lease_unlock(struct lease *l, const struct secret *dek, const struct lease_verdict *v,
	bool by_hand) must_use;

// An answer about the key version this lease depends on. Verdicts older than the newest one seen
// are ignored.
void lease_verdict(struct lease *l, const struct lease_verdict *v);

// What a verdict means now under this lease's policy: 0 a proof, -EKEYREVOKED or -EKEYEXPIRED a
// denial, -ENOKEY no answer. Changes nothing.
int lease_judge(struct lease *l, const struct lease_verdict *v) must_use;

// Stops at once, any state. Returns when the key is wiped.
void lease_lock(struct lease *l, const char *sentence);

// Stops it if the deadline is over. Returns the boot time at which to call again: the deadline,
// UINT64_MAX when stopped, or a millisecond from now while users are still inside a stopped one.
uint64_t lease_tick(struct lease *l);

// Around the use of the key, not around disk I/O. On 0 *key may be used until lease_leave(); on
// -EIO there was no entry. Compares the clock itself. Any thread.
int lease_enter(struct lease *l, void **key) must_use;
void lease_leave(struct lease *l);

// 0 while the key may be used now, else -EIO: for requests that touch no key, and for writes after
// the store has answered.
int lease_check(struct lease *l) must_use;
// 0, or what a new open() answers: -EKEYREVOKED, -EKEYEXPIRED or -ENOKEY.
int lease_open_status(struct lease *l) must_use;

void lease_view(struct lease *l, struct lease_view *out);
// As given at lease_new(): how long it lives without an answer.
uint64_t lease_grace_unreachable_ms(const struct lease *l);
const char *lease_state_name(
	enum lease_state s); // "active", "grace-denied", "grace-unreachable", "stopped"
const char *lease_cause_name(
	enum lease_cause c); // "none", "not-unlocked", "denied", "expired", ...
// Whether `cmkdisk unlock` is needed or the monitor may resume by itself.
bool lease_resumes_itself(struct lease *l);

#endif
