// SPDX-License-Identifier: MIT
// Cleanup functions for scoped() and the types that libc gives us.
#ifndef CMK_SCOPE_H
#define CMK_SCOPE_H

#include "attr.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// p is the address of any object pointer.
static inline void scope_free(void *p)
{
	free(*(void **)p);
}
#define autofree scoped(scope_free)

static inline void scope_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define autoclose scoped(scope_close)

static inline void scope_fclose(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}
#define autofclose scoped(scope_fclose)

static inline void scope_unlock(pthread_mutex_t **m)
{
	if (*m)
		(void)pthread_mutex_unlock(*m);
}

// For a mutex that is held for some dozens of nanoseconds by several threads: a waiter spins a
// little before it sleeps, since to sleep and be woken costs a hundred times that.
static inline void mutex_init_brief(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	(void)pthread_mutex_init(m, &attr);
	(void)pthread_mutexattr_destroy(&attr);
}

static inline pthread_mutex_t *scope_lock(pthread_mutex_t *m)
{
	(void)pthread_mutex_lock(m);
	return m;
}
// with_lock(&x->lock); holds the mutex until the end of the enclosing block.
#define CMK_CAT2(a, b) a##b
#define CMK_CAT(a, b) CMK_CAT2(a, b)
#define with_lock(m)                                                        \
	pthread_mutex_t *CMK_CAT(with_lock_, __LINE__) scoped(scope_unlock) \
		__attribute__((unused)) = scope_lock(m)

#endif
