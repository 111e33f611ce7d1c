// SPDX-License-Identifier: MIT
// The one table from errno to the program's exit status (sysexits.h), printed in cmkdisk(1).
#ifndef CMK_EXITCODE_H
#define CMK_EXITCODE_H

#include <stddef.h>

struct exitcode_row {
	int errnum;	     // positive errno, 0 for success
	int status;	     // sysexits.h value
	const char *name;    // "EX_DATAERR"
	const char *meaning; // one clause for the manual
};

// The table, one row per errno, and its length.
const struct exitcode_row *exitcode_table(size_t *count);

// err is 0 or a negative errno. Anything the table does not know is EX_SOFTWARE (70).
int exitcode_of(int err);

#endif
