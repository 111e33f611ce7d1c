// SPDX-License-Identifier: MIT
// Asks key agents when it is time, and keeps time; talks to leases only. One asker thread per key
// (a hung store delays no other key), one timekeeper thread for the deadlines, one resumer thread
// for reading headers (a hung backing store delays no question).
#ifndef CMK_MONITOR_H
#define CMK_MONITOR_H

#include "attr.h"
#include "binding.h"
#include "clock.h"
#include "errmsg.h"
#include "lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_answer;
struct logger;
struct monitor;
struct secret;

// How the monitor reaches a key store: agent.h in the program, a script in tests. Used by one
// thread at a time. Only the answer's verdict, reason, sentence, retry_after_ms and took_ms are
// used: the monitor itself notes when it asked. unwrap and describe must come back within a
// deadline.
struct key_source {
	void (*unwrap)(void *ctx, const struct binding *b, struct secret **plain,
		struct agent_answer *answer);
	void (*describe)(void *ctx, const char *version, struct cmk_key_info *out,
		struct agent_answer *answer);
	int (*poll_fd)(void *ctx); // readable when the key may have changed; -1 none
	bool (*drain)(void *ctx);
	void *ctx;
	// The newest version is asked for as well (describe of ""), so that disks can be moved to
	// it.
	bool follows;
};

// How the monitor turns a slot secret into a data key: volume.h in the program. The header is read
// afresh each time and must be the same disk as at the first time (UUID and digest). Called by
// one thread at a time: that of monitor_first_unlock, later the resumer. name: how sentences and
// the log call the disk, NULL not at all; borrowed. A sentence of unlock may begin with it.
struct disk_opener {
	int (*unlock)(void *ctx, const struct binding *b, const struct secret *slot_secret,
		struct secret **dek, struct errmsg *err);
	// The disk stays stopped although its key is granted, or was asked for: told once for each
	// change of the reason (-errno), from any thread of the monitor's: be brief. May be NULL.
	void (*refused)(void *ctx, int error, const char *sentence);
	void *ctx;
	const char *name;
};

struct monitor_config {
	const struct clock_source *clock;
	struct logger *log;
	// Default 60 000, jittered by +-10 %. A key is asked more often if a third of the shortest
	// grace_unreachable among its disks is less.
	uint64_t interval_ms;
	// Called from a key's asker after each round in which some disk of that key is bound to
	// another version than the newest: again and again until it is moved. key: its index. Be
	// brief, and never wait for the monitor. May be NULL.
	void (*newer)(void *ctx, int key);
	void *newer_ctx;
	// How long before a version expires that is worth a warning, in seconds. Default 30 days.
	uint64_t near_expiry_s;
	// How long monitor_first_unlock goes on asking a store that is only busy: one that says
	// when to come again, or that has granted another disk of the key. 0: not at all.
	uint64_t patience_ms;
};

int monitor_new(const struct monitor_config *c, struct monitor **out) must_use;
// Any thread, once everything is added. Wipes every key at once; whoever is in monitor_check or
// monitor_unlock comes back, after the question under way at the latest.
void monitor_stop(struct monitor *m);
// monitor_stop(), then ends the threads; waits for a question under way (its deadline). No other
// call may be under way. 0, also for NULL; -EBUSY if a header is still being read after 2 s: then
// nothing is freed, and what was lent to the monitor must stay until the process ends, which should
// be soon.
int monitor_free(struct monitor **m) must_use;

// A key: one store, one URL, one identity. Returns an index >= 0. Any thread, also after
// monitor_start: its asker is started then; -EBUSY while the monitor ends. A key without disks is
// asked nothing; keys are never removed. All borrowed objects must outlive the monitor.
int monitor_add_key(struct monitor *m, const struct key_source *source) must_use;
// A disk bound to a key. Before monitor_keep_time and monitor_start only. b is copied.
int monitor_add_disk(struct monitor *m, int key, const struct binding *b, struct lease *lease,
	const struct disk_opener *opener) must_use;

// Starts the timekeeper, so that the deadlines of disks that are unlocked hold while others wait
// for their key. Optional.
int monitor_keep_time(struct monitor *m) must_use;

// First unlock of a disk, in the caller's thread, before monitor_start. 0 or: -EKEYREVOKED,
// -EKEYEXPIRED, -EHOSTUNREACH, -EDOM (misconfigured), -EBADMSG, with the store's sentence;
// -ETIMEDOUT (the grant came too late), -EAGAIN (locked or refused meanwhile); the opener's errors.
// A version's attributes are asked for once in ten seconds.
int monitor_first_unlock(struct monitor *m, int disk, struct errmsg *err) must_use;

int monitor_start(struct monitor *m) must_use;

// Any thread, after monitor_start. Ask about count disks together, which costs one question for
// those on one key version, and wait until their keys have been asked or the deadlines are over.
// All are tried; the first failure is told. check: the verdict's errno (0 granted) and sentence.
// unlock: STOPPED -> ACTIVE by hand, errors as monitor_first_unlock; 0 if it is not stopped and the
// key is granted; -EBUSY if its header is not read within 10 s. Both -EBUSY while the monitor ends.
int monitor_check(struct monitor *m, const int *disks, size_t count, struct errmsg *err) must_use;
int monitor_unlock(struct monitor *m, const int *disks, size_t count, struct errmsg *err) must_use;

// Any thread, after monitor_start: the disk's header holds b now (committed), which is bound to
// this key, another one or the same. When this returns 0 the disk belongs to b's version of it, and
// the old binding is asked about no more for this disk; the new version is asked about soon. b is
// copied. The lease gets no grant by this, and runs on as it was, stopped or not. Waits for the
// questions under way: -ETIMEDOUT with a sentence after 30 s; the disk is moved all the same, as
// soon as they are answered. -EBUSY while the monitor ends, -EINVAL for an unknown key.
int monitor_rebind(
	struct monitor *m, int disk, int key, const struct binding *b, struct errmsg *err) must_use;

#define MONITOR_LATENCIES 11
extern const uint32_t monitor_latency_ms[MONITOR_LATENCIES];

struct monitor_view {
	uint64_t next_check_ns; // boot time
	uint64_t interval_ns;	// between two questions that are granted, give or take 10 %
	uint64_t checks, grants, denials, failures;
	uint64_t unreachable, misconfigured, bad_blob; // the failures, by verdict
	// Of the questions by how long their answer took: those within monitor_latency_ms[i] and
	// above the bound before, and the slower ones at the end.
	uint64_t took[MONITOR_LATENCIES + 1];
	uint64_t took_sum_ms;
	uint32_t last_took_ms;
	struct cmk_key_info info; // of the bound version, as last seen
	// Of the newest version, as last seen; version "" if it is unknown or not asked for.
	struct cmk_key_info newest;
	bool attributes_seen; // when last asked for
	// Why expiry and rotation cannot be seen; "" if they can, or were not asked for yet.
	char attributes_sentence[512];
	bool near_expiry; // it expires within near_expiry_s, or has
};
void monitor_view(struct monitor *m, int disk, struct monitor_view *out);

#endif
