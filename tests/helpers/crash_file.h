// SPDX-License-Identifier: MIT
// Power cuts for one file: the process that armed it dies at its Nth write to that file, of which
// only a prefix arrived, and of the writes since the last sync all or none. Works by defining
// write() and fsync() in the test program, which must be linked with ENABLE_EXPORTS so that
// shared libraries use them too.
#ifndef CMK_CRASH_FILE_H
#define CMK_CRASH_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define CRASH_STATUS 42 // the exit status of a process that crashed so

struct crash_plan {
	const char *path;
	unsigned at;	    // the 1st, 2nd, ... write; 0: never
	size_t arrived;	    // bytes of that write which reach the file, at most all of it
	bool half;	    // instead: half of its bytes
	bool lose_unsynced; // earlier writes since the last sync are lost
};

// In a forked child only: there is no way back.
void crash_arm(const struct crash_plan *plan);
// Writes to the file since crash_arm().
unsigned crash_writes(void);

#endif
