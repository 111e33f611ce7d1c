// SPDX-License-Identifier: MIT
// The agent's one loop: questions in, callbacks, answers out. Part of the agent program.
#ifndef CMK_AGENT_LOOP_H
#define CMK_AGENT_LOOP_H

#include "attr.h"

// Serves the socket `line` until its other end says goodbye. Returns the exit status: 0 after a
// goodbye, EX_PROTOCOL for nonsense, EX_IOERR when the line was lost, EX_OSERR.
int agent_loop(int line) must_use;

#endif
