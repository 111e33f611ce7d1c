// SPDX-License-Identifier: MIT
// The members of the status that tell how records and hooks fare.
#ifndef CMK_STATUS_RECORDS_H
#define CMK_STATUS_RECORDS_H

#include "attr.h"

struct json;
struct session;

// Adds "audit" and "hooks", null where there is none. 0 or -ENOMEM.
int status_records(struct session *s, struct json *o) must_use;

#endif
