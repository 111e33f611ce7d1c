// SPDX-License-Identifier: MIT
// Composes a mount. Order of making: crew, monitor, disks (store locked, header read, key asked for
// its first grant), FUSE front, monitor threads, control socket. Taken down in the opposite order,
// with the keys wiped before anything that may block, and the backing files let go of before the
// last programs and the audit log are waited for.
#include "cipher.h"
#include "log.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INTERVAL_DEFAULT_MS (60 * MS_PER_S)
#define MOUNT_PATIENCE_MS (60 * MS_PER_S) // with a key store that is only busy

static bool may_lock_everything(void)
{
	struct rlimit limit;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
	if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur == RLIM_INFINITY)
		return true;
	return !syscall(SYS_capget, &head, caps) &&
	       (caps[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK));
}

// A filesystem's write-back may wait for this very process: the kernel must not make it wait for
// that write-back when it allocates, nor page it out. Both need privileges; without them it runs.
static void become_io_helper(struct session *s)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_debug(s->log, "not marked as an I/O helper of the kernel's: %m");
	// With a limit, a later allocation would fail where it now is only not locked.
	if (!may_lock_everything())
		log_debug(s->log, "only memory for keys is locked: there is a limit (ulimit -l)");
	else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		log_debug(s->log, "only memory for keys is locked: %m");
}

static unsigned idle_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	return n > 1 ? (unsigned)n - 1 : 0;
}

static int make_monitor(struct session *s, struct errmsg *err)
{
	uint64_t interval = s->options.interval_ms;
	if (interval == DURATION_UNSET && s->pin)
		interval = s->pin->interval_ms;
	if (interval < s->look_ns / NS_PER_MS)
		s->look_ns = interval * NS_PER_MS;
	int rc = monitor_new(
		&(struct monitor_config){.clock = clock_real(),
			.log = s->log,
			.newer = session_newer,
			.newer_ctx = s,
			.near_expiry_s = s->pin ? s->pin->near_expiry_s : 0,
			.patience_ms = MOUNT_PATIENCE_MS,
			.interval_ms = interval != DURATION_UNSET ? interval : INTERVAL_DEFAULT_MS},
		&s->monitor);
	return rc ? errmsg_set(err, -rc, "the monitor: %s", strerror(-rc)) : 0;
}

// One after the other, so that a header's memory serves the next one.
static int make_disks(struct session *s, char *const *backing, struct errmsg *err)
{
	for (size_t i = 0; i < s->disk_count; i++) {
		struct session_disk *d = &s->disks[i];
		int rc = session_disk_open(s, d, backing[i], err);
		if (!rc)
			rc = session_disk_bind(s, d, err);
		if (rc)
			return rc;
	}
	// The deadline of one that is unlocked holds while the others wait for their key.
	int rc = monitor_keep_time(s->monitor);
	if (rc)
		return errmsg_set(err, -rc, "cannot start a thread: %s", strerror(-rc));
	for (size_t i = 0; i < s->disk_count && !rc; i++)
		rc = session_disk_unlock(s, &s->disks[i], err);
	if (rc)
		return rc;
	s->memory_locked = cipher_memory_locked();
	if (!s->memory_locked)
		log_warning(s->log, "memory for keys cannot be locked (ulimit -l); they may reach "
				    "the swap");
	(void)malloc_trim(0); // what the headers took is not needed again
	return 0;
}

static void on_ready(void *ctx)
{
	struct session *s = ctx;
	session_event_mounted(s);
	s->ready(s->ready_ctx);
}

static int make_front(struct session *s, const struct session_config *c, struct errmsg *err)
{
	struct front_disk *list autofree = calloc(s->disk_count, sizeof(*list));
	if (!list)
		return errmsg_set(err, ENOMEM, "out of memory");
	c->mounting(c->ctx);
	s->ready = c->ready;
	s->ready_ctx = c->ctx;
	for (size_t i = 0; i < s->disk_count; i++)
		list[i] = (struct front_disk){.name = s->disks[i].name, .disk = s->disks[i].disk};
	return front_new(&(struct front_config){.mountpoint = s->mountpoint,
				 .fsname = s->disk_count == 1 ? s->disks[0].backing : NULL,
				 .disks = list,
				 .disk_count = s->disk_count,
				 .kernel_cache = s->options.kernel_cache,
				 .allow_other = s->options.allow_other,
				 .read_only = s->options.read_only,
				 .uid = s->options.uid,
				 .gid = s->options.gid,
				 .mode = s->options.mode,
				 .log = s->log,
				 .ready = on_ready,
				 .ctx = s},
		&s->front, err);
}

static void *signal_thread(void *arg)
{
	struct session *s = arg;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	int sig = 0;
	(void)sigwait(&set, &sig);
	if (atomic_load(&s->ending))
		return NULL;
	log_notice(
		s->log, "%s: unmounting %s", sig == SIGTERM ? "SIGTERM" : "SIGINT", s->mountpoint);
	front_stop(s->front);
	return NULL;
}

static int start_threads(struct session *s, struct errmsg *err)
{
	int rc = session_report_start(s);
	if (!rc)
		rc = monitor_start(s->monitor);
	if (!rc)
		rc = session_rotate_start(s);
	if (!rc && session_events_wanted(s))
		rc = session_watchman_start(s);
	if (!rc)
		rc = -pthread_create(&s->signal_thread, NULL, signal_thread, s);
	if (rc)
		return errmsg_set(err, -rc, "cannot start a thread: %s", strerror(-rc));
	s->signal_thread_runs = true;
	return 0;
}

static int compose(struct session *s, const struct session_config *c, struct errmsg *err)
{
	become_io_helper(s);
	volume_locks_are_ours();
	int rc = crew_new(idle_cores(), &s->crew);
	if (rc)
		return errmsg_set(err, -rc, "cannot start a thread: %s", strerror(-rc));
	rc = make_monitor(s, err);
	if (!rc)
		rc = make_disks(s, c->backing, err);
	if (!rc)
		rc = make_front(s, c, err);
	if (!rc)
		rc = start_threads(s, err);
	// Last, since whoever asks needs all of it.
	return rc ? rc : ctl_server_new(s->mountpoint, session_ctl, s, s->log, &s->ctl, err);
}

static int make_room(struct session *s, size_t disks)
{
	s->disks = calloc(disks, sizeof(*s->disks));
	s->disk_count = s->disks ? disks : 0;
	for (size_t i = 0; i < s->disk_count; i++) {
		s->disks[i].session = s;
		s->disks[i].index = i;
		s->disks[i].seen.state = LEASE_STOPPED;
	}
	(void)pthread_mutex_init(&s->events.lock, NULL);
	s->watchman.waker = (struct waker){-1, -1};
	int rc = session_report_init(s), rotate = session_rotate_init(s);
	rc = rc ? rc : rotate;
	if (!rc)
		rc = session_watchman_init(s);
	return s->disks ? rc : -ENOMEM;
}

int session_open(const struct session_config *c, struct session **out, struct errmsg *err)
{
	if (cipher_init_process())
		return errmsg_set(err, EBUSY, "OpenSSL was used before its memory could be locked");
	struct session *s scoped(session_close) = calloc(1, sizeof(*s));
	if (!s)
		return errmsg_set(err, ENOMEM, "out of memory");
	s->cli = c->cli;
	s->options = c->options;
	s->pin = c->pin;
	s->log = c->log;
	s->pinned_by = c->pinned_by;
	s->records = c->records;
	s->quiet_agents = c->quiet_agents;
	(void)snprintf(s->mountpoint, sizeof(s->mountpoint), "%s", c->mountpoint);
	int rc = make_room(s, (size_t)c->backing_count);
	if (rc)
		return errmsg_set(err, -rc, "out of memory");
	rc = session_events_open(s, err);
	if (rc)
		return rc;
	rc = compose(s, c, err);
	if (rc) {
		session_event_refused(s, rc, err);
		return rc;
	}
	*out = TAKE(s);
	return 0;
}

int session_run(struct session *s, struct errmsg *err)
{
	int rc = front_run(s->front);
	s->hung = rc == -ETIMEDOUT;
	if (s->hung)
		return errmsg_set(err, ETIMEDOUT,
			"%s: unmounted, but requests in a backing file that does not answer were "
			"given up; look after its storage",
			s->mountpoint);
	if (rc)
		return errmsg_set(err, -rc, "%s: serving ended: %s", s->mountpoint, strerror(-rc));
	return 0;
}

// A thread still waits inside a backing store that hangs. The keys are wiped; the end of the
// process, which is near, takes the rest.
static void leave_behind(struct session *s)
{
	log_warning(s->log, "%s: a backing store hangs; not waiting for it", s->mountpoint);
	// A flush of the one that hangs would hang as well.
	for (size_t i = 0; i < s->disk_count && !s->hung; i++)
		session_disk_flush(&s->disks[i]);
	session_keys_free(s);
}

// The backing files are free when this returns, and whoever unmounts may know. Unless hooks still
// run, one of which may be the one that unmounts, the end of the process, which is near, tells
// them.
static void let_go(struct session *s)
{
	for (size_t i = 0; i < s->disk_count; i++)
		session_disk_close(&s->disks[i]);
	session_keys_free(s);
	crew_free(&s->crew);
	if (!session_hooks_busy(s))
		return;
	if (s->ctl)
		ctl_server_release(s->ctl);
	log_notice(s->log, "%s: unmounted; hooks still run, and have at most %u s", s->mountpoint,
		session_hooks_time_ms(s) / 1000);
}

static void destroy(struct session *s)
{
	ctl_server_free(&s->ctl);
	free(s->disks);
	(void)pthread_mutex_destroy(&s->headers);
	(void)pthread_cond_destroy(&s->rotation.news);
	(void)pthread_mutex_destroy(&s->rotation.lock);
	(void)pthread_mutex_destroy(&s->events.lock);
	session_watchman_destroy(s);
	free(s->events.head);
	session_report_destroy(s);
	free(s);
}

void session_close(struct session **sp)
{
	struct session *s = *sp;
	if (!s)
		return;
	if (s->signal_thread_runs) {
		atomic_store(&s->ending, true);
		(void)pthread_kill(s->signal_thread, SIGTERM);
		(void)pthread_join(s->signal_thread, NULL);
	}
	atomic_store(&s->leaving, true);
	// First, and not after somebody's wait for a key store that hangs.
	if (s->monitor)
		monitor_stop(s->monitor);
	session_keys_cancel(s);
	session_rotate_stop(s);
	if (s->ctl)
		ctl_server_stop(s->ctl);
	session_watchman_end(s); // asks the monitor
	bool stuck = session_rotate_end(s) < 0;
	stuck |= monitor_free(&s->monitor) < 0;
	session_report_end(s);
	front_free(&s->front);
	session_event_unmounted(s);
	stuck |= s->hung;
	if (stuck)
		leave_behind(s);
	else
		let_go(s);
	stuck |= session_events_close(s) < 0;
	*sp = NULL;
	if (!stuck)
		destroy(s);
}
