// SPDX-License-Identifier: MIT
// The load of a rehearsal: readers and writers of 4 KiB blocks, each block with its number, its
// generation and a checksum over all of it, so that whatever comes back can be told right or wrong.
// A block whose write failed may hold the old contents or the new ones, nothing else.
#ifndef CMK_LOAD_H
#define CMK_LOAD_H

#include "attr.h"
#include "errmsg.h"
#include "rehearsal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_BLOCK 4096u

struct load;

struct load_config {
	const char *path; // a disk's file, or a file on a filesystem; opened with O_DIRECT
	uint64_t size;	  // bytes of it that are used; a multiple of LOAD_BLOCK
	unsigned readers, writers;
	unsigned per_second; // requests of each thread at most; 0: as many as go
	uint64_t slice_us;   // of the record of rates
};
// 2 readers and 2 writers with 50 requests a second each; 4 and 4 as fast as they go. To be copied,
// and given a path, a size and a slice.
extern const struct load_config load_light, load_heavy;

// Writes every block once and reads it back before it returns; then the threads run. -errno with a
// sentence.
int load_start(const struct load_config *c, struct load **out, struct errmsg *err) must_use;
// Lets the file go, after the requests that are on their way, so that its filesystem can be
// unmounted; the threads wait until load_reopen() opens it again: -errno with a sentence.
void load_release(struct load *l);
int load_reopen(struct load *l, struct errmsg *err) must_use;

struct load_view {
	uint64_t reads, writes, failed, bytes_read, bytes_written; // reads, writes: good ones
	// Boot time, us; 0 none yet.
	uint64_t last_ok_begun; // when the success that was put last was put, since the start
	uint64_t last_ok_ended; // end of the success that ended last, since the start
	uint64_t
		last_good; // end of the last success that came before (or during) the first failure
	uint64_t last_good_begun; // when that one was put
	uint64_t first_failed;	  // end of the first failure since load_mark()
	uint64_t first_good; // end of the first success that was put after the last failure ended
	uint64_t first_good_begun;  // when that one was put
	uint64_t wrong;		    // blocks that held what was never written there
	uint64_t longest_gap_us;    // between two successes of one thread, to now included
	uint64_t gap_to_failure_us; // the same until the first failure of that thread
	int first_errno;	    // of the first failure; 0 none yet
	char errors[128];	    // "EIO 12, ENOSPC 1", since the start
	char first_wrong[160];	    // what the first wrong block held; "" none was
};
void load_view(struct load *l, struct load_view *out); // any thread
// Forgets first_failed, last_good, first_good and the longest gaps: a new chapter begins. A gap in
// which it begins belongs to both, unless that thread had failed.
// load_mark(), load_release(), load_reopen(), load_stop() and load_verify() are for the thread that
// started it.
void load_mark(struct load *l);
// Copies of the slices so far; the caller frees *out. first_us: boot time of the first.
int load_slices(struct load *l, struct io_slice **out, size_t *count, uint64_t *first_us) must_use;
// Stops the threads, for good; a request that hangs keeps them. The view changes no more.
void load_stop(struct load *l);
// Stops them, reads every block once more and compares. *good and *wrong in bytes, of those that
// were read. -errno with a sentence if one cannot be read.
int load_verify(struct load *l, uint64_t *good, uint64_t *wrong, struct errmsg *err) must_use;
void load_free(struct load **l); // NULL allowed

#endif
