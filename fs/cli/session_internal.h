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
	char name[256];		// in the mount
	char backing[PATH_MAX]; // absolute, for people
	char path[64];		// /proc/self/fd/N of the descriptor that holds the lock
	struct store *store;
	struct volume *volume;	       // as first opened; its info is what `status` shows
	const struct binding *binding; // the one in use; owned by the volume
	struct lease_policy policy;    // in force: never longer than the sealed one
	struct lease *lease;
	struct disk *disk;
	int key, monitored; // indices at the session and the monitor
	uint32_t sector_size;
};

struct session_key {
	struct agent *agent;
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
	struct session_key *keys; // room for every binding of every disk: never moves
	size_t key_count;
	struct crew *crew;
	struct monitor *monitor;
	struct front *front;
	struct ctl_server *ctl;
	// libcryptsetup is used by one thread at a time.
	pthread_mutex_t header_lock;
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

// session_ctl.c
int session_ctl(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);

#endif
