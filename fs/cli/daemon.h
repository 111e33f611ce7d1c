// SPDX-License-Identifier: MIT
// Going to the background without losing the verdict: the parent waits until the child says how it
// went, and exits with that.
#ifndef CMK_DAEMON_H
#define CMK_DAEMON_H

#include "attr.h"
#include "errmsg.h"

#include <pthread.h>
#include <stdbool.h>

// Forks. In the child *child is true and *report a descriptor for daemon_report(); call before any
// thread is started. In the parent it returns the child's verdict, once, with its sentence.
int daemon_fork(int *report, int *child, struct errmsg *err) must_use;

// In the child: tells the parent, which exits then. With rc 0 the child lets go of the terminal.
void daemon_report(int *report, int rc, const struct errmsg *err);

// In the child: a mount whose command was interrupted must not appear afterwards. A thread waits
// for the parent's end. If that comes before daemon_mounting(), the process ends; between it and
// daemon_told(), it gets SIGTERM, which the session handles. w must stay until the process ends.
struct daemon_watch {
	pthread_mutex_t lock;
	int report;
	bool mounting, told;
};
int daemon_watch(struct daemon_watch *w, int report, struct errmsg *err) must_use;
// From here on there is something to be unmounted.
void daemon_mounting(struct daemon_watch *w);
// Just before daemon_report(): the parent's end is no news afterwards.
void daemon_told(struct daemon_watch *w);

#endif
