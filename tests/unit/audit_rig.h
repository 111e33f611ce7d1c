// SPDX-License-Identifier: MIT
// An audit log in a folder of its own, for its tests.
#ifndef AUDIT_RIG_H
#define AUDIT_RIG_H

#include "audit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_rig {
	char dir[64];
	char path[96], old[96], socket[96];
	int listener;	   // a syslog daemon of our own, at socket; -1 none
	struct audit *a;   // NULL: none runs
	uint32_t posted;   // events, each with a number of its own in "n"
	struct errmsg err; // of the last verification
	struct audit_chain chain;
};

// cmocka setup and teardown: *state is the rig.
int audit_rig_setup(void **state);
int audit_rig_teardown(void **state);
#define AUDIT_TEST(fn) cmocka_unit_test_setup_teardown(fn, audit_rig_setup, audit_rig_teardown)

// All of these fail the running test when they cannot do it.
void rig_start(struct audit_rig *r);
void rig_post(struct audit_rig *r, unsigned count);
void rig_end(struct audit_rig *r);		     // everything is written when it returns
void rig_write(struct audit_rig *r, unsigned count); // the three of them
// The log's new text; the file is made as a log's is.
void rig_put(const char *path, const char *text, size_t len);
void rig_append(const char *path, const char *text);
char *rig_text(const char *path, size_t *len); // freed by the caller, NUL at its end
// Waits until the log has written everything, or has this error (0: none).
void rig_wait_error(struct audit_rig *r, int error);
void rig_wait_written(struct audit_rig *r);
// 0 or -EBADMSG; a second path may be NULL.
int rig_verify(struct audit_rig *r, const char *first, const char *second);
void rig_unbroken(struct audit_rig *r, const char *first, const char *second, unsigned lines);
void rig_listen(struct audit_rig *r);
// The next datagram, NUL-terminated; "" if there is none within a second.
void rig_hear(struct audit_rig *r, char *out, size_t room);

#endif
