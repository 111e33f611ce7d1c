// SPDX-License-Identifier: MIT
// `status --watch`: looks again every second, until a signal ends it.
#ifndef CMK_STATUS_WATCH_H
#define CMK_STATUS_WATCH_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>

// mountpoint NULL: all mounts. json: one line of JSON a second; else a picture on a terminal, and a
// line per change elsewhere. Returns when nothing can be shown any more, with a sentence; a signal
// ends the process as it would have without us, the terminal put in order first.
int status_watch(const char *mountpoint, bool json, struct errmsg *err) must_use;

#endif
