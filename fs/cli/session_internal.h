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
	uint64_t stops_seen; // of the lease; guarded, as the next, by session.forget.lock
	bool to_forget;
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
	struct ctl_server *ctl;
	// libcryptsetup is used by one thread at a time.
	pthread_mutex_t header_lock;
	struct {
		pthread_mutex_t lock; // taken last, nothing is called with it
		pthread_cond_t news;
		pthread_t thread;
		bool runs, end;
	} forget;
	pthread_t signal_thread;
	bool signal_thread_runs;
	bool memory_locked;
};

// session_disk.c
int session_disk_open(struct session *s, struct session_disk *d, const char *backing,
	struct errmsg *err) must_use;
int session_disk_bind(struct session *s, struct session_disk *d, struct errmsg *err) must_use;
void session_disk_close(struct session_disk *d);

// session_key.c: the agent for a binding's key; its index is also the monitor's.
int session_key_for(struct session *s, const struct binding *b, const char *disk, int *index,
	struct errmsg *err) must_use;

// session_forget.c: the kernel's copies of a stopped disk's plaintext (private mappings have them
// also without cache=kernel). stops: of the lease's view. Any thread.
int session_forget_start(struct session *s) must_use;
void session_forget(struct session *s, struct session_disk *d, uint64_t stops);
void session_forget_end(struct session *s);

// session_ctl.c
int session_ctl(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);

#endif
