// SPDX-License-Identifier: MIT
// What a rehearsal has shown: filled in by whoever plays it, printed as text, JSON and HTML. JSON
// members: cmkdisk-rehearse(1). Times within a scenario are microseconds of CLOCK_BOOTTIME since it
// began.
#ifndef CMK_REHEARSAL_H
#define CMK_REHEARSAL_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json;

enum mark_kind {
	MARK_LOAD_BEGAN,
	MARK_ASKED,   // what the operator was asked to do; whether and when it was done is open
	MARK_ACTION,  // what was done to the key: only at a time that is known
	MARK_REFUSED, // first check that was not granted
	MARK_GRACE,   // the grace began
	MARK_WARNING, // 50, 90, 99 %
	MARK_BEFORE_STOP,
	MARK_LAST_GOOD, // end of the last request that succeeded before the stop
	MARK_FIRST_EIO, // first request that failed; its errno in the text if it is another one
	MARK_STOPPED,	// the key is wiped
	MARK_RESTORED,	// the action was undone: only at a time that is known
	MARK_GRANTED,	// first check that was granted after it
	MARK_GRACE_END, // back before the stop
	MARK_RESUMED,
	MARK_FIRST_GOOD, // first request that succeeded after a failed one
	MARK_ROTATED,
	MARK_ROTATION_FAILED,
	MARK_VERIFIED, // every byte was compared
	MARK_NOTE,
	MARK_KINDS
};
const char *mark_name(enum mark_kind k); // "first-eio"

struct mark {
	enum mark_kind kind;
	uint64_t at_us;
	char text[512]; // a sentence for people
};

enum outcome { OUTCOME_HELD, OUTCOME_BROKEN, OUTCOME_NOT_SHOWN };
const char *outcome_name(enum outcome o); // "held", "broken", "not-shown"

// One promise of the policy, and what was seen.
struct promise {
	const char *id;			  // "io-ends-in-time"; static
	const char *what;		  // one sentence; static
	char promised[96];		  // "at most 10.1 s", for people
	char measured[96];		  // "10.02 s"
	int64_t promised_us, measured_us; // -1: no time
	enum outcome outcome;
	char why[256]; // of one that was broken or not shown
};

struct io_slice {
	uint32_t reads, writes, failed;
};

struct policy_played {
	uint64_t grace_denied_ms, grace_unreachable_ms, interval_ms; // in force
	uint32_t time_scale;					     // 1: real time
};

// One scenario.
struct played {
	const char *scenario, *title; // "disabled", "The key is disabled"; static
	const char *expected;	      // what the policy promises, one or two sentences; static
	char provider[16], key_url[512];
	int64_t began_wall_us;
	uint64_t took_us;
	struct policy_played policy;
	struct mark
		*marks; // in order of time, within a millisecond in that of enum mark_kind; owned
	size_t mark_count;
	struct promise *promises; // owned
	size_t promise_count;
	struct io_slice *slices; // owned
	size_t slice_count;
	uint64_t slice_us, first_slice_us;
	uint64_t reads, writes, failed, bytes_read, bytes_written;
	uint64_t bytes_verified, bytes_wrong; // compared at the end; of these, other than written
	char errors[128];		      // "EIO 1234"; "" none
	enum outcome outcome;
	char failure[512]; // why it could not be played to its end; "" if it could
};

struct rehearsal {
	char host[256], version[32], load[16], on[32]; // "light"; "disk file", "ext4"
	bool own_key;				       // else the operator's
	int64_t began_wall_us;
	uint64_t took_us;
	struct played *played; // owned
	size_t count;
	enum outcome outcome; // held only if all were
};

int rehearsal_add(
	struct rehearsal *r, struct played **out) must_use; // -ENOMEM; valid until the next
int played_mark(struct played *p, enum mark_kind k, uint64_t at_us, const char *fmt, ...)
	printf_like(4, 5);
// The first of that kind, or NULL.
const struct mark *played_first(const struct played *p, enum mark_kind k);
struct promise *played_promise(
	struct played *p, const char *id, const char *what); // NULL: no memory
void rehearsal_free(struct rehearsal *r);		     // for scoped()

// report_*.c. 0, -ENOMEM, or -EIO if f cannot be written to.
int report_text(const struct rehearsal *r, FILE *f) must_use;
int report_json(const struct rehearsal *r, struct json **out) must_use;
// One file that needs nothing else: no script, no font, no address is loaded.
int report_html(const struct rehearsal *r, FILE *f) must_use;
// DIR/report.txt, .json and .html; DIR is made if it is not there (its parent must be); -EEXIST if
// it has a report.
int report_files(const struct rehearsal *r, const char *dir, struct errmsg *err) must_use;
// Makes DIR and says whether report_files() could write there, before an hour is spent on it.
int report_files_check(const char *dir, struct errmsg *err) must_use;

#endif
