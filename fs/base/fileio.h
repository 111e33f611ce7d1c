// SPDX-License-Identifier: MIT
// Whole reads and writes, with EINTR and short counts dealt with once.
#ifndef CMK_FILEIO_H
#define CMK_FILEIO_H

#include "attr.h"
#include "errmsg.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Reads exactly len bytes at off. -ENODATA when the file ends before that, else -errno.
int pread_full(int fd, void *buf, size_t len, uint64_t off) must_use;
int pwrite_full(int fd, const void *buf, size_t len, uint64_t off) must_use;
// Stream variants, for pipes and sockets (write never raises SIGPIPE on sockets).
int read_full(int fd, void *buf, size_t len) must_use;
int write_full(int fd, const void *buf, size_t len) must_use;

// Reads a whole text file of at most max bytes, NUL-terminated in *out, which the caller frees.
// Sentences on failure; -ENOENT, -EACCES, -EFBIG, ...
int read_text_file(
	const char *path, size_t max, char **out, size_t *len, struct errmsg *err) must_use;

#endif
