// SPDX-License-Identifier: MIT
// What the files of this folder share, and what its tests drive by hand: asker_step() and
// timekeeper_step() do everything; the threads only loop around them.
//
// Locks, in the order they are taken: opening, then key.lock. None is held while a lease or a
// source is called, but for `opening`.
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
};

enum request_kind { REQUEST_CHECK, REQUEST_UNLOCK };

// On the stack of a thread that waits for it.
struct request {
	enum request_kind kind;
	struct disk *disk;
	int result;
	struct errmsg err;
	bool done;
	struct request *next;
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
	pthread_mutex_t opening; // one header at a time: the volume library's rule
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
// Unwraps the disk's own binding, opens its header, starts its lease. Called by whoever may use the
// source.
int unlock_disk(struct disk *d, bool by_hand, struct errmsg *err) must_use;
// The sentence of a version outside its dates, "" inside them. room: of out.
void expiry_sentence(
	const struct binding *b, int64_t nbf, int64_t exp, int64_t wall_s, char *out, size_t room);

// asker.c
// Serves the requests, asks if it is time. Returns when it next is.
uint64_t asker_step(struct key *k);
void asker_news(struct key *k);
void *asker_main(void *key);

// timekeeper.c
// Stops every lease whose deadline is over, then reports. Returns the next deadline.
uint64_t timekeeper_step(struct monitor *m);
void *timekeeper_main(void *monitor);

#endif
