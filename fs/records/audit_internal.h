// SPDX-License-Identifier: MIT
// What audit.c and its thread share.
#ifndef CMK_AUDIT_INTERNAL_H
#define CMK_AUDIT_INTERNAL_H

#include "audit.h"
#include "audit_writer.h"
#include "clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define AUDIT_RETRY_AT_END_NS (100 * NS_PER_MS)
#define AUDIT_AT_ONCE 256

struct audit {
	char *path, *journal, *head; // never changed
	pthread_t thread;

	// The thread's own.
	struct audit_writer writer;
	struct audit_entry *writing; // taken from the queue, oldest first
	size_t at_once;		     // one while it fails: there may be room for that

	pthread_mutex_t log_lock;
	struct logger *log; // NULL once the thread is left behind

	pthread_mutex_t lock; // guards what follows; nothing is waited for with it held
	pthread_cond_t news;
	struct audit_entry *first, **last; // the queue
	uint64_t waiting;		   // in it, and being written
	uint64_t lost, lost_since_us;	   // not told yet
	int lost_errno;			   // why; 0: not because of the file
	bool ending, finished, abandoned;
	uint64_t give_up_ns;	// CLOCK_BOOTTIME
	uint64_t busy_since_ns; // 0: not writing
	struct audit_stats stats;
};

void audit_free(struct audit *a);
// With the lock held: one more event that will not be in the log.
void audit_lose(struct audit *a);
// The thread; its argument is the struct audit.
void *audit_thread_main(void *audit);

static inline uint64_t audit_now_ns(void)
{
	return clock_boot_ns(clock_real());
}
// On CLOCK_MONOTONIC, as the condition has it.
struct timespec audit_after_ns(uint64_t ns);

#endif
