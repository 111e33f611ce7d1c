// SPDX-License-Identifier: MIT
// What became of the requests of a load: counts, the times that a rehearsal asks for, and the rate
// over time. Times come in as arguments; any thread.
#ifndef CMK_LOAD_RECORD_H
#define CMK_LOAD_RECORD_H

#include "attr.h"
#include "load.h"
#include "rehearsal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_ERRNOS 8u

struct load_errors {
	int errnum;
	uint64_t count;
};

struct load_record {
	pthread_mutex_t lock; // guards all below
	struct load_view view;
	uint64_t last_failed; // end of the last failure since the mark; 0 none
	uint64_t stopped_us;  // no request after this; 0: it runs
	uint64_t *last_ok_by; // by thread: end of its last success, or when it may begin
	bool *failed_by;      // by thread: since the mark
	unsigned threads;
	struct load_errors errors[LOAD_ERRNOS + 1]; // the last: all others
	struct io_slice *slices;
	size_t slice_count, slice_room;
	uint64_t slice_us, first_us;
	bool slices_lost; // no memory for one
};

struct load_request {
	unsigned thread;
	bool write;
	uint64_t begun, ended; // boot time, us
	int rc;		       // 0 or -errno
};

int load_record_begin(struct load_record *r, unsigned threads, uint64_t slice_us) must_use;
void load_record_start(struct load_record *r, uint64_t now_us); // the first slice, and a mark
void load_record_end(struct load_record *r);
void load_record_put(struct load_record *r, const struct load_request *q);
// One more block that held what was never written there; the first sentence is kept.
void load_record_wrong(struct load_record *r, const char *fmt, ...) printf_like(2, 3);
void load_record_mark(struct load_record *r, uint64_t now_us);
void load_record_stop(struct load_record *r, uint64_t now_us); // gaps grow no more
void load_record_view(struct load_record *r, uint64_t now_us, struct load_view *out);
int load_record_slices(
	struct load_record *r, struct io_slice **out, size_t *count, uint64_t *first_us) must_use;

#endif
