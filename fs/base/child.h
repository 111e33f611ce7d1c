// SPDX-License-Identifier: MIT
// Child processes that inherit nothing of ours but what is named here, and that are always reaped.
#ifndef CMK_CHILD_H
#define CMK_CHILD_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_LINE_FD 3 // where the child finds its end of the line

struct child {
	pid_t pid; // 0: none
	int pidfd; // readable when it has ended; -1: none
};
#define CHILD_NONE ((struct child){.pid = 0, .pidfd = -1})

#define CHILD_NULL (-1) // /dev/null
#define CHILD_OURS (-2) // what we have ourselves

struct child_spec {
	char *const *argv;	  // argv[0] is an absolute path; ends in NULL
	char *const *environment; // "NAME=value" beside the short list in child.c, which they
				  // win over; ends in NULL, or NULL none
	int in, out, err;	  // a descriptor above 2, CHILD_NULL or CHILD_OURS
	int line;		  // a descriptor that becomes CHILD_LINE_FD; -1 none
};

// Starts argv[0] without copying our memory, as the leader of a session of its own: no terminal
// signal reaches it. Its working directory is /, its descriptors are those named and nothing else.
// Signals are at their defaults and unblocked. Failure: -errno with "cannot start PROGRAM: why".
int child_start(const struct child_spec *spec, struct child *c, struct errmsg *err) must_use;

// Whether it has ended, waiting ms for it. Does not reap it.
bool child_ended(const struct child *c, uint32_t ms);

// Waits patience_ms for it to go by itself, then kills it with everything in its process group,
// and reaps it. True when it is gone (*status as of waitpid, -1 if somebody else reaped it), with
// *c set to CHILD_NONE. False: it is stuck inside the kernel; call again later.
bool child_end(struct child *c, uint32_t patience_ms, int *status);

// "ended by signal 11 (Segmentation fault)", "exit status 3".
void child_status_text(int status, char *out, size_t room);

#endif
