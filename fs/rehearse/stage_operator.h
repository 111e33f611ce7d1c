// SPDX-License-Identifier: MIT
// A stage whose key is the operator's: whatever is to be done to it is asked of a person, in so
// many words, and nothing here ever sends a change to the key store.
#ifndef CMK_STAGE_OPERATOR_H
#define CMK_STAGE_OPERATOR_H

#include "attr.h"
#include "errmsg.h"
#include "stage.h"

#include <stddef.h>

// Prepares *s for the key that one of them names, the other being NULL: a key URL, or the file of a
// key set. Sets ops, set and key_url. The environment that the store's provider needs is set by the
// caller, who keeps it. -EINVAL and others with a sentence.
int stage_by_hand(
	const char *key_url, const char *set, struct stage *s, struct errmsg *err) must_use;

// What a person is asked to do: one sentence, and the command that does it, "" where there is no
// one command. room of each >= 1024. False: not by this provider.
bool operator_ask(const char *provider, enum act a, const char *key_url, char *sentence,
	char *command, size_t room) must_use;
// What undoes it; ACT_NONE: nothing has to.
enum act operator_undo(enum act a);
bool operator_can(const char *provider, enum act a) must_use;

#endif
