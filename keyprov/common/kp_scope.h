// SPDX-License-Identifier: MIT
// Compiler attributes and cleanup functions for the providers: the idiom of the whole tree, in
// a header of their own because providers see nothing of fs/.
#ifndef CMK_KP_SCOPE_H
#define CMK_KP_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

#define must_use __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

// Runs fn(&variable) when the variable leaves its scope; fn accepts a NULL in it.
#define scoped(fn) __attribute__((cleanup(fn)))

// Hands a scoped pointer on: the value of p, leaving NULL for its cleanup.
#define TAKE(p)                                \
	({                                     \
		__typeof__(p) cmk_take_ = (p); \
		(p) = NULL;                    \
		cmk_take_;                     \
	})
// The same for a file descriptor, leaving -1.
#define TAKE_FD(fd)                      \
	({                               \
		int cmk_take_fd_ = (fd); \
		(fd) = -1;               \
		cmk_take_fd_;            \
	})

// p is the address of any object pointer.
static inline void kp_scope_free(void *p)
{
	free(*(void **)p);
}
#define autofree scoped(kp_scope_free)

static inline void kp_scope_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define autoclose scoped(kp_scope_close)

#endif
