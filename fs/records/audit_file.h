// SPDX-License-Identifier: MIT
// The file of an audit log: who may have it, its lock, its last line, and what becomes of it when
// it is rotated away. One thread; every call may wait for the file's store.
#ifndef CMK_AUDIT_FILE_H
#define CMK_AUDIT_FILE_H

#include "attr.h"
#include "audit_line.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_file {
	const char *path; // borrowed
	int fd;		  // -1: not open
	bool renamed;	  // the path does not name it any more
	// Of the file as it was when it was last locked.
	struct audit_link link; // the last line of the chain
	uint64_t size;
	uint64_t cut; // bytes after that line which are none, to be told by an "audit-gap"
	char cut_hash[AUDIT_HASH_TEXT]; // of them, with the '\n' that is put after them
	bool unended;			// its last byte is no '\n'
};

// Opens it, or makes it (0600), and reads its last line. As audit_new() says.
int audit_file_open(struct audit_file *f, const char *path, struct errmsg *err) must_use;
void audit_file_close(struct audit_file *f);

// Keeps other daemons out, sees whether the path still names the file, and reads its last line
// anew. -EAGAIN if another process keeps the lock for a second.
int audit_file_lock(struct audit_file *f, struct errmsg *err) must_use;
// While locked, and renamed: goes over to the file that the path names by now, or to a new one, and
// locks that, as audit_file_lock() does. Stays where it is if it cannot.
int audit_file_follow(struct audit_file *f, struct errmsg *err) must_use;
// While locked. All of it, or nothing: what was written of it is taken back.
int audit_file_append(
	struct audit_file *f, const char *bytes, size_t len, struct errmsg *err) must_use;
void audit_file_unlock(struct audit_file *f);
// To stable storage; without the lock.
int audit_file_sync(struct audit_file *f, struct errmsg *err) must_use;

#endif
