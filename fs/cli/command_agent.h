// SPDX-License-Identifier: MIT
// The key agent of a command that asks once and ends; its questions are recorded if the command has
// a log (command_records.h). A mount has its own (session_key.c).
#ifndef CMK_COMMAND_AGENT_H
#define CMK_COMMAND_AGENT_H

#include "attr.h"
#include "errmsg.h"

struct agent;
struct cli;
struct keyset;

// Asks for the PIN of a key in a token, if it may need one (pin.h). settings: the key set that says
// how to reach the key's store; NULL none: it is the header of backing that names the key. disk:
// what it is called in the store's log, or "". Errors of agent_new() and pin_provide().
int command_agent(const struct cli *cli, const char *key_url, const struct keyset *settings,
	const char *backing, const char *disk, struct agent **out, struct errmsg *err) must_use;

#endif
