// SPDX-License-Identifier: MIT
// What the files of this folder share, and what its tests drive by hand: asker_step() and
// timekeeper_step() do everything; the threads only loop around them.
//
// Locks: resumer.lock and key.lock, never one inside the other. None is held while a lease, a
// source or an opener is called.
#ifndef CMK_MONITOR_INTERNAL_H
#define CMK_MONITOR_INTERNAL_H

#include "agent.h"
#include "monitor.h"
#include "schedule.h"
#include "waker.h"

#include <pthread.h>
#include <stdatomic.h>

struct group;
struct key;

struct disk {
	struct binding binding;
	struct lease *lease;
	struct disk_opener opener;
	struct key *key;
	struct group *group;
	atomic_int told;   // the error of its resumption that the log was told last
	unsigned openings; // resumer.lock: queued or under way
};

#define UNMOUNTING "The disk is being unmounted"

// The disks that one version of a key opens: one question proves it for all.
struct group {
	struct disk **disks;
	size_t count;
	size_t probe;		 // whose binding is asked about; moves on when it is bad
	enum cmk_verdict logged; // what the log was told last; granted at first

	// key.lock:
	struct monitor_view view;
	bool info_known;
	uint64_t described_ns; // when that was
};

enum request_kind { REQUEST_CHECK, REQUEST_UNLOCK };

// Belongs to a thread that waits for it.
struct request {
	enum request_kind kind;
	struct disk *disk;
	int result;
	struct errmsg err;

	// key.lock:
	bool done;
	struct opening *opening; // in the resumer's hands: the one who waits may leave
	struct request *next;
};

// What the key store has granted, on its way to a started lease: the header is still to be read.
struct opening {
	struct disk *disk;
	struct secret *slot_secret; // owned
	struct lease_verdict v;
	bool by_hand;
	struct request *waiter; // key.lock; NULL nobody
	struct opening *next;
};

// Reads headers, one at a time, which is the volume library's rule. A backing store may hang while
// one is read; no question about a key waits for that.
struct resumer {
	pthread_mutex_t lock; // guards what follows
	pthread_cond_t news;
	struct opening *first, *last;
	bool stopping, ended;

	pthread_t thread;
	bool running;
};

struct key {
	struct monitor *monitor;
	struct key_source source;
	struct group **groups;
	size_t group_count;
	struct waker waker;
	pthread_t thread;
	bool running;
	struct schedule schedule; // the asker's own
	uint64_t deaf_until_ns;	  // the asker's own: its descriptor is not listened to before

	pthread_mutex_t lock; // guards what follows, and the groups' views
	pthread_cond_t answered;
	struct request *requests;
	bool closed; // nobody will answer any more
	uint64_t next_check_ns;
};

struct monitor {
	struct monitor_config config;
	struct disk **disks;
	size_t disk_count;
	struct key **keys;
	size_t key_count;
	struct waker timekeeper;
	pthread_t timekeeper_thread;
	bool timekeeper_running;
	atomic_bool stopping;
	struct resumer resumer;
};

// ask.c
int verdict_errno(enum cmk_verdict v);
// The verdict as leases want it, with what is known about the version's dates. Sentence of an
// expired or not yet valid key included.
void verdict_fill(const struct disk *d, const struct agent_answer *a, uint64_t asked_ns,
	struct lease_verdict *out);
// Asks for the attributes and remembers them. True if they differ from those known before.
bool ask_describe(struct disk *d);
// One question about a version, told to all its disks; then resumes those that may. True if it is
// a proof for all of them. retry_after_ms is raised as the store asks for.
bool ask_group(struct key *k, struct group *g, uint32_t *retry_after_ms, struct lease_verdict *out);

// unlock.c
// Unwraps the disk's own binding. Called by whoever may use the source. fresh: the attributes as
// well, even if they were asked for a moment ago. *out is the caller's. Sentences name the disk.
int unlock_ask(struct disk *d, bool fresh, struct opening **out, struct errmsg *err) must_use;
// Opens the header and starts the lease.
int unlock_open(struct opening *o, struct errmsg *err) must_use;
// Tells the log why a disk does not resume, once for each change of the reason.
void resume_failed(struct disk *d, int r, const struct errmsg *err);
void opening_free(struct opening **o); // for scoped()

// resumer.c
int resumer_init(struct resumer *r) must_use;
void resumer_destroy(struct resumer *r);
void *resumer_main(void *monitor);
// Hands it over. Without a thread (tests) it is done before this returns.
void resumer_push(struct monitor *m, struct opening *o);
bool resumer_has(struct monitor *m, const struct disk *d);
// Forgets what waits, of one version's disks or all (NULL): a slot secret must not outlive the
// grant it came with.
void resumer_drop(struct monitor *m, const struct group *g);
// 0 once the thread has ended; -EBUSY if it still waits for a header after a while.
int resumer_end(struct monitor *m) must_use;

// asker.c
// Serves the requests, asks if it is time. Returns when it next is.
uint64_t asker_step(struct key *k);
void asker_news(struct key *k);
void *asker_main(void *key);
// Takes no more requests, and lets go of those whose header is being read.
void asker_close(struct key *k);

// timekeeper.c
// Stops every lease whose deadline is over, then reports. Returns the next deadline.
uint64_t timekeeper_step(struct monitor *m);
void *timekeeper_main(void *monitor);

#endif
