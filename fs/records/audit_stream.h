// SPDX-License-Identifier: MIT
// Lines of an audit log to standard error and to syslog. Never waits for their readers. One thread.
#ifndef CMK_AUDIT_STREAM_H
#define CMK_AUDIT_STREAM_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_stream {
	bool to_stderr;
	const char *journal; // borrowed; the syslog socket's path, NULL none
	int socket;	     // -1: not connected
	uint64_t missed;     // lines that one of the two did not take
};

void audit_stream_close(struct audit_stream *s);
// len bytes, after which a '\n' stands. 0 if one of them took it, or there is none. -EAGAIN: no
// room now; -EMSGSIZE: too long to be sent whole; -errno: nobody listens, say.
int audit_stream_send(struct audit_stream *s, const char *line, size_t len) must_use;

#endif
