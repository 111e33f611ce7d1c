// SPDX-License-Identifier: MIT
// The part of events that a daemon and a command without one make alike.
#ifndef CMK_CLI_RECORDS_H
#define CMK_CLI_RECORDS_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

struct agent_answered;
struct event;

// The head of every event, for event_text(): "host", "mountpoint" (NULL: none), "pid" and, if
// wanted, "identity", both of this process. The caller frees *out. -ENOMEM.
int records_head(const char *mountpoint, bool identity, char **out) must_use;

// Facts of an "agent-restarted" and of a "key-operation". disks: how many depend on the key.
void records_restarted(struct event *e, const struct agent_answered *a, size_t disks);
void records_answered(struct event *e, const struct agent_answered *a, size_t disks);

// Facts of a "rotated" or a "rotation-failed".
struct records_move {
	const char *key_url, *from_url; // of the key now, and before
	const char *from, *to;		// versions
	bool by_hand;
	int rc; // 0 or -errno with the sentence
	const struct errmsg *err;
};
void records_moved(struct event *e, const struct records_move *m);
// "errno" and the result of a command.
void records_outcome(struct event *e, int rc, const struct errmsg *err);

#endif
