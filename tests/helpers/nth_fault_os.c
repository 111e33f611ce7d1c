// SPDX-License-Identifier: MIT
// The system's calls for processes, sockets and files that our objects make, each able to fail; see
// nth_fault.h.
#include "nth_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAULTY(kind, failed, type, name, params, args) \
	type __real_##name params;                     \
	type __wrap_##name params;                     \
	type __wrap_##name params                      \
	{                                              \
		if (fault_strikes(kind))               \
			return failed;                 \
		return __real_##name args;             \
	}

// clang-format off
FAULTY(FAULT_START, errno, int, posix_spawn,
	(pid_t *pid, const char *path, const posix_spawn_file_actions_t *f, const posix_spawnattr_t *a,
		char *const argv[], char *const env[]),
	(pid, path, f, a, argv, env))
FAULTY(FAULT_START, errno, int, posix_spawn_file_actions_init, (posix_spawn_file_actions_t *f), (f))
FAULTY(FAULT_START, errno, int, posix_spawn_file_actions_adddup2,
	(posix_spawn_file_actions_t *f, int from, int to), (f, from, to))
FAULTY(FAULT_START, errno, int, posix_spawn_file_actions_addopen,
	(posix_spawn_file_actions_t *f, int fd, const char *path, int flags, mode_t mode),
	(f, fd, path, flags, mode))
FAULTY(FAULT_START, errno, int, posix_spawn_file_actions_addclosefrom_np,
	(posix_spawn_file_actions_t *f, int from), (f, from))
FAULTY(FAULT_START, errno, int, posix_spawn_file_actions_addchdir_np,
	(posix_spawn_file_actions_t *f, const char *path), (f, path))
FAULTY(FAULT_START, errno, int, posix_spawnattr_init, (posix_spawnattr_t *a), (a))
FAULTY(FAULT_START, -1, int, socketpair, (int d, int t, int p, int fds[2]), (d, t, p, fds))
FAULTY(FAULT_START, -1, int, epoll_create1, (int flags), (flags))
FAULTY(FAULT_START, -1, int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e), (ep, op, fd, e))
FAULTY(FAULT_START, -1, int, eventfd, (unsigned n, int flags), (n, flags))
FAULTY(FAULT_START, -1, int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
FAULTY(FAULT_START, errno, int, pthread_create,
	(pthread_t *t, const pthread_attr_t *a, void *(*main)(void *), void *arg), (t, a, main, arg))
FAULTY(FAULT_SOCKET, -1, int, socket, (int d, int t, int p), (d, t, p))
FAULTY(FAULT_SOCKET, -1, int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAULTY(FAULT_SOCKET, -1, int, listen, (int fd, int n), (fd, n))
FAULTY(FAULT_SOCKET, -1, int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAULTY(FAULT_SOCKET, -1, int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f))
FAULTY(FAULT_SOCKET, -1, int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))
FAULTY(FAULT_SOCKET, -1, int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
	(fd, l, o, v, n))
FAULTY(FAULT_SOCKET, -1, ssize_t, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f))
FAULTY(FAULT_SOCKET, -1, ssize_t, recv, (int fd, void *p, size_t n, int f), (fd, p, n, f))
FAULTY(FAULT_SOCKET | FAULT_FILE, -1, int, fchmod, (int fd, mode_t m), (fd, m))
FAULTY(FAULT_FILE, -1, ssize_t, pread64, (int fd, void *p, size_t n, off64_t o), (fd, p, n, o))
FAULTY(FAULT_FILE, -1, ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o))
FAULTY(FAULT_FILE, -1, int, fdatasync, (int fd), (fd))
FAULTY(FAULT_FILE, -1, int, fsync, (int fd), (fd))
FAULTY(FAULT_FILE, -1, int, fallocate64, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n))
FAULTY(FAULT_FILE, -1, int, ftruncate64, (int fd, off64_t n), (fd, n))
FAULTY(FAULT_FILE, -1, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
FAULTY(FAULT_FILE, -1, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
FAULTY(FAULT_FILE, -1, int, fstat64, (int fd, struct stat64 *st), (fd, st))
FAULTY(FAULT_FILE, -1, int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
FAULTY(FAULT_FILE, -1, int, renameat2, (int d, const char *a, int e, const char *b, unsigned f),
	(d, a, e, b, f))
// clang-format on
