// SPDX-License-Identifier: MIT
// A key store inside the test program: defines the functions of agent.h that ask, which win over
// the library's. It keeps nothing but what the test sets, so a forked child can go on with it.
#ifndef CMK_FAKE_AGENT_H
#define CMK_FAKE_AGENT_H

#include "agent.h"
#include "binding.h"

#define FAKE_VERSIONS 4

// The agent itself: &store.
struct agent {
	const char *key_url;
	int newest;			  // 1..FAKE_VERSIONS: version "v1", ...
	bool disabled[FAKE_VERSIONS + 1]; // by number
	int64_t exp;			  // of the newest; Unix seconds
	bool blind;			  // describe is denied
	bool lies;			  // unwraps something else than was wrapped
	bool stray;			  // wraps with version 1, whatever is the newest
	bool away;			  // does not answer
	unsigned wraps, unwraps, describes;
};

// What wrap() would make of this secret with that version.
void fake_wrap(const struct agent *a, int version, const uint8_t *secret, struct binding *b);

#endif
