// SPDX-License-Identifier: MIT
// Child processes that inherit nothing of ours but what is named here, and that are always reaped.
// Private to this folder.
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

// Starts argv[0] (an absolute path) without copying our memory, as the leader of a session of its
// own: no terminal signal reaches it. Its environment is the short list in child.c, stdin
// /dev/null, stderr ours (quiet: /dev/null), stdout the descriptor out (-1: /dev/null),
// CHILD_LINE_FD the descriptor line (-1: closed), nothing else. Signals are at their defaults and
// unblocked.
int child_start(char *const argv[], int line, int out, bool quiet, struct child *c,
	struct errmsg *err) must_use;

// Whether it has ended, waiting ms for it. Does not reap it.
bool child_ended(const struct child *c, uint32_t ms);

// Waits patience_ms for it to go by itself, then kills it with everything in its process group,
// and reaps it. True when it is gone (*status as of waitpid, -1 if somebody else reaped it), with
// *c set to CHILD_NONE. False: it is stuck inside the kernel; call again later.
bool child_end(struct child *c, uint32_t patience_ms, int *status);

// "ended by signal 11 (Segmentation fault)", "exit status 3".
void child_status_text(int status, char *out, size_t room);

#endif
