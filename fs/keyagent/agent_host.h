// SPDX-License-Identifier: MIT
// The agent's side of the line, and the services that a plug-in gets. Part of the agent program.
#ifndef CMK_AGENT_HOST_H
#define CMK_AGENT_HOST_H

#include "attr.h"
#include "message.h"

#include <cmkdisk/keyprov.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct held; // a secret of the plug-in's

struct host {
	struct cmk_host api;
	int line;
	ino_t line_inode;
	atomic_uint_fast64_t deadline_ns; // CLOCK_BOOTTIME, of the present callback; 0: none
	struct held *held;

	// What the present callback has said so far.
	enum cmk_reason reason;
	uint32_t retry_after_ms;
	char request_id[64];
	char sentence[512];
};

// h must stay where it is. line: a SOCK_SEQPACKET socket.
int host_init(struct host *h, int line) must_use;
// Around every callback: forgets what the last one said, sets the clock.
void host_callback_begin(struct host *h, uint32_t budget_ms);
void host_callback_end(struct host *h);
// A sentence in the plug-in's place.
void host_explain(struct host *h, const char *fmt, ...) printf_like(2, 3);

// Any thread; a frame goes whole. -errno when the line is gone or is no longer ours.
int host_send(struct host *h, const void *frame, size_t len) must_use;

#endif
