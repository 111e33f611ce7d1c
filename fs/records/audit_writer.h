// SPDX-License-Identifier: MIT
// Makes lines of events and puts them where they belong. One thread; may wait for the file's store.
#ifndef CMK_AUDIT_WRITER_H
#define CMK_AUDIT_WRITER_H

#include "attr.h"
#include "audit_file.h"
#include "audit_stream.h"
#include "errmsg.h"

#include <stddef.h>
#include <stdint.h>

struct audit_entry {
	struct audit_entry *next;
	char text[]; // event_text()
};

struct audit_writer {
	struct audit_file file; // fd -1: there is none
	struct audit_stream stream;
	const char *head;	// borrowed
	struct audit_link link; // the last line written
	uint64_t written, lost, unsent;
	uint64_t unsynced; // of those written: lines that may not have reached stable storage

	// Since a sync failed. It is told once; only what is written and synced after it counts.
	int sync_errno; // positive; 0 none
	struct errmsg sync_error;
	uint64_t untold; // lines before that
};

struct audit_gap {
	uint64_t lost, since_us; // since_us 0: unknown
	uint64_t unsynced;
	uint64_t cut;
	const char *cut_hash; // if there is a cut
	int errnum;	      // why, positive; 0 unknown
};
// The text of an "audit-gap". The caller frees *out.
int audit_gap_text(const struct audit_gap *g, const char *head, char **out) must_use;

// Writes the first entries of the list, at most max of them, and counts those that are done with in
// *done, those too long for any line included (they are lost). With none it still follows a rotated
// file; after a sync that failed it fails again. -errno with a sentence: what is not done with is
// to be tried again.
int audit_writer_write(struct audit_writer *w, const struct audit_entry *list, size_t max,
	size_t *done, struct errmsg *err) must_use;

#endif
