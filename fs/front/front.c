// SPDX-License-Identifier: MIT
// The life of a mount: made, served, stopped, and made to forget.
#include "front_internal.h"

#include "disk.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 5 // with the kernel, when the mount ends
#define STRING_OF(x) #x
#define MAX_READ_OPTION(bytes) "max_read=" STRING_OF(bytes)
_Static_assert(DISK_IO_MAX == 1048576, "the mount option below says the same");

static void free_args(struct fuse_args *args)
{
	fuse_opt_free_args(args);
}

static int mount_options(const struct front_config *c, char **opts)
{
	char fsname[1024];
	int n = snprintf(fsname, sizeof(fsname), "fsname=%s", c->fsname ? c->fsname : "cmkdisk");
	if (n < 0 || (size_t)n >= sizeof(fsname))
		return -ENAMETOOLONG;
	// Escaped: a comma in a path must not begin another option.
	if (fuse_opt_add_opt_escaped(opts, fsname) || fuse_opt_add_opt(opts, "subtype=cmkdisk") ||
		fuse_opt_add_opt(opts, "default_permissions") ||
		fuse_opt_add_opt(opts, MAX_READ_OPTION(1048576)) ||
		(c->allow_other && fuse_opt_add_opt(opts, "allow_other")) ||
		(c->read_only && fuse_opt_add_opt(opts, "ro")))
		return -ENOMEM;
	return 0;
}

static int new_session(struct front *f, const struct front_config *c, struct errmsg *err)
{
	struct fuse_args args scoped(free_args) = FUSE_ARGS_INIT(0, NULL);
	char *opts autofree = NULL;
	int r = mount_options(c, &opts);
	if (r)
		return errmsg_set(err, -r, "cannot prepare the mount options: %s", strerror(-r));
	if (fuse_opt_add_arg(&args, "cmkdisk") || fuse_opt_add_arg(&args, "-o") ||
		fuse_opt_add_arg(&args, opts))
		return errmsg_set(err, ENOMEM, "out of memory for the mount options");
	f->session = fuse_session_new(&args, &front_ops, sizeof(front_ops), f);
	if (f->session)
		return 0;
	char why[256];
	fuse_log_last(why, sizeof(why));
	return errmsg_set(err, EINVAL, "libfuse refuses the mount options \"%s\": %s", opts, why);
}

static int mount_session(struct front *f, const struct front_config *c, struct errmsg *err)
{
	errno = 0;
	if (fuse_session_mount(f->session, c->mountpoint) == 0) {
		if (!mountpoint_device(c->mountpoint, &f->device))
			log_debug(f->log, "%s: no number of the mount", c->mountpoint);
		return 0;
	}
	// Through fusermount3 errno says nothing; the helper has told its reason on stderr.
	int errnum = geteuid() == 0 && errno ? errno : EPERM;
	char why[256];
	fuse_log_last(why, sizeof(why));
	return errmsg_set(err, errnum,
		"%s: cannot mount: %s; the host must permit FUSE mounts (in a container: "
		"/dev/fuse and CAP_SYS_ADMIN)",
		c->mountpoint, why[0] ? why : "fusermount3 refused");
}

static int init_locks(struct front *f)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);
	if (r)
		return -r;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_mutex_init(&f->lock, NULL);
	if (!r)
		r = pthread_cond_init(&f->news, &attr);
	if (!r)
		r = pthread_key_create(&f->self, NULL);
	(void)pthread_condattr_destroy(&attr);
	return -r;
}

int front_new(const struct front_config *c, struct front **out, struct errmsg *err)
{
	int r = mountpoint_check(c, err);
	if (r)
		return r;
	struct front *made = calloc(1, sizeof(*made));
	if (!made)
		return errmsg_set(err, ENOMEM, "out of memory for the mount");
	r = init_locks(made);
	if (r) {
		free(made);
		return errmsg_set(err, -r, "cannot make the mount's locks: %s", strerror(-r));
	}
	struct front *f scoped(front_free) = made;
	f->log = c->log;
	f->ready = c->ready;
	f->ctx = c->ctx;
	f->kernel_cache = c->kernel_cache;
	fuse_log_route(NULL); // the sentence tells it, once
	f->mountpoint = strdup(c->mountpoint);
	if (!f->mountpoint)
		return errmsg_set(err, ENOMEM, "out of memory for the mount");
	r = tree_init(&f->tree, c, err);
	if (!r)
		r = new_session(f, c, err);
	if (!r)
		r = mount_session(f, c, err);
	if (r)
		return r;
	fuse_log_route(c->log);
	*out = TAKE(f);
	return 0;
}

// While the kernel forgets it may wait for answers to reads that are on their way: the workers go
// on until it is done. Not for ever: such an answer may wait for a backing store that hangs.
static void stop_and_wait_for_forgetting(struct front *f)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	int r = 0;
	with_lock(&f->lock);
	f->stopping = true;
	while (f->forgetting > 0 && !r)
		r = pthread_cond_timedwait(&f->news, &f->lock, &until);
}

static bool still_forgetting(struct front *f)
{
	with_lock(&f->lock);
	return f->forgetting > 0;
}

// Closes the connection first, which fails what is still open or waiting, and then detaches the
// mount: it cannot hang on an open file.
static void end_mount(struct front *f)
{
	if (!f->stuck && !still_forgetting(f)) {
		fuse_session_unmount(f->session);
		return;
	}
	// A thread of our own that waits inside has the connection open as well.
	autoclose int fd = fcntl(fuse_session_fd(f->session), F_DUPFD_CLOEXEC, 0);
	mountpoint_force(f->mountpoint, f->device, fd);
	fuse_session_unmount(f->session);
	mountpoint_abort(f->device, fd);
}

int front_run(struct front *f)
{
	int r = workers_start(f);
	if (!r)
		r = workers_wait(f);
	stop_and_wait_for_forgetting(f);
	f->stuck = workers_join(f) != 0;
	end_mount(f);
	if (!f->stuck)
		return r;
	fuse_log_unroute(); // the logger need not stay as long as the threads
	return -ETIMEDOUT;
}

void front_stop(struct front *f)
{
	with_lock(&f->lock);
	f->stopping = true;
	(void)pthread_cond_broadcast(&f->news);
}

// A read that was decrypted before the stop may still be about to hand its plaintext to the
// kernel, and would fill the cache again behind the invalidation. It says so in `replying` and
// then asks disk_check() once more; so when the count is zero after the stop, whoever comes later
// hands over an error.
static void wait_for_replies(struct node *n)
{
	const struct timespec pause = {.tv_nsec = 20000};
	while (atomic_load(&n->replying) > 0)
		(void)nanosleep(&pause, NULL);
}

void front_forget(struct front *f, size_t i)
{
	if (i >= f->tree.count)
		return;
	(void)pthread_mutex_lock(&f->lock);
	bool gone = f->stopping || f->ended;
	if (!gone)
		f->forgetting++;
	(void)pthread_mutex_unlock(&f->lock);
	if (gone)
		return; // the connection's end takes the cache with it

	wait_for_replies(&f->tree.nodes[i]);
	// -ENOENT: the kernel has never heard of the file; -ENOSYS: it has not said hello yet, and
	// caches nothing.
	int r = fuse_lowlevel_notify_inval_inode(f->session, tree_ino(i), 0, 0);
	if (r && r != -ENOENT && r != -ENOSYS)
		log_warning(f->log, "%s: the kernel would not drop cached pages: %s",
			f->tree.nodes[i].name, strerror(-r));

	(void)pthread_mutex_lock(&f->lock);
	f->forgetting--;
	(void)pthread_cond_broadcast(&f->news);
	(void)pthread_mutex_unlock(&f->lock);
}

void front_free(struct front **fp)
{
	struct front *f = *fp;
	if (!f)
		return;
	*fp = NULL;
	if (f->stuck)
		return;
	if (f->session) {
		fuse_session_unmount(f->session);
		fuse_session_destroy(f->session);
	}
	fuse_log_unroute();
	tree_destroy(&f->tree);
	free(f->mountpoint);
	(void)pthread_key_delete(f->self);
	(void)pthread_cond_destroy(&f->news);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}
