// SPDX-License-Identifier: MIT
// One file, handed through FUSE unchanged: what FUSE itself can do, the limit against which
// scripts/bench holds cmkdisk. No cipher, no lock, no copy that can be avoided; the same mount
// settings as cmkdisk's own (low-level, multi-threaded, direct_io, 1 MiB requests, no splice).
#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_INO 2
#define FILE_NAME "disk"
#define ATTR_SECONDS 3600.0
#define REQUEST_MAX (1u << 20)

struct backing {
	int fd;
	off_t size;
};

static const struct backing *backing_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static int fill_attr(const struct backing *b, fuse_ino_t ino, struct stat *st)
{
	if (ino != FUSE_ROOT_ID && ino != FILE_INO)
		return ENOENT;
	memset(st, 0, sizeof *st);
	st->st_ino = ino;
	st->st_uid = getuid();
	st->st_gid = getgid();
	st->st_mode = ino == FILE_INO ? S_IFREG | 0600 : S_IFDIR | 0700;
	st->st_nlink = ino == FILE_INO ? 1 : 2;
	st->st_size = ino == FILE_INO ? b->size : 0;
	return 0;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = REQUEST_MAX;
	conn->max_read = REQUEST_MAX;
	conn->max_readahead = REQUEST_MAX;
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {
		.ino = FILE_INO, .attr_timeout = ATTR_SECONDS, .entry_timeout = ATTR_SECONDS};

	if (parent != FUSE_ROOT_ID || strcmp(name, FILE_NAME) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	(void)fill_attr(backing_of(req), FILE_INO, &e.attr);
	fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error = fill_attr(backing_of(req), ino, &st);

	(void)fi;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, ATTR_SECONDS);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino != FILE_INO) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	// One buffer for each thread, so that the request itself allocates nothing.
	static _Thread_local uint8_t buffer[REQUEST_MAX] __attribute__((aligned(4096)));
	ssize_t got =
		pread(backing_of(req)->fd, buffer, size < REQUEST_MAX ? size : REQUEST_MAX, offset);

	(void)ino;
	(void)fi;
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, (const char *)buffer, (size_t)got);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	ssize_t put = pwrite(backing_of(req)->fd, data, size, offset);

	(void)ino;
	(void)fi;
	if (put < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)put);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, fdatasync(backing_of(req)->fd) ? errno : 0);
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
};

static int serve(struct fuse_session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int status;

	if (!config)
		return 1;
	status = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return status != 0;
}

static int mount_and_serve(struct backing *b, char *program, const char *mountpoint)
{
	char options[] = "-ofsname=fuse_passthrough,max_read=1048576";
	char *argv[] = {program, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, b);
	fuse_opt_free_args(&args);
	int status = 1;

	if (!session)
		return 1;
	if (fuse_set_signal_handlers(session) == 0) {
		if (fuse_session_mount(session, mountpoint) == 0) {
			status = serve(session);
			fuse_session_unmount(session);
		}
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	return status;
}

int main(int argc, char **argv)
{
	struct backing b;
	struct stat st;

	if (argc != 3) {
		fprintf(stderr, "usage: fuse_passthrough FILE MOUNTPOINT (serves FILE as "
				"MOUNTPOINT/" FILE_NAME " until it is unmounted)\n");
		return 64;
	}
	b.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (b.fd < 0 || fstat(b.fd, &st)) {
		fprintf(stderr, "fuse_passthrough: cannot open %s: %s\n", argv[1], strerror(errno));
		return 66;
	}
	b.size = st.st_size;
	return mount_and_serve(&b, argv[0], argv[2]);
}
