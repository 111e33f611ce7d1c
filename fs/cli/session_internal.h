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
#include "store.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

struct session_disk {
	struct session *session;
	size_t index;
	char *name;    // in the mount; owned
	char *backing; // absolute, for people; owned
	char path[32]; // /proc/self/fd/N of the descriptor that holds the lock
	struct store *store;
	struct volume *volume;	    // until it is unlocked: an idle disk must be small
	struct volume_info info;    // as first read; without the bindings
	struct binding *binding;    // the one in use; owned
	struct lease_policy policy; // in force: never longer than the sealed one
	struct lease *lease;
	struct disk *disk;
	int key, monitored; // indices at the session and the monitor
	uint32_t sector_size;
	atomic_bool reading; // its header; may hang with the backing store
	// Guarded by session.reports.lock, but for the last two, which are the dispatcher's.
	uint64_t stops_seen; // of the lease
	bool to_forget, forgetting;
	bool forgetter_made;
	pthread_t forgetter;
};

// A lease's change that is still to be logged.
struct report {
	struct session_disk *disk;
	struct lease_view view;
};
#define REPORTS_MAX 64u

struct reports {
	pthread_mutex_t lock; // taken last, nothing is called with it
	pthread_cond_t news;
	struct report ring[REPORTS_MAX];
	unsigned first, count, lost;
	bool end;
	pthread_t logger, dispatcher;
	bool logs, dispatches;
};

struct session {
	const struct cli *cli;
	struct mount_options options;
	const struct keyset *pin;
	char mountpoint[PATH_MAX];
	struct logger *log;
	bool quiet_agents;
	struct session_disk *disks;
	size_t disk_count;
	struct agent **agents; // by the monitor's index of their key
	size_t agent_count;
	struct crew *crew;
	struct monitor *monitor;
	struct front *front;
	bool hung; // the front gave up waiting for a thread in a backing store
	struct ctl_server *ctl;
	struct reports reports;
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

// session_key.c: one agent per key, shared by the disks bound to it. Its index is also the
// monitor's. Whether one runs for this key already.
bool session_key_known(const struct session *s, const char *key_url, int *index);
int session_key_agent(struct session *s, const struct binding *b, const char *disk,
	struct agent **out, struct errmsg *err) must_use;
// Takes the agent, as *agent, for the rest of the session.
int session_key_add(
	struct session *s, struct agent **agent, int *index, struct errmsg *err) must_use;

// session_policy.c: what is in force: as sealed, or stricter by -o or by the key set.
int session_policy(struct session_disk *d, struct errmsg *err) must_use;

// session_report.c: any thread may report, and is not held up. The kernel's copies of plaintext are
// forgotten (private mappings have them also without cache=kernel).
int session_report_init(struct session *s) must_use;
int session_report_start(struct session *s) must_use;
void session_report(struct session_disk *d, const struct lease_view *v);
void session_report_end(struct session *s);

// session_ctl.c
int session_ctl(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);

#endif
