// SPDX-License-Identifier: MIT
// The table of exitcode.h, in the order in which the manual prints it.
#include "exitcode.h"

#include <errno.h>
#include <sysexits.h>

#define ROW(errnum, code, meaning)           \
	{                                    \
		errnum, code, #code, meaning \
	}

static const struct exitcode_row table[] = {
	ROW(0, EX_OK, "success"),
	ROW(EINVAL, EX_USAGE, "the command line is wrong"),
	ROW(ENOTDIR, EX_USAGE, "a path leads to the wrong kind of thing, or nowhere"),
	ROW(EISDIR, EX_USAGE, "a path leads to the wrong kind of thing, or nowhere"),
	ROW(ELOOP, EX_USAGE, "a path leads to the wrong kind of thing, or nowhere"),
	ROW(ENAMETOOLONG, EX_USAGE, "a path leads to the wrong kind of thing, or nowhere"),
	ROW(EBADMSG, EX_DATAERR,
		"a header, binding, seal, key bundle or audit log is damaged or was tampered with"),
	ROW(ENOENT, EX_NOINPUT, "the backing file, key bundle or mount is not there"),
	ROW(EHOSTUNREACH, EX_UNAVAILABLE, "the key store does not answer; safe to retry"),
	ROW(ENOMEM, EX_OSERR, "the system is out of memory"),
	ROW(EMFILE, EX_OSERR, "too many open files"),
	ROW(ENODEV, EX_OSERR, "the system lacks a device, such as /dev/fuse"),
	ROW(ENOSYS, EX_OSERR, "the kernel lacks a function that is needed"),
	ROW(EEXIST, EX_CANTCREAT, "it exists already and is not overwritten"),
	ROW(EFBIG, EX_CANTCREAT, "it would be larger than the filesystem permits"),
	ROW(EIO, EX_IOERR, "reading or writing failed"),
	ROW(ENOSPC, EX_IOERR, "no space is left"),
	ROW(ENOTCONN, EX_IOERR, "the daemon of the mount is gone"),
	ROW(EBUSY, EX_TEMPFAIL, "in use or being changed; safe to retry"),
	ROW(EAGAIN, EX_TEMPFAIL, "not ready now; safe to retry"),
	ROW(ETIMEDOUT, EX_TEMPFAIL, "no answer in time; safe to retry"),
	ROW(EACCES, EX_NOPERM, "this host does not permit it"),
	ROW(EPERM, EX_NOPERM, "this host does not permit it"),
	ROW(EROFS, EX_NOPERM, "writing was asked of something read-only"),
	ROW(EKEYREVOKED, EX_NOPERM, "the key store refuses the key"),
	ROW(EKEYEXPIRED, EX_NOPERM, "the key has expired"),
	ROW(ENOKEY, EX_NOPERM, "the disk is locked or no key opens it"),
	ROW(EKEYREJECTED, EX_CONFIG,
		"the header names another key than the one that was asked for"),
	ROW(EDOM, EX_CONFIG, "the configuration is wrong, or would lengthen the disk's policy"),
};

#define ROWS (sizeof table / sizeof table[0])

const struct exitcode_row *exitcode_table(size_t *count)
{
	*count = ROWS;
	return table;
}

int exitcode_of(int err)
{
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].errnum == -err)
			return table[i].status;
	return EX_SOFTWARE;
}
