// SPDX-License-Identifier: MIT
// Requests on an open disk file.
//
// READ   kernel -> a thread free for this disk? -> clamp the offset, then the length
//               -> disk_read into the thread's own buffer -> still allowed? -> reply
// WRITE  kernel -> clamp -> a thread free? -> disk_write from the thread's request buffer -> reply
#include "front_internal.h"

#include "disk.h"
#include "extent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <unistd.h>

// The kernel's own flags, not libfuse's: before 3.15 it has no name for the one that lets direct
// writes to a file run in parallel (disk/ orders those that overlap). Kernels that do not know a
// flag ignore it. close() has nothing to flush but the pages of a shared mapping, which only a
// cached file can have.
#define DIRECT_OPEN (FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH)
#define CACHED_OPEN FOPEN_KEEP_CACHE

static struct front *front_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

// NULL, and the request is answered, if ino is not a disk.
static struct node *disk_node(fuse_req_t req, fuse_ino_t ino)
{
	struct node *n = tree_node(&front_of(req)->tree, ino);
	if (!n)
		(void)fuse_reply_err(req, ino == TREE_ROOT_INO ? EISDIR : ENOENT);
	return n;
}

// Valid replies: fuse_open_out or an error. Permission bits were checked by the kernel
// (default_permissions).
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct node *n = disk_node(req, ino);
	if (!n)
		return;
	if ((fi->flags & O_ACCMODE) != O_RDONLY && tree_node_read_only(&f->tree, n)) {
		(void)fuse_reply_err(req, EROFS);
		return;
	}
	int r = disk_open_status(n->disk);
	if (r) {
		(void)fuse_reply_err(req, -r);
		return;
	}
	struct fuse_open_out out = {.open_flags = f->kernel_cache ? CACHED_OPEN : DIRECT_OPEN};
	(void)fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0); // nothing is kept per open file
}

static void run_read(struct front *f, const struct request *q)
{
	struct node *n = q->node;
	size_t len = (size_t)extent_clamp(q->off, q->len, disk_size(n->disk));
	char *buf = worker_reply_buffer(f);
	int r = len > 0 ? disk_read(n->disk, q->off, buf, len) : disk_check(n->disk);
	// From here on front_forget() waits for us, and the disk may have been stopped since.
	(void)atomic_fetch_add(&n->replying, 1);
	if (!r)
		r = disk_check(n->disk);
	if (r)
		(void)fuse_reply_err(q->req, -r);
	else
		(void)fuse_reply_buf(q->req, buf, len);
	(void)atomic_fetch_sub(&n->replying, 1);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = disk_node(req, ino);
	if (!n)
		return;
	if (off < 0 || size > DISK_IO_MAX) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	admit(front_of(req),
		&(struct request){
			.req = req, .node = n, .run = run_read, .off = (uint64_t)off, .len = size});
}

static void run_write(struct front *f, const struct request *q)
{
	(void)f;
	int r = q->len > 0 ? disk_write(q->node->disk, q->off, q->data, (size_t)q->len) : 0;
	if (r)
		(void)fuse_reply_err(q->req, -r);
	else
		(void)fuse_reply_write(q->req, (size_t)q->len);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = disk_node(req, ino);
	if (!n)
		return;
	if (off < 0) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	// Short at the end, as write(2) is on a block device; nothing at all beyond it.
	size_t len = (size_t)extent_clamp((uint64_t)off, size, disk_size(n->disk));
	if (len == 0 && size > 0) {
		(void)fuse_reply_err(req, ENOSPC);
		return;
	}
	if (len > DISK_IO_MAX)
		len = DISK_IO_MAX;
	admit(front_of(req), &(struct request){.req = req,
				     .node = n,
				     .run = run_write,
				     .off = (uint64_t)off,
				     .len = len,
				     .data = buf});
}

// close(2). Every acknowledged write is in the backing file already and had its error then, so
// there is nothing that could fail now, also after a stop. Stable storage is what fsync asks for.
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0);
}

static void run_fsync(struct front *f, const struct request *q)
{
	(void)f;
	(void)fuse_reply_err(q->req, -disk_flush(q->node->disk));
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync; // the size and the times never change
	(void)fi;
	struct node *n = disk_node(req, ino);
	if (n)
		admit(front_of(req), &(struct request){.req = req, .node = n, .run = run_fsync});
}

static int zero_range(struct disk *d, int mode, uint64_t off, uint64_t len)
{
	uint64_t inside = extent_clamp(off, len, disk_size(d));
	// Without KEEP_SIZE the caller wants the file to be that long afterwards.
	if (inside < len && !(mode & FALLOC_FL_KEEP_SIZE))
		return -ENOSPC;
	return inside > 0 ? disk_zero(d, off, inside) : 0;
}

static int allocate(struct disk *d, uint64_t off, uint64_t len)
{
	if (extent_clamp(off, len, disk_size(d)) < len)
		return -ENOSPC;
	return disk_allocate(d, off, len);
}

static void run_fallocate(struct front *f, const struct request *q)
{
	struct node *n = q->node;
	int r = -EOPNOTSUPP;
	if (tree_node_read_only(&f->tree, n))
		r = -EROFS;
	else if (q->mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) ||
		 (q->mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE)
		r = zero_range(n->disk, q->mode, q->off, q->len);
	else if ((q->mode & ~FALLOC_FL_KEEP_SIZE) == 0)
		r = allocate(n->disk, q->off, q->len);
	(void)fuse_reply_err(q->req, -r);
}

void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = disk_node(req, ino);
	if (!n)
		return;
	if (off < 0 || len <= 0) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	admit(front_of(req), &(struct request){.req = req,
				     .node = n,
				     .run = run_fallocate,
				     .off = (uint64_t)off,
				     .len = (uint64_t)len,
				     .mode = mode});
}

// Only SEEK_DATA and SEEK_HOLE come here. A disk is all data, and the one hole is at its end.
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = disk_node(req, ino);
	if (!n)
		return;
	off_t size = (off_t)disk_size(n->disk);
	if (off < 0 || off >= size)
		(void)fuse_reply_err(req, ENXIO);
	else if (whence == SEEK_DATA)
		(void)fuse_reply_lseek(req, off);
	else if (whence == SEEK_HOLE)
		(void)fuse_reply_lseek(req, size);
	else
		(void)fuse_reply_err(req, EINVAL);
}
