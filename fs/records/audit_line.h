// SPDX-License-Identifier: MIT
// One line of an audit log, as it is made and as it is read again. Pure.
#ifndef CMK_AUDIT_LINE_H
#define CMK_AUDIT_LINE_H

#include "attr.h"
#include "audit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_LINE_MAX 65536 // with the '\n' at its end
#define AUDIT_CHAIN_MAX 196  // what the three members and the '\n' add to an event's text
// The most that can stand after the last line of a log and be no line: a daemon refuses a file that
// has more.
#define AUDIT_RUBBLE_MAX (3 * AUDIT_LINE_MAX)
#define AUDIT_LINE_BEGIN "{\"time\":\""

// Where a chain has come to: its last line.
struct audit_link {
	uint64_t sequence; // 0: no line yet
	char hash[AUDIT_HASH_TEXT];
};

void audit_link_start(struct audit_link *l);
// SHA-256 in hex. -errno if nothing can be hashed.
int audit_hash(const char *bytes, size_t len, char out[AUDIT_HASH_TEXT]) must_use;

// Makes the line that follows *l out of an event's text, with its '\n' but no NUL, and moves *l on.
// Its length; or -EMSGSIZE if it does not fit into room or AUDIT_LINE_MAX, -EINVAL if text is no
// object with members, another -errno if nothing can be hashed. *l then stays as it was.
int audit_line_make(struct audit_link *l, const char *text, char *out, size_t room) must_use;

struct audit_line {
	struct audit_link link;
	char previous[AUDIT_HASH_TEXT];
	size_t hashed; // how many of its bytes the hash is over
};

// Whether the line (its '\n' not counted) has the members of a chain at its end, and what they say.
// What stands before them is not looked at, but for the first bytes.
bool audit_line_parse(const char *line, size_t len, struct audit_line *out);
// Whether the hash that it states is its own; false also if nothing can be hashed.
bool audit_line_fits(const char *line, const struct audit_line *parsed);

#endif
