// SPDX-License-Identifier: MIT
// Files of the state directory, read whole and replaced whole.
#ifndef CMK_EMU_FILE_H
#define CMK_EMU_FILE_H

#include "kp_err.h"

#include <stddef.h>
#include <sys/types.h>

// *text has len bytes and a NUL; the caller frees it. -ENOENT, -EFBIG above most bytes, ..., with
// a sentence.
int emu_file_read(
	const char *path, size_t most, char **text, size_t *len, struct kp_err *err) must_use;
// DIR/NAME with exactly this, on stable storage when it returns: a reader, or a crash, finds the
// old or the new file.
int emu_file_write(const char *dir, const char *name, mode_t mode, const char *text, size_t len,
	struct kp_err *err) must_use;

#endif
