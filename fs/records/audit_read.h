// SPDX-License-Identifier: MIT
// The lines of several files, one after the other, whatever they hold.
#ifndef CMK_AUDIT_READ_H
#define CMK_AUDIT_READ_H

#include "attr.h"
#include "audit_line.h"
#include "errmsg.h"

#include <stdio.h>

struct audit_reader {
	char *const *files; // borrowed
	size_t count, next;
	FILE *in; // NULL: none open

	const char *file; // of the line
	uint64_t line;	  // its number there, from 1
	uint64_t bytes;	  // its length with its '\n', if it has one
	size_t len;	  // of text, without it; what is longer is neither a line nor excused
	char text[AUDIT_RUBBLE_MAX];
};

void audit_reader_init(struct audit_reader *r, char *const *files, size_t count);
void audit_reader_close(struct audit_reader *r);
// 1: the next line; 0: that was the last one; -errno with a sentence.
int audit_reader_next(struct audit_reader *r, struct errmsg *err) must_use;

#endif
