// SPDX-License-Identifier: MIT
// The watchman: a thread that looks at all disks when something may be due that no change of state
// tells of: warnings before a stop, failures of a backing store, keys that come near their expiry.
#ifndef CMK_SESSION_WATCHMAN_H
#define CMK_SESSION_WATCHMAN_H

#include "attr.h"
#include "binding.h"
#include "waker.h"
#include "warnings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmk_key_info;
struct session;
struct session_disk;

// A version that is near its expiry, as it was told last.
struct expiry_told {
	char key_url[BINDING_URL_MAX], version[BINDING_VERSION_MAX];
	int64_t exp, told_s; // Unix seconds
};

struct watchman {
	struct waker waker;
	pthread_t thread;
	bool runs;
	atomic_bool end;
	struct expiry_told *told; // the thread's own, as what follows; owned
	size_t told_count;
};

// What one disk was told of; the thread's own, but for the first three.
struct disk_watch {
	atomic_int state;   // of its lease, as the records know it
	atomic_uint warned; // percent of the grace that it was warned of last; 0 not yet
	// No event about errors of its backing store before, and no ring.
	atomic_uint_fast64_t errors_quiet_ns;
	struct warned plan;	// of this grace
	uint64_t last_grant_ns; // of this grace
	uint64_t errors_told;	// of its backing store
	int64_t ignored_exp;	// the date that it goes on after, as told
	int64_t ignored_nbf;	// ... or before
};

// Pure. Whether to tell that this version comes near its expiry: once, once more when its date has
// changed, and then each day.
bool expiry_due(const struct expiry_told *t, int64_t exp, int64_t wall_s);
// Pure. Whether to tell now of store errors: at once, then at most once a minute. *next_ns is
// lowered to when to look again, which is when the minute is over, errors or not.
bool store_errors_due(struct disk_watch *w, uint64_t errors, uint64_t now_ns, uint64_t *next_ns);

// What a disk's policy lets go on (on-expiry=ignore), each date once; info is that of its version.
void session_tell_ignored(struct session_disk *d, const struct cmk_key_info *info, int64_t wall_s);

int session_watchman_init(struct session *s) must_use;
int session_watchman_start(struct session *s) must_use;
void session_watchman_end(struct session *s); // its thread
void session_watchman_destroy(struct session *s);
// For struct disk_config; ctx is the disk.
void session_store_failed(void *ctx);

#endif
