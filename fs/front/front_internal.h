// SPDX-License-Identifier: MIT
// What the files of the FUSE server share: the server itself, its threads and its checks. Nobody
// outside this folder includes it.
#ifndef CMK_FRONT_INTERNAL_H
#define CMK_FRONT_INTERNAL_H

#define FUSE_USE_VERSION 312

#include "attr.h"
#include "errmsg.h"
#include "front.h"
#include "tree.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// One thread that serves requests.
struct worker {
	pthread_t thread;
	struct front *front;
	struct fuse_buf in; // in.mem is the worker's; a reply's data is made in it, too
	bool extra;	    // beyond the usual number: ends when enough others are idle
	struct worker *next;
};

struct front {
	struct tree tree;
	struct logger *log;
	void (*ready)(void *ctx);
	void *ctx;
	bool kernel_cache;
	struct fuse_session *session;
	pthread_key_t self; // the calling thread's struct worker

	char *mountpoint;
	unsigned device;       // minor number of the filesystem
	atomic_int hello;      // 0, 1: the kernel's INIT was handled, 2: and ready() was called
	atomic_uint idle;      // workers that wait for a request, or have ended with the mount
	atomic_ulong served;   // requests answered
	atomic_bool saturated; // front_run() watches for a stall
	atomic_bool surplus;   // the next worker that is done ends
	unsigned cores;	       // of the machine, 2 to the usual number of workers

	pthread_mutex_t lock;	// guards what follows
	pthread_cond_t news;	// any of it changed, or saturated was set
	struct worker *workers; // the list changes only while !stopping && !ended
	unsigned worker_count;
	unsigned forgetting; // threads inside front_forget()
	size_t put_by;	     // bytes of the requests that are
	bool stopping;	     // front_stop() was called
	bool ended;	     // a worker found the mount gone, or failed
	int error;	     // the failure, -errno
	bool stuck;	     // front_run() gave up waiting for a worker
};

// A request on a disk with all that is needed to carry it out later. What is not put by lives on
// its caller's stack.
struct request {
	fuse_req_t req;
	struct node *node;
	void (*run)(struct front *f, const struct request *q); // replies
	uint64_t off;
	uint64_t len;
	int mode;
	const char *data; // len bytes, or NULL
	struct request *next;
};

// ops.c
extern const struct fuse_lowlevel_ops front_ops;

// ops_io.c, for the table in ops.c
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);

// admit.c: carries it out, now or when the disk has a thread free. Never waits for either.
void admit(struct front *f, const struct request *q);

// machine.c: processors this process may use; milliseconds that all of the machine's have spent
// idle, 0 if that cannot be known.
unsigned machine_cores(void);
unsigned long machine_idle_ms(void);

// workers.c
int workers_start(struct front *f) must_use;
int workers_wait(struct front *f) must_use; // until stopping or ended; 0 or the failure
// Lets the workers finish what they have begun and ends them; their buffers are freed. -ETIMEDOUT:
// some have not moved for a while. Those are left behind, with all that they use.
int workers_join(struct front *f) must_use;
// DISK_IO_MAX bytes, page-aligned, of the calling worker's. What the request itself brought with
// it, a write's data or a name, is gone when they are used.
void *worker_reply_buffer(struct front *f);

// mountpoint.c: all that can be known to be wrong before mount(2) is tried. -errno, sentence.
int mountpoint_check(const struct front_config *c, struct errmsg *err) must_use;

// The number of the filesystem mounted there, for the next; false if there is none. Asks no server.
bool mountpoint_device(const char *mountpoint, unsigned *minor) must_use;
// Both break the connection (fd): every request that the kernel waits for fails, so that nobody is
// left waiting in it. (The end of the process would do that, too, but cannot while such a wait is
// its own.) The first is root's way and unmounts; the other, for all, comes after the
// unmount and needs fusectl.
void mountpoint_force(const char *mountpoint, unsigned minor, int fd);
void mountpoint_abort(unsigned minor, int fd);

// fuse_log.c: libfuse's messages go to log from now on (NULL: are only remembered).
void fuse_log_route(struct logger *log);
// Gives back what libfuse does at first: stderr.
void fuse_log_unroute(void);
// libfuse's latest message, without "fuse: " and the line break; "" if there was none.
void fuse_log_last(char *out, size_t room);

#endif
