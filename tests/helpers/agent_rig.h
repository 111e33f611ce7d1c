// SPDX-License-Identifier: MIT
// For tests that ask real key agents: AGENT_PROGRAM and PROVIDER_DIR come from CMake.
#ifndef CMK_AGENT_RIG_H
#define CMK_AGENT_RIG_H

#include "agent.h"

#define LONG_MS 30000u // enough for a sanitized agent on a busy machine
#define SHORT_MS 150u  // for agents that are not going to answer

// Fails the test if it cannot be made.
struct agent *rig_agent(const char *key_url, uint32_t deadline_ms, struct logger *log);
// As c says beyond program, plug-ins, settings and label, which are the rig's.
struct agent *rig_agent_with(struct agent_config c);
// One question of each kind, with fixed contents. unwrap: true if the plain text is right.
bool rig_unwrap(struct agent *a, struct agent_answer *answer);
void rig_wrap(struct agent *a, struct cmk_wrapped *out, struct agent_answer *answer);

bool rig_has_children(void);
// True when the process is gone (or a zombie that is not ours to reap) within ms.
bool rig_gone_within(int pid, unsigned ms);

#endif
