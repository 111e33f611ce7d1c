// SPDX-License-Identifier: MIT
// What all disks of a process share: buffers, and threads that take a share of a large request
// when the machine has nothing better to do. crew_new() and crew_free() are in disk.h.
#ifndef CMK_CREW_H
#define CMK_CREW_H

#include "attr.h"
#include "bufpool.h"

#include <stdatomic.h>
#include <stddef.h>

struct crew;

#define CREW_BUFFER (128u * 1024) // bytes of one buffer, and of one piece of a large request

// Work in `count` pieces, each done once, in any order, by any thread. Lives on its caller's stack
// during crew_run(). After the first error (0 or a negative number) no further piece is begun.
struct crew_task {
	int (*piece)(void *arg, size_t i);
	void *arg;
	size_t count;
	atomic_size_t next; // first piece nobody has begun
	atomic_int error;   // the first one
};

// Around every request, so that the crew can tell whether the machine is busy.
void crew_enter(struct crew *c);
void crew_leave(struct crew *c);

// Does all pieces, alone or with helpers, and returns when none of them is being worked on: the
// first error, or 0. The caller is inside.
int crew_run(struct crew *c, struct crew_task *t) must_use;

struct bufpool *crew_buffers(struct crew *c);

#endif
