// SPDX-License-Identifier: MIT
// The one table from errno to the program's exit status (sysexits.h), printed in cmkdisk(1).
#ifndef CMK_EXITCODE_H
#define CMK_EXITCODE_H

#include <stddef.h>

struct exitcode_row {
	int errnum;	     // positive errno, 0 for success
	int status;	     // sysexits.h value
	const char *name;    // "EX_DATAERR"
	const char *meaning; // one clause for the manual
};

// The table, one row per errno, and its length.
const struct exitcode_row *exitcode_table(size_t *count);

// err is 0 or a negative errno. Anything the table does not know is EX_SOFTWARE (70).
//   0                                  0  EX_OK
//   -EINVAL                           64  EX_USAGE        bad command line
//   -EBADMSG                          65  EX_DATAERR      header, binding, seal or bundle is
//   damaged or tampered with -ENOENT                           66  EX_NOINPUT      backing file,
//   bundle or mount not there -EHOSTUNREACH                     69  EX_UNAVAILABLE  key store does
//   not answer; safe to retry (others)                          70  EX_SOFTWARE -ENOMEM, -EMFILE,
//   -ENODEV, -ENOSYS 71 EX_OSERR -EEXIST                           73  EX_CANTCREAT    will not
//   overwrite -EIO, -ENOSPC                     74  EX_IOERR -EBUSY, -EAGAIN, -ETIMEDOUT       75
//   EX_TEMPFAIL     in use or being changed; safe to retry -EACCES, -EPERM, -EROFS           77
//   EX_NOPERM       not permitted by this host -EKEYREVOKED, -EKEYEXPIRED, -ENOKEY 77 EX_NOPERM the
//   key store refuses the key -EKEYREJECTED, -EDOM              78  EX_CONFIG       another key
//   than the pinned one; policy lengthened; misconfigured
int exitcode_of(int err);

#endif
