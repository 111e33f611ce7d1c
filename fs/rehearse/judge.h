// SPDX-License-Identifier: MIT
// Whether what was promised was kept. Pure: judged are the facts that were noted, nothing is asked.
#ifndef CMK_JUDGE_H
#define CMK_JUDGE_H

#include "attr.h"
#include "load.h"
#include "rehearsal.h"
#include "scenario.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACT_WARNINGS 16

// What is allowed for a busy machine's scheduling, and said in the promises' texts.
#define JUDGE_STOP_US 100000   // cmkdisk-leases(7): 100 ms after the deadline no request succeeds
#define JUDGE_NOTICE_US 500000 // beside the interval, its tenth and the question's own time
#define JUDGE_RETURN_US 1000000
#define JUDGE_IDLE_US 500000   // without a good request while there should be some
#define JUDGE_PAUSE_US 2000000 // of one thread of the load
#define JUDGE_CLOCK_US 20000   // two clocks that are read one after the other
#define JUDGE_ASKED_US 100000  // the log has when an answer was there, and how long it took

// Times are boot time, us; 0: it was not seen.
struct facts {
	enum course course;
	bool filesystem;		    // I/O goes through one, which does not go on by itself
	bool followed;			    // a rotation had to come first, and did not fail
	uint64_t grace_us;		    // of the limit that counts
	uint64_t interval_us;		    // of the checks in force, without jitter
	uint64_t acted_us;		    // when that began; 0: nobody knows (a person did it)
	uint64_t act_took_us, undo_took_us; // until it was done for sure
	uint64_t question_us;		    // what the question took by which it was noticed
	uint64_t refused_us;		    // that question's answer
	uint64_t proof_us;	  // when the last question was asked that was granted before
	uint64_t deadline_us;	  // as the mount has it, at the earliest
	uint64_t stopped_us;	  // told when the key is wiped
	unsigned stops;		  // where it is to stop: until the key came back
	bool looked, key_present; // status, asked after the stop
	bool opened;		  // likewise
	int open_errno, open_expected;
	struct {
		unsigned percent;
		uint64_t at_us;
	} warnings[FACT_WARNINGS];
	size_t warning_count;
	// Why the key was not to be had, at last: "disabled"; and which of these are what was
	// rehearsed, with blanks between them. NULL: whichever.
	char cause[24];
	const char *causes;
	uint64_t rotation_failed_us, rotated_us;
	uint64_t away_until_us; // so long the key was away, or was watched
	uint64_t gap_before_us; // longest gap of one thread of the load, until the last act
	uint64_t restored_us, granted_us, resumed_us; // restored: when that began
	uint64_t back_until_us;			      // so long was watched
	uint64_t answer_us;			      // what that granted question took
	uint64_t failed_before;			      // requests, until the last act
	struct load_view away, back; // just before the key came back, and at the end
};

// Adds the promises of the course to p, as far as it came, and sets its outcome: held only if each
// was, and if it could be played to its end. -ENOMEM.
int judge(const struct facts *f, struct played *p) must_use;

#endif
