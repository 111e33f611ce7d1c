// SPDX-License-Identifier: MIT
// Asks key agents when it is time, and keeps time; talks to leases only. One asker thread per key
// (a hung store delays no other key), one timekeeper thread for the deadlines.
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
};

// How the monitor turns a slot secret into a data key: volume.h in the program. The header is read
// afresh each time and must be the same disk as at the first time (UUID and digest). Called by
// several threads, but one at a time.
struct disk_opener {
	int (*unlock)(void *ctx, const struct binding *b, const struct secret *slot_secret,
		struct secret **dek, struct errmsg *err);
	void *ctx;
};

struct monitor_config {
	const struct clock_source *clock;
	struct logger *log;
	uint64_t interval_ms; // default 60 000, jittered by +-10 %
};

int monitor_new(const struct monitor_config *c, struct monitor **out) must_use;
// Locks every lease at once, then ends the threads; waits for a question under way (its deadline).
// No other call may be under way. NULL allowed.
void monitor_free(struct monitor **m);

// Before monitor_start only. A key (one store, one URL, one identity) and the disks bound to it.
// Returns an index >= 0. All borrowed objects must outlive the monitor. b is copied.
int monitor_add_key(struct monitor *m, const struct key_source *source) must_use;
int monitor_add_disk(struct monitor *m, int key, const struct binding *b, struct lease *lease,
	const struct disk_opener *opener) must_use;

// First unlock of a disk, in the caller's thread, before monitor_start. 0 or: -EKEYREVOKED,
// -EKEYEXPIRED, -EHOSTUNREACH, -EDOM (misconfigured), -EBADMSG, with the store's sentence;
// -ETIMEDOUT (the grant came too late), -EAGAIN (locked or refused meanwhile); the opener's errors.
int monitor_first_unlock(struct monitor *m, int disk, struct errmsg *err) must_use;

int monitor_start(struct monitor *m) must_use;

// Any thread, after monitor_start. Wait until the key has been asked, or its deadline is over.
// check: the verdict's errno (0 granted) and sentence. unlock: STOPPED -> ACTIVE by hand, errors as
// monitor_first_unlock; 0 if it is not stopped and the key is granted. Both -EBUSY while the
// monitor ends.
int monitor_check(struct monitor *m, int disk, struct errmsg *err) must_use;
int monitor_unlock(struct monitor *m, int disk, struct errmsg *err) must_use;

struct monitor_view {
	uint64_t next_check_ns; // boot time
	uint64_t checks, grants, denials, failures;
	uint32_t last_took_ms;
	struct cmk_key_info info; // of the bound version, as last seen
};
void monitor_view(struct monitor *m, int disk, struct monitor_view *out);

#endif
