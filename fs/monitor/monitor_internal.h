// SPDX-License-Identifier: MIT
// What the files of this folder share, and what its tests drive by hand: asker_step() and
// timekeeper_step() do everything; the threads only loop around them.
//
// Locks: resumer.lock, key.lock and monitor.lock, never one inside the other. None is held while a
// lease, a source or an opener is called.
//
// A disk, its binding and its group belong to the asker of its key: no other thread writes them.
// What other threads look at is written under monitor.lock.
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
	struct monitor *monitor;
	struct binding binding;
	struct lease *lease;
	struct disk_opener opener;
	struct disk *next; // in its group
	atomic_int told;   // the error of its resumption that the log was told last
	atomic_uint moves; // how often it was bound anew: what was asked before that is void
	unsigned openings; // resumer.lock: queued or under way

	// monitor.lock; written by the asker that lets it go or takes it over
	struct key *key;
	struct group *group; // NULL: on its way to key
};

#define UNMOUNTING "The disk is being unmounted"

// The disks that one version of a key opens: one question proves it for all. Never empty.
struct group {
	struct group *next;
	char version[BINDING_VERSION_MAX];
	struct disk *first;
	size_t count;
	struct disk *probe;	 // whose binding is asked about; moves on when it is bad
	enum cmk_verdict logged; // what the log was told last; granted at first
	bool told_unseen, told_expiry;
	bool soon; // a disk has come: to be asked about before the interval is over

	// Of the round under way.
	bool asked, proof;
	struct lease_verdict verdict;

	// monitor.lock:
	struct monitor_view view;
	bool info_known;
	uint64_t described_ns; // when that was
};

enum request_kind { REQUEST_CHECK, REQUEST_UNLOCK };

// Belongs to a thread that waits for it.
struct request {
	enum request_kind kind;
	struct disk *disk;
	struct key *key; // whose asker has it
	int result;	 // -ESTALE: the disk is another key's by now; ask there
	struct errmsg err;

	// key.lock:
	bool done;
	struct opening *opening; // in the resumer's hands: the one who waits may leave
	struct request *next;
};

// What the key store has granted, on its way to a started lease: the header is still to be read.
struct opening {
	struct disk *disk;
	struct key *key; // that granted it
	const struct group *group;
	struct binding binding;	    // what was asked about; the disk's may be another by now
	unsigned moves;		    // of the disk, then
	struct secret *slot_secret; // owned
	struct lease_verdict v;
	bool by_hand;
	struct request *waiter; // key.lock; NULL nobody
	struct opening *next;
};

// A disk on its way to another binding: first to the asker that has it, then to the one that shall.
struct move {
	struct disk *disk;
	struct key *to;
	struct binding binding;
	struct group *fresh; // owned; for the first disk of a version
	bool left;	     // the former asker has let go of the disk
	struct move *next;   // key.lock
	// monitor.lock:
	bool done;
	bool abandoned; // nobody waits for it
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
	int index;
	struct key_source source;
	struct group *groups; // the asker's own, as what follows up to the lock
	struct waker waker;
	pthread_t thread;
	bool running;
	struct schedule schedule;
	uint64_t soon_ns, last_soon_ns; // when groups that are soon are asked about; when last
	uint64_t deaf_until_ns;		// its descriptor is not listened to before
	char told_newest[CMK_VERSION_MAX];
	atomic_bool granted; // something, once

	pthread_mutex_t lock; // guards what follows
	pthread_cond_t answered;
	struct request *requests;
	struct move *moves;
	bool closed; // nobody will answer any more

	// monitor.lock:
	uint64_t next_check_ns, interval_ns;
	struct cmk_key_info newest; // version "": unknown
};

struct monitor {
	struct monitor_config config;
	struct disk **disks;
	size_t disk_count;
	pthread_mutex_t lock; // guards what follows, and what names it elsewhere
	pthread_cond_t moved;
	struct key **keys;
	size_t key_count;
	bool started;

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
// Puts what is known about the dates into a verdict that did not know them.
void verdict_dates(const struct disk *d, struct lease_verdict *v);
// One question about a version, told to all its disks. retry_after_ms is raised as the store asks
// for. The answer is left in g->verdict, and whether it is a proof for all of them in g->proof.
void ask_version(struct key *k, struct group *g, uint32_t *retry_after_ms);
// What follows from a grant: attributes, and with their dates the disks are told again if they
// changed; then those are resumed that may.
struct attributes;
void ask_granted(struct key *k, struct group *g, struct attributes *a, bool full);

// attributes.c: what is asked for once in a round. Zero-filled at its beginning.
struct attributes {
	bool asked_newest;
	bool newest_seen;
	struct cmk_key_info newest;
	struct agent_answer newest_answer;
	bool silent; // the store did not answer: it is not asked for more in this round
	struct agent_answer silence;
};
// Asks for the attributes of a version, and of the newest where that is followed, and remembers
// them. True if the version's dates differ from those known before.
bool attributes_ask(struct key *k, struct group *g, struct attributes *a);
bool attributes_recent(const struct group *g, const struct monitor *m);
// At a round's end: tells about a newer version if there is one.
void attributes_newer(struct key *k, const struct attributes *a);
bool attributes_near_expiry(const struct monitor *m, const struct cmk_key_info *info);

// rebind.c
// Begins it; rebind_wait() must follow, which takes it.
int rebind_begin(
	struct monitor *m, int disk, int key, const struct binding *b, struct move **out) must_use;
int rebind_wait(
	struct monitor *m, struct move *mv, uint32_t patience_ms, struct errmsg *err) must_use;
// The asker's part.
void rebind_serve(struct key *k);
// What was not served by the end of its key.
void rebind_drop(struct key *k);

// groups.c
// A new one, in no list.
struct group *group_new(const char *version);
// Into the key's group of that version, or into *fresh, which is taken if there is none.
void group_join(struct key *k, struct disk *d, struct group **fresh);
// Out of it; frees it if it was the last.
void group_leave(struct key *k, struct disk *d);
// A key is asked thrice in the shortest time that one of its disks lives without an answer, or that
// disk would stop although the store grants everything.
void group_limit_interval(struct key *k, const struct lease *lease);

// unlock.c
// Unwraps the disk's own binding. Called by whoever may use the source. fresh: the attributes as
// well, even if they were asked for a moment ago. *out is the caller's. Sentences name the disk.
// *retry_after_ms: when the store wants to be asked again; 0 it did not say.
int unlock_ask(struct disk *d, bool fresh, struct opening **out, uint32_t *retry_after_ms,
	struct errmsg *err) must_use;
// Opens the header and starts the lease. -ESTALE without a sentence: the disk was bound anew
// meanwhile.
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
// The same of one disk that is to be bound anew.
void resumer_drop_disk(struct monitor *m, const struct disk *d);
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
