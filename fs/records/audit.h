// SPDX-License-Identifier: MIT
// The audit log: one line of JSON for each event, each with the hash of the one before it. Written
// by a thread of its own: neither a full disk nor a store that hangs ever keeps anybody waiting.
// Format: cmkdisk-audit(5).
//
// A line is the event's object with three members at its end: "sequence" (1, 2, ...), "previous"
// (the "hash" of the line before, 64 zeros in the first) and "hash": SHA-256, in hex, of the line's
// bytes from its '{' up to and without `,"hash"`.
#ifndef CMK_AUDIT_H
#define CMK_AUDIT_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_HASH_TEXT 65 // 64 hex digits and a NUL
#define AUDIT_PENDING_MAX 4096

struct audit;
struct audit_stats;
struct logger;

struct audit_config {
	const char *file; // absolute path, NULL none. Several daemons may write to one file
	bool to_stderr;
	bool to_journal;    // syslog, as the daemon's log; a chain of its own when there is no file
	struct logger *log; // told once when the log cannot be written, and when it can again
	const char *journal; // the syslog socket, NULL /dev/log
	const char *head;    // as for event_text(), of lines of the log's own; NULL none
};

// -errno with a sentence if the file cannot be opened or made (0600), is no regular file, belongs
// to another user or may be written by others, or does not end in a line of a log.
int audit_new(const struct audit_config *c, struct audit **out, struct errmsg *err) must_use;
// Any thread; copies the text (event_text()), never waits. More than AUDIT_PENDING_MAX that wait
// are lost, and counted by a line "audit-gap" as soon as one can be written.
void audit_post(struct audit *a, const char *event_text);
// Waits until all that was posted is written or lost, at most patience_ms. *out tells.
void audit_flush(struct audit *a, uint32_t patience_ms, struct audit_stats *out);
// Writes what waits, for at most patience_ms, and ends; nobody posts any more. NULL allowed. 0, or
// -ETIMEDOUT if its thread hangs in the file's store: then it is left behind, with everything it
// uses.
int audit_end(struct audit **a, uint32_t patience_ms) must_use;

struct audit_stats {
	uint64_t written, lost, pending;
	uint64_t unsynced; // of those written: lines that may not have reached stable storage
	uint64_t unsent;   // lines that are in the file, but stderr or syslog could not take
	uint64_t sequence; // of the last line written
	char last_hash[AUDIT_HASH_TEXT];
	int error;		  // positive errno of what keeps it from being written now; 0 none
	struct errmsg error_text; // its sentence
	uint64_t error_since_ns;  // boot time
};
// Any thread.
void audit_stats(struct audit *a, struct audit_stats *out);

// audit_verify.c: reads logs that follow one another, oldest first.
enum audit_problem {
	AUDIT_SOUND,
	AUDIT_ALTERED,	    // the line, or the one before it
	AUDIT_MISSING,	    // lines before it; or the one that was to be there, at the end
	AUDIT_OUT_OF_ORDER, // it is elsewhere, or twice
	AUDIT_CUT_OFF,	    // its end is not there, and no later line tells so
	AUDIT_NO_LINE,	    // it was not written by an audit log
	AUDIT_NEW_CHAIN,    // a first line, but not the first
	AUDIT_EMPTY,	    // no line at all
};
const char *audit_problem_name(enum audit_problem p); // "out-of-order"

struct audit_chain {
	// Of the lines before the problem, if there is one.
	uint64_t lines, first, last; // sequence numbers
	char last_hash[AUDIT_HASH_TEXT];
	char first_time[32], last_time[32];
	uint64_t gaps, lost; // "audit-gap" lines, and the events that they count

	enum audit_problem problem;
	const char *file;	 // where; borrowed of the caller's files
	uint64_t line, sequence; // counted from 1; 0 unknown
};
struct audit_expect {
	const char *after; // hash of the line before the first; NULL: it must be line 1
	const char *last;  // hash that some line must have; NULL: unknown
};
// 0: unbroken. -EBADMSG with a sentence that names file, line and what is wrong with it; -errno if
// a file cannot be read. "-" is stdin.
int audit_verify(char *const *files, size_t count, const struct audit_expect *expect,
	struct audit_chain *out, struct errmsg *err) must_use;

#endif
