// SPDX-License-Identifier: MIT
// Everything that runs while a mount is there: stores, leases, disks, key agents, monitor, FUSE
// front and control socket, composed here and nowhere else.
#ifndef CMK_SESSION_H
#define CMK_SESSION_H

#include "attr.h"
#include "cli.h"
#include "errmsg.h"
#include "keyset.h"
#include "warnings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct logger;
struct session;

// What -o can say; durations are DURATION_UNSET when it does not.
struct mount_options {
	uint64_t grace_denied_ms, grace_unreachable_ms, interval_ms;
	bool on_expiry_given, expiry_stops;
	bool resume_manual;
	bool rotation_off; // disks stay with the version of their key that they have
	bool read_only, kernel_cache, allow_other;
	uid_t uid;
	gid_t gid;
	mode_t mode; // permission bits of the files
	struct warning_plan warnings;
	uint32_t hook_timeout_ms; // 0: the default
};

// Who is told what happens. Borrowed.
struct records_config {
	const char *audit_file; // absolute, NULL none
	bool audit_stderr, audit_journal;
	char *const *hooks; // absolute paths of programs
	size_t hook_count;
};

struct session_config {
	const struct cli *cli;
	struct mount_options options;
	const struct keyset *pin; // NULL: the header names the key
	const char *pinned_by;	  // for records: "set", "url" or "header"; static
	struct records_config records;
	char *const *backing;
	int backing_count;
	const char *mountpoint; // absolute, resolved
	struct logger *log;
	bool quiet_agents;	     // their stderr is not ours: for the background
	void (*mounting)(void *ctx); // about to mount; every disk is unlocked
	void (*ready)(void *ctx);    // the mount answers
	void *ctx;
};

// Opens and unlocks every disk and mounts. Starts threads and key agents: fork before.
int session_open(const struct session_config *c, struct session **out, struct errmsg *err) must_use;
// Serves until unmounted or asked to end by SIGTERM or SIGINT (SIGHUP is ignored), which the caller
// has blocked in every thread.
int session_run(struct session *s, struct errmsg *err) must_use;
// Wipes every key, then puts what was written on stable storage. NULL allowed; for scoped().
void session_close(struct session **s);

#endif
