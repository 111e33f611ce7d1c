// SPDX-License-Identifier: MIT
// Plays one scenario: a stage, a disk, a load; then what happens to the key, and how it ends.
#ifndef CMK_PLAY_H
#define CMK_PLAY_H

#include "attr.h"
#include "errmsg.h"
#include "ground.h"
#include "load.h"
#include "rehearsal.h"
#include "scenario.h"
#include "stage.h"

#include <stdbool.h>
#include <stdint.h>

// Where it is, for somebody who watches.
struct progress {
	const struct scenario *scenario;
	const char *doing;    // "waiting for the stop"
	uint64_t left_us;     // of that, at most; 0: unknown
	uint64_t stops_in_us; // until the deadline, when in grace; else 0
	bool failing;	      // I/O fails now
};

struct player {
	const struct programs *programs;
	const struct stage *stage; // its ops, set, key_url and environment; a copy is started
	struct policy_played policy;
	struct load_config load; // its path and size are set by play()
	enum ground_kind on;
	uint64_t disk_bytes;
	const char *dir;  // private, exists; each scenario has a directory of its own in it
	bool keep;	  // leave that
	uint64_t wait_ms; // for a person, where the stage needs one
	int stop_fd;	  // readable: end now; -1 none
	void (*progress)(void *ctx, const struct progress *p); // often; may be NULL
	void *ctx;
	// Something that could not be taken away again, in one sentence; may be NULL.
	void (*left)(void *ctx, const char *sentence);
};

// Everything is taken away again before it returns. 0: played, or out->failure says why not;
// -EINTR: stop_fd was readable, out has what was seen until then; -ENOMEM.
int play(const struct player *p, const struct scenario *s, struct played *out,
	struct errmsg *err) must_use;
// One that is not played at all, and why.
void play_not(
	const struct player *p, const struct scenario *s, const char *why, struct played *out);

#endif
