// SPDX-License-Identifier: MIT
// The lease's rules alone: no lock, no clock, no key; time comes in as arguments. Private to
// this folder and its tests.
//
// clang-format off
//
//               proof                 denial: deadline := min(deadline, last proof + denied)
//            +---------+                +-------------------------------+
//            v         |                |                               v
//   start  +-------------+  no answer  +-------------------+  denial  +--------------+
//  ------->|   ACTIVE    |------------>| GRACE_UNREACHABLE |--------->| GRACE_DENIED |---+
//          +-------------+             +-------------------+          +--------------+   | no
//            |   ^     ^                   |      | proof               |     |  ^       | answer
//            |   |     +-------------------|------+---------------------+     |  +-------+
//            |   | start                   |                                  |
//            |   | (proof asked            | now >= deadline                  | now >= deadline
//            |   |  after the stop)        v                                  |
//            |   |                 +----------------------------------+       |
//            |   +-----------------| STOPPED: nobody enters; the last |<------+
//            +-------------------->| one out wipes; then it is told   |
//               now >= deadline    +----------------------------------+
//               lock: from any state, at once
//
//  proof      GRANTED and valid now, or expiry is ignored:
//             deadline := max(deadline, asked + unreachable)
//  denial     DENIED, or GRANTED outside nbf..exp
//  no answer  UNREACHABLE, MISCONFIGURED, BAD_BLOB: the deadline does not move
// clang-format on
#ifndef CMK_LEASE_RULES_H
#define CMK_LEASE_RULES_H

#include "lease.h"

// The two clocks at one moment.
struct moment {
	uint64_t boot_ns;
	int64_t wall_s;
};

struct rules {
	struct lease_policy policy;
	struct lease_view now; // but for key_present
	uint64_t newest_ns;    // asked_ns of the newest verdict seen
	uint64_t no_proof_ns;  // the same of the newest one that was no proof
	uint64_t stopped_ns;   // of the last stop or lock
	uint64_t bad_news;     // counts stops, locks and refusals, for a start to see them come
	bool untold;	       // state or cause changed since somebody cleared this
};

void rules_init(struct rules *r, const struct lease_policy *policy, uint64_t boot_ns);

// Stops it when the deadline is over. Every use of a lease goes through here first.
void rules_expire(struct rules *r, uint64_t boot_ns);

// See lease_judge.
int rules_judge(const struct rules *r, const struct lease_verdict *v, int64_t wall_s) must_use;
void rules_verdict(struct rules *r, const struct lease_verdict *v, struct moment now);
void rules_lock(struct rules *r, const char *sentence, uint64_t boot_ns);

// 0 if v may start a stopped lease now; see lease_unlock for the errors.
int rules_may_start(const struct rules *r, const struct lease_verdict *v, bool by_hand,
	struct moment now) must_use;
void rules_start(struct rules *r, const struct lease_verdict *v, uint64_t boot_ns);

#endif
