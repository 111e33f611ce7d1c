// SPDX-License-Identifier: MIT
// The session's own structures, for session*.c alone.
#ifndef CMK_SESSION_INTERNAL_H
#define CMK_SESSION_INTERNAL_H

#include "agent.h"
#include "ctl.h"
#include "disk.h"
#include "front.h"
#include "lease.h"
#include "luks.h"
#include "monitor.h"
#include "session.h"
#include "session_event.h"
#include "session_watchman.h"
#include "store.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

// Who is told of a lease's changes: the records, and the log, which may hang.
enum report_to { TO_RECORDS, TO_LOG, REPORT_TO };

struct session_disk {
	struct session *session;
	size_t index;
	char *name;    // in the mount; owned
	char *backing; // absolute, for people; owned
	char path[32]; // /proc/self/fd/N of the descriptor that holds the lock
	struct store *store;
	struct volume *volume;	    // until it is unlocked: an idle disk must be small
	struct volume_info info;    // as first read; without the bindings
	struct lease_policy policy; // in force: never longer than the sealed one
	struct lease *lease;
	struct disk *disk;
	int monitored; // its index at the monitor
	uint32_t sector_size;
	atomic_bool reading; // its header; may hang with the backing store
	// Guarded by session.rotation.lock once the mount is there, and changed by the rotator
	// alone.
	struct binding *binding; // the one in use; owned
	int key;		 // its index at the session and the monitor
	bool to_rotate;		 // its key has a newer version, or a move is not finished
	int rotation_error;	 // -errno of the last try; 0 none
	char *rotation_sentence; // of that; owned
	// Guarded by session.reports.lock, but for the last two, which are the dispatcher's.
	struct {
		unsigned waiting, newest; // how many of its reports; the place of the newest
	} reports[REPORT_TO];
	uint64_t stops_seen; // of the lease
	bool to_forget, forgetting;
	bool forgetter_made;
	pthread_t forgetter;
	struct lease_seen seen; // of the thread that tells the records
	struct disk_watch watch;
};

// A lease's change that is still to be told.
struct report {
	struct session_disk *disk;
	struct lease_view view;
	uint64_t told_ns; // boot time: when it was told
};
#define REPORTS_MAX 64u // when so many wait, a disk's next one takes the place of its newest

struct reports {
	pthread_mutex_t lock; // taken last, nothing is called with it
	pthread_cond_t news;
	struct report_queue {
		struct report *ring; // owned
		unsigned room, first, count, merged;
		pthread_t thread;
		bool runs;
	} to[REPORT_TO];
	bool end;
	pthread_t dispatcher;
	bool dispatches;
};

// A key in use, or in use before; never removed.
struct session_key {
	struct agent *agent; // the asker's
	char *config;	     // what its provider was given; owned
	bool rotates;	     // disks follow its newest version
};

struct job;

// The thread that moves disks to other bindings; whoever wants one moved waits for it.
struct rotation {
	pthread_mutex_t lock; // taken last but for reports.lock; nothing is called with it
	pthread_cond_t news;
	struct job *first;	// what was asked for by hand
	bool wanted;		// by some disk, or a second try is due
	bool retry;		// what failed may go better later, and nobody will say so
	struct agent *asked[2]; // of the pass under way, to be cancelled
	bool end, ended;
	bool in_header; // may hang with the backing store
	bool abandoned; // it did, and the session is gone
	pthread_t thread;
	bool runs;
};

struct session {
	const struct cli *cli;
	struct mount_options options;
	const struct keyset *pin;
	const char *pinned_by;
	char mountpoint[PATH_MAX];
	struct logger *log;
	bool quiet_agents;
	struct session_disk *disks;
	size_t disk_count;
	struct session_key *keys; // by the monitor's index; guarded by rotation.lock
	size_t key_count;
	pthread_mutex_t headers; // of all disks: the volume library is for one thread at a time
	struct crew *crew;
	struct monitor *monitor;
	struct front *front;
	bool hung; // the front gave up waiting for a thread in a backing store
	struct ctl_server *ctl;
	struct records_config records;
	struct session_events events;
	bool told_mounted;
	atomic_bool leaving; // somebody has asked for the end
	struct watchman watchman;
	uint64_t look_ns;	  // how often it looks at keys
	void (*ready)(void *ctx); // as configured
	void *ready_ctx;
	struct reports reports;
	struct rotation rotation;
	pthread_t signal_thread;
	bool signal_thread_runs;
	atomic_bool ending; // the signal that comes is our own
	bool memory_locked;
};

// session_disk.c
int session_disk_open(struct session *s, struct session_disk *d, const char *backing,
	struct errmsg *err) must_use;
int session_disk_bind(struct session *s, struct session_disk *d, struct errmsg *err) must_use;
int session_disk_unlock(struct session *s, struct session_disk *d, struct errmsg *err) must_use;
void session_disk_flush(struct session_disk *d);
void session_disk_close(struct session_disk *d);

// session_header.c
// For the monitor: ctx is the disk.
int session_header_unlock(void *ctx, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err) must_use;
// Opens the header for writing with this binding's slot secret, settles what a broken-off change
// left, and calls fn with the data key, which is wiped when fn returns. *slot_secret is wiped as
// soon as the data key is there. -EBADMSG unless it is the disk that was mounted, and has this very
// binding; -ENOKEY for a disk that is stopped, or stops before fn is called.
int session_header_use(struct session_disk *d, const struct binding *b, struct secret **slot_secret,
	int (*fn)(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err),
	void *ctx, struct errmsg *err) must_use;
// 0 while the disk's data key may be in memory, else -ENOKEY.
int session_header_usable(const struct session_disk *d, struct errmsg *err) must_use;
// Copies the bindings that the header shows now; the caller frees *out.
int session_header_bindings(
	struct session_disk *d, struct binding **out, size_t *count, struct errmsg *err) must_use;

// session_key.c: one agent per key, which is a URL with a provider's settings, shared by the disks
// bound to it. Its index is also the monitor's. Whether one runs for this key already.
bool session_key_known(struct session *s, const char *key_url, const char *config, int *index);
int session_key_agent(struct session *s, const char *key_url, const char *config, const char *disk,
	struct agent **out, struct errmsg *err) must_use;
// Takes the agent, as *agent, for the rest of the session.
int session_key_add(struct session *s, struct agent **agent, const char *config, bool rotates,
	int *index, struct errmsg *err) must_use;
// A copy of the binding in use, which the caller frees, and the agent of its key. NULL: no memory.
struct binding *session_binding(struct session_disk *d, struct agent **agent) must_use;
void session_keys_cancel(struct session *s);
void session_keys_free(struct session *s);

// session_move.c: one disk to another binding, by the rule of rebind.h. Called by the rotator.
// What disks are moved to in one pass.
struct target {
	const char *key_url, *config; // NULL: the newest version of their own key
	bool rotates;		      // for the time after it
	bool only;		      // every other binding goes, not just those of the former key
	bool allow_purgeable;
	const struct ctl_peer *by_hand; // NULL: by itself
};

struct moved {
	int disk;	     // its index
	int rc;		     // 0 or -errno with the sentence
	bool store_refused;  // the same would befall every disk of the key
	bool again;	     // may go better later
	size_t removed;	     // bindings
	struct json *others; // of a move by hand to another key: what else opens it; owned, or NULL
	struct errmsg err;
	char from[BINDING_VERSION_MAX], to[BINDING_VERSION_MAX]; // versions; equal: it was there
	char from_url[BINDING_URL_MAX];				 // of the key that it had
	char key_url[BINDING_URL_MAX];				 // that it has now
};

// A pass asks through agents of its own; those of the askers are theirs.
struct pass {
	struct session *session;
	const struct target *target;
	bool finish_only; // nothing is begun, only what broke off is brought to its end
	struct agent *present, *wanted; // wanted: NULL when it is the same
	int present_key;		// whose agent `present` is
	bool newest_known;
	int newest_rc;
	struct errmsg newest_err;
	struct cmk_key_info newest;
};

void pass_begin(struct pass *p, struct session *s, const struct target *t);
void pass_end(struct pass *p); // for scoped()
void pass_move(struct pass *p, struct session_disk *d, struct moved *out);

// session_rotate.c: the rotator and its work.
int session_rotate_init(struct session *s) must_use;
int session_rotate_start(struct session *s) must_use;
// Lets go whoever waits for it, and gives up the question under way.
void session_rotate_stop(struct session *s);
// After that: 0; -EBUSY if it hangs in a backing store. It touches nothing but the session then.
int session_rotate_end(struct session *s) must_use;
void session_newer(void *session, int key); // for the monitor
// Moves disks by hand, and waits for it: results has room for count, and owns its `others`. -EBUSY:
// the session ends; -ETIMEDOUT: it goes on without us.
int session_move(struct session *s, const struct target *t, const int *disks, size_t count,
	struct moved *results, struct errmsg *err) must_use;

// session_rotate_ctl.c: the requests "rotate" and "rekey"; results for each disk.
int session_ctl_rotate(struct session *s, const struct ctl_peer *peer, const struct json *request,
	const int *disks, size_t count, struct json **reply, struct errmsg *err) must_use;
int session_ctl_rekey(struct session *s, const struct ctl_peer *peer, const struct json *request,
	const int *disks, size_t count, struct json **reply, struct errmsg *err) must_use;
// How a disk stands with the versions of its key.
struct rotation_view {
	bool enabled;
	int64_t bound;			   // Unix seconds: when it went over to the binding in use
	const char *code;		   // of the last failure, static; NULL none
	bool store_refused;		   // that was the key store's word
	char version[BINDING_VERSION_MAX]; // in use
	char message[sizeof(struct errmsg)];
};
void session_rotation(struct session_disk *d, struct rotation_view *out);

// session_policy.c: what is in force: as sealed, or stricter by -o or by the key set.
int session_policy(struct session_disk *d, struct errmsg *err) must_use;
// Whether the disks follow the newest version of their key.
bool session_rotates(const struct session *s);

// session_report.c: any thread may report, and is not held up. The kernel's copies of plaintext are
// forgotten (private mappings have them also without cache=kernel).
// Room for the reports of disk_count disks.
int session_report_init(struct session *s) must_use;
void session_report_destroy(struct session *s);
int session_report_start(struct session *s) must_use;
void session_report(struct session_disk *d, const struct lease_view *v);
void session_report_end(struct session *s);

// session_ctl.c
int session_ctl(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);

#endif
