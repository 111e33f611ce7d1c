// SPDX-License-Identifier: MIT
// Programs of the system's that a rehearsal needs.
#ifndef CMK_TOOL_H
#define CMK_TOOL_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

// The absolute path of a program in the usual directories, also those of the administrator. False,
// with "" in out, if there is none.
bool tool_find(const char *name, char *out, size_t room) must_use;
// The same; -ENOENT with a sentence that says in which package it is.
int tool_need(
	const char *name, const char *package, char *out, size_t room, struct errmsg *err) must_use;

#endif
