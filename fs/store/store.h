// SPDX-License-Identifier: MIT
// Where ciphertext lives. A table of functions, so that a test can be the disk that fails.
#ifndef CMK_STORE_H
#define CMK_STORE_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

// All but close: any thread, concurrently; 0 or -errno, whole or failed (never short). May block
// for as long as the medium does.
struct store_ops {
	int (*pread)(struct store *s, void *buf, size_t len, uint64_t off);
	int (*pwrite)(struct store *s, const void *buf, size_t len, uint64_t off);
	int (*flush)(struct store *s); // fdatasync: what was written is on stable storage
	int (*discard)(struct store *s, uint64_t off, uint64_t len);  // punch a hole; -EOPNOTSUPP
	int (*allocate)(struct store *s, uint64_t off, uint64_t len); // reserve space; -EOPNOTSUPP
	int (*size)(struct store *s, uint64_t *bytes);
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

static inline int must_use store_pread(struct store *s, void *buf, size_t len, uint64_t off)
{
	return s->ops->pread(s, buf, len, off);
}
static inline int must_use store_pwrite(struct store *s, const void *buf, size_t len, uint64_t off)
{
	return s->ops->pwrite(s, buf, len, off);
}
static inline int must_use store_flush(struct store *s)
{
	return s->ops->flush(s);
}
static inline int must_use store_discard(struct store *s, uint64_t off, uint64_t len)
{
	return s->ops->discard(s, off, len);
}
static inline int must_use store_allocate(struct store *s, uint64_t off, uint64_t len)
{
	return s->ops->allocate(s, off, len);
}
static inline int must_use store_size(struct store *s, uint64_t *bytes)
{
	return s->ops->size(s, bytes);
}
// For scoped(); NULL allowed.
static inline void store_close(struct store **s)
{
	if (*s)
		(*s)->ops->close(*s);
	*s = NULL;
}

// Opens a regular file or block device; symbolic links are followed, they are the administrator's.
// Anything else (directory, fifo, socket, character device) is -EINVAL. The lock that marks it as
// in use, an OFD lock over the whole file (a read lock when read_only), is taken here and lasts
// until close: -EBUSY when another holds it, or when the kernel itself uses the device; a device
// that is not read_only is claimed (O_EXCL), so that nothing is mounted from it meanwhile. Further
// -ENOENT, -EACCES, -EROFS, ...; all with a sentence. *fd (fd may be NULL) is the store's own
// descriptor, lent until close, for /proc/self/fd paths.
//
// Its operations do not change the size: reading or writing beyond the end is -EIO (for writes,
// from 20 ms after the file was cut off on), as it means that the file was cut off. After one
// failed flush every later flush is -EIO. A read_only store answers -EROFS to changes. discard
// leaves zeros or fails.
int store_file_open(
	const char *path, bool read_only, struct store **out, int *fd, struct errmsg *err) must_use;

// A process that has the file in use (holds an OFD lock on it), as far as this user may look into
// /proc; 0 when none is seen. Root sees all; others do not even see their own undumpable daemons.
int store_file_holder(const char *path);

#endif
