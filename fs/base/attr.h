// SPDX-License-Identifier: MIT
// Compiler attributes that the whole tree uses, and nothing else.
#ifndef CMK_ATTR_H
#define CMK_ATTR_H

#define must_use __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

// Runs fn(&variable) when the variable leaves its scope. The one cleanup idiom of the tree: no
// goto, no labels. fn takes a pointer to the variable and accepts a NULL in it.
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

#endif
