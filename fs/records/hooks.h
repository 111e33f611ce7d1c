// SPDX-License-Identifier: MIT
// Programs of the operator's that are run when something happens: cmkdisk-hooks(7). They run in the
// background, a bounded number at once and for a bounded time; nothing else ever waits for them.
#ifndef CMK_HOOKS_H
#define CMK_HOOKS_H

#include "attr.h"
#include "errmsg.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOOKS_AT_ONCE 8
#define HOOKS_RESERVED 2       // of them, for what comes before a stop
#define HOOKS_WAITING_MAX 4096 // runs of a program: a mount of a thousand disks may stop at once
#define HOOKS_PROGRAMS_MAX 16
#define HOOK_TIMEOUT_MS 30000

struct hooks;
struct logger;

// How one ended. Strings are borrowed for the call.
struct hook_result {
	const char *program, *event, *disk;
	int status;	// as of waitpid(); -1: it could not be started, or was not done in time
	bool timed_out; // ... the latter
	uint32_t took_ms;
	const char *sentence; // "" when it exited with 0; else what happened, with its last output
};

struct hooks_config {
	char *const *programs; // absolute paths; copied
	size_t count;
	uint32_t timeout_ms; // 0: HOOK_TIMEOUT_MS
	struct logger *log;
	// In a thread of the hooks', several at once; must be brief. For the audit log. May be
	// NULL. Never called after hooks_end().
	void (*ended)(void *ctx, const struct hook_result *r);
	void *ctx;
};

// -errno with a sentence: a program that is not there, is no file or may not be executed, or may
// be changed by others than root and us: -EPERM. Links are followed here and not again;
// the rest is looked at anew before each run. One thread is started at once.
int hooks_new(const struct hooks_config *c, struct hooks **out, struct errmsg *err) must_use;
// Any thread; copies, never waits. Each program is run once for it, with the event as JSON on its
// standard input and its facts in CMKDISK_ variables. Events of one disk reach a program in their
// order, one after the other; those of several disks side by side, and first those on the way to a
// before-stop. Dropped, and counted, are: what leads to a stop and still waits when that is near; a
// before-stop that waits when the grace ends well; and of more than HOOKS_WAITING_MAX that wait,
// warnings, errors of a store and news of agents first, stops and what comes before them last, of
// equals the oldest. Kinds without hooks are left out.
// text: event_text() of e; no fact may have the name of a member of its head.
void hooks_post(struct hooks *h, const struct event *e, const char *text);
// Lets those that wait be run for waiting_ms and those that run go on for running_ms, ends the rest
// with SIGTERM, and some seconds later kills it. NULL allowed. What cannot even be killed, or hangs
// in the store where its program lies, is left behind. -EBUSY: a thread is still in the log or in
// ended() of the config, which must stay.
int hooks_end(struct hooks **h, uint32_t waiting_ms, uint32_t running_ms) must_use;

struct hooks_stats {
	uint64_t run;	 // programs that ended or could not be started
	uint64_t failed; // of these, not with 0; too slow ones among them
	uint64_t timed_out, dropped;
	unsigned running, waiting;
	char last_failure[sizeof(struct errmsg)]; // "" none
};
// Any thread.
void hooks_stats(struct hooks *h, struct hooks_stats *out);

#endif
