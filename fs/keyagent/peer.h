// SPDX-License-Identifier: MIT
// One running agent process and the line to it: whole frames out and in, against a deadline.
// Private to this folder; agent.c decides what the errors mean.
#ifndef CMK_PEER_H
#define CMK_PEER_H

#include "attr.h"
#include "child.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

struct peer {
	struct child child;
	int sock;    // our end, -1: none
	int poll_fd; // epoll over the line and the process, -1: none
};
#define PEER_NONE ((struct peer){.child = CHILD_NONE, .sock = -1, .poll_fd = -1})

// How long to wait: until end_ns (CLOCK_BOOTTIME), or until cancel_fd (-1: none) is readable.
struct patience {
	uint64_t end_ns;
	int cancel_fd;
};

int peer_start(struct peer *p, const char *program, bool quiet, struct errmsg *err) must_use;
// Says goodbye, waits patience_ms, kills, reaps; see child_end(). The descriptors are closed in any
// case.
bool peer_end(struct peer *p, uint32_t patience_ms, int *status);

// -ETIMEDOUT; -ECANCELED; -EPIPE if the process has ended or let go of the line.
// The kernel's copy of a frame in the socket cannot be wiped by us; it lives until it is read.
int peer_send(struct peer *p, const void *frame, size_t len, struct patience until) must_use;
// One frame into buf, which should hold WIRE_FRAME_MAX bytes. Also -EBADMSG: longer than buf. What
// the process said before it ended is still delivered, then -EPIPE. An end of 0: do not wait,
// -ETIMEDOUT if there is nothing.
int peer_receive(struct peer *p, struct secret *buf, size_t *len, struct patience until) must_use;

#endif
