// SPDX-License-Identifier: MIT
// The table of requests, and those on names and attributes. Exactly one reply per request; errno
// values are negative inside the program and positive in a reply.
#include "front_internal.h"

#include "disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Names, inode numbers and sizes are fixed for the life of the mount.
#define ATTR_VALID_S 86400.0
// Requests the kernel may have under way for readahead and asynchronous direct I/O.
#define BACKGROUND_MAX 128u

static struct front *front_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct front *f = userdata;
	// Splicing replies costs two thirds of the read speed. The write-back cache would keep
	// acknowledged writes from the backing file, and the stop would lose them. Without
	// ATOMIC_O_TRUNC O_TRUNC arrives as setattr, where it can be ignored without the kernel
	// thinking for a while that the disk is empty.
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA);
	// Only front_forget() says when cached pages are old.
	conn->want |=
		conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
					FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_EXPLICIT_INVAL_DATA);
	conn->max_write = DISK_IO_MAX;
	conn->max_read = DISK_IO_MAX;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
	atomic_store(&f->hello, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct front *f = front_of(req);
	size_t i;
	if (parent != TREE_ROOT_INO) {
		(void)fuse_reply_err(req, ENOTDIR);
		return;
	}
	if (!tree_lookup(&f->tree, name, &i)) {
		(void)fuse_reply_err(req, ENOENT);
		return;
	}
	struct fuse_entry_param e = {
		.ino = tree_ino(i), .attr_timeout = ATTR_VALID_S, .entry_timeout = ATTR_VALID_S};
	(void)tree_stat(&f->tree, e.ino, &e.attr);
	(void)fuse_reply_entry(req, &e);
}

// Nodes live as long as the mount: there is nothing to count.
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino;
	(void)nlookup;
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct stat st;
	if (tree_stat(&front_of(req)->tree, ino, &st))
		(void)fuse_reply_attr(req, &st, ATTR_VALID_S);
	else
		(void)fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attr(req, ino);
}

// What a disk answers to a new size; by_handle: ftruncate(2). A block device ignores O_TRUNC, and
// `dd of=disk` must work; open(2) with O_TRUNC arrives here as size 0 without a handle. (So does
// truncate(2) to 0 by name, which cannot be told apart and changes nothing either.)
static int resize(const struct tree *t, const struct node *n, off_t size, bool by_handle)
{
	if (tree_node_read_only(t, n))
		return -EROFS;
	if ((uint64_t)size == disk_size(n->disk) || (size == 0 && !by_handle))
		return 0;
	return -EPERM;
}

// Times are accepted and ignored. Owner and mode are mount options.
static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct front *f = front_of(req);
	struct node *n = tree_node(&f->tree, ino);
	int r = 0;
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		r = -EPERM;
	else if (to_set & FUSE_SET_ATTR_SIZE)
		r = n ? resize(&f->tree, n, attr->st_size, fi != NULL) : -EISDIR;
	if (r)
		(void)fuse_reply_err(req, -r);
	else
		reply_attr(req, ino);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino != TREE_ROOT_INO) {
		(void)fuse_reply_err(req, ENOTDIR);
		return;
	}
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	(void)fuse_reply_open(req, fi);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0);
}

// Entry k of the directory: ".", "..", then the disks. NULL after the last.
static const char *entry_at(const struct tree *t, size_t k, struct stat *st)
{
	if (k >= t->count + 2)
		return NULL;
	(void)tree_stat(t, k < 2 ? TREE_ROOT_INO : tree_ino(k - 2), st);
	if (k < 2)
		return k == 0 ? "." : "..";
	return t->nodes[k - 2].name;
}

// An entry's offset is the number of the entry after it.
static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	struct front *f = front_of(req);
	char *buf = worker_reply_buffer(f);
	if (off < 0) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	if (size > DISK_IO_MAX)
		size = DISK_IO_MAX;
	size_t used = 0;
	struct stat st;
	const char *name;
	for (size_t k = (size_t)off; (name = entry_at(&f->tree, k, &st)); k++) {
		size_t need =
			fuse_add_direntry(req, buf + used, size - used, name, &st, (off_t)k + 1);
		if (need > size - used)
			break;
		used += need;
	}
	(void)fuse_reply_buf(req, buf, used);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	struct statvfs st;
	tree_statfs(&front_of(req)->tree, &st);
	(void)fuse_reply_statfs(req, &st);
}

// Disks come and go with the mount. Without these root would be told ENOSYS.
static void refuse(fuse_req_t req)
{
	(void)fuse_reply_err(req, EPERM);
}

static void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)fi;
	refuse(req);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)rdev;
	refuse(req);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	refuse(req);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	refuse(req);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned int flags)
{
	(void)parent;
	(void)name;
	(void)newparent;
	(void)newname;
	(void)flags;
	refuse(req);
}

// access is left out: with default_permissions the kernel answers it.
const struct fuse_lowlevel_ops front_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.open = op_open,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.create = op_create,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.rename = op_rename,
};
