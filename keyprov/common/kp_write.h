// SPDX-License-Identifier: MIT
// Writing a whole buffer to a descriptor.
#ifndef CMK_KP_WRITE_H
#define CMK_KP_WRITE_H

#include "kp_scope.h"

#include <stddef.h>

// Goes on after a short or interrupted write. -errno.
int kp_write_all(int fd, const char *data, size_t len) must_use;

#endif
