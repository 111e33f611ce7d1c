// SPDX-License-Identifier: MIT
// A child process on a terminal of its own, and whoever sits in front of it.
#ifndef CMK_PTY_RIG_H
#define CMK_PTY_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pty {
	pid_t pid;
	int master, slave; // the slave is kept open: its settings outlive the child
	char seen[8192];   // everything that the terminal showed so far
	size_t seen_len, looked;
};

// Forks; the child runs part(arg), which is its exit status. controlling: the terminal is that of
// its session; else only its standard input and error.
void pty_start(struct pty *p, bool controlling, int (*part)(void *arg), void *arg);
// Waits until the terminal shows this behind what was waited for before; fails the test if it does
// not.
void pty_expect(struct pty *p, const char *text);
void pty_type(struct pty *p, const char *text);
// Whether what is typed is shown.
bool pty_echoes(const struct pty *p);
// Waits for the child's end, and for the rest of what it shows. Its wait status.
int pty_end(struct pty *p);
bool pty_showed(const struct pty *p, const char *text);

#endif
