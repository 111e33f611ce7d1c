// SPDX-License-Identifier: MIT
// Going to the background without losing the verdict: the parent waits until the child says how it
// went, and exits with that.
#ifndef CMK_DAEMON_H
#define CMK_DAEMON_H

#include "attr.h"
#include "errmsg.h"

// Forks. In the child *child is true and *report a descriptor for daemon_report(); call before any
// thread is started. In the parent it returns the child's verdict, once, with its sentence.
int daemon_fork(int *report, int *child, struct errmsg *err) must_use;

// In the child: tells the parent, which exits then. With rc 0 the child lets go of the terminal.
void daemon_report(int *report, int rc, const struct errmsg *err);

#endif
