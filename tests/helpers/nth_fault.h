// SPDX-License-Identifier: MIT
// Makes the Nth of some calls fail, for N = 1, 2, 3 ... until a run meets no fault: what a body
// promises about failures, it must keep wherever one strikes. The calls are those of our own
// objects, caught by the linker (--wrap, see cmk_fault_test() in tests/fault/CMakeLists.txt).
#ifndef CMK_NTH_FAULT_H
#define CMK_NTH_FAULT_H

#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

// Kinds of calls, to be combined.
#define FAULT_MALLOC 0x01u // malloc calloc realloc strdup aligned_alloc asprintf; nth_fault.c
#define FAULT_PAGES 0x02u  // mmap mprotect madvise
#define FAULT_LOCK 0x04u   // mlock mlock2
#define FAULT_RANDOM 0x08u // getrandom
#define FAULT_CRYPTO 0x10u // EVP_*, HMAC, RAND_*; nth_fault_crypto.c
#define FAULT_START 0x20u  // posix_spawn*, socketpair, epoll, pidfd, pthread_create; nth_fault_os.c
#define FAULT_SOCKET 0x40u // socket bind listen accept connect, their options; nth_fault_os.c
#define FAULT_FILE 0x80u   // pread pwrite fdatasync fallocate fsync rename; nth_fault_os.c
#define FAULT_LIBRARY 0x100u // allocations of a library that was given fault_malloc() and so on
#define FAULT_MEMORY (FAULT_MALLOC | FAULT_PAGES)

// From the nth call of these kinds on (1 is the next), one or, lasting, all fail with errnum.
// Any thread's calls count.
void fault_arm(unsigned kinds, unsigned nth, bool lasting, int errnum);
unsigned fault_disarm(void); // how many calls failed

// For wrappers: true if this call is to fail; errno is set then.
bool fault_strikes(unsigned kind);

// For libraries that take an allocator of their own.
void *fault_malloc(size_t size);
void *fault_realloc(void *p, size_t size);
void fault_free(void *p);

struct fault_case {
	const char *name;
	unsigned kinds;
	int errnum; // that the calls fail with, 0: ENOMEM
	// 0, or -errno with a sentence in *err. Leaves nothing behind: neither memory, nor pages,
	// nor descriptors. Must not end the test by itself.
	int (*body)(void *ctx, struct errmsg *err);
	void *ctx;
	const int *errors;	// which it may return, positive, 0-terminated; NULL: errnum
	bool no_sentence;	// its errors have none by contract
	bool keeps_descriptors; // other threads open and close some in their own time
	// After each run, with nothing failing any more: what must hold of the outcome. May end the
	// test. NULL: nothing.
	void (*after)(void *ctx, int result);
};

// Twice, with one failure and with lasting ones. Fails the test unless the body keeps its word, and
// unless it succeeds when nothing fails and met at least one failure in each pass.
void fault_every(const struct fault_case *c);
// The same in one line; what follows the body are further members, as initialisers.
#define FAULT_EVERY(what, calls, does, ...) \
	fault_every(&(struct fault_case){.name = what, .kinds = calls, .body = does, __VA_ARGS__})

#endif
