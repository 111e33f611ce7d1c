// SPDX-License-Identifier: MIT
// A program of a provider's (cmkdisk-keyfile, cmkdisk-tokenkey, cmkdisk-vault): the host of the
// provider's own code, as the key agent is of a plug-in, and what every such program says and reads
// in one way.
#ifndef CMK_KP_PROGRAM_H
#define CMK_KP_PROGRAM_H

#include "kp_err.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// Locked, undumpable, wiped memory; the wall clock; the log goes to standard error; no deadline.
const struct cmk_host *kp_program_host(void);
// Gives back what its secret_alloc gave; for scoped(). NULL in it is allowed.
void kp_program_free_secret(char **p);

// No core file, no ptrace, no /proc/PID/mem for others; a warning on standard error if that, or
// locking memory, cannot be had. To be called before anything secret.
void kp_program_seal(void);

// What it was called by, without directories: "cmkdisk keyfile" if cmkdisk ran it.
const char *kp_program_name(void);
// One line on standard error, "NAME: warning: ...": what the user should change; "NAME: note: ...":
// what the user should know. No control character of it reaches the terminal.
void kp_program_warn(const char *fmt, ...) printf_like(1, 2);
void kp_program_note(const char *fmt, ...) printf_like(1, 2);
// The end of a command: if ret is 0, standard output must have taken what was printed, for whoever
// reads a key URL must not be left with half of it. Else the sentence on standard error. The exit
// status for -errno, as cmkdisk(1) has them.
int kp_program_end(int ret, struct kp_err *err) must_use;
// Whether it is --help, -h or help.
bool kp_program_asks_help(const char *arg);

// One option of a command line, --name or --name ARG. The last one of a table is --help.
struct kp_option {
	const char *name;
	const char *arg; // NULL: takes none
	unsigned id;	 // one bit
	const char *help;
};
// Reads the options of one verb. Each one that is among `allowed` goes to take(), which gets the
// argument (in argv), and its id into *given; --help and -h end the reading. *operands: the index
// in argv of what is no option. -EINVAL with a sentence, which shows nothing behind a '=': it may
// be a PIN; or what take() returns.
struct kp_options {
	const struct kp_option *all;
	size_t count;
	const char *verb;
	unsigned allowed;
	int (*take)(void *ctx, const struct kp_option *option, char *arg, struct kp_err *err);
	void *ctx;
};
int kp_program_options(const struct kp_options *o, int argc, char **argv, unsigned *given,
	int *operands, struct kp_err *err) must_use;
// For --help: those among `which`, one line each, the left column of this width.
void kp_program_print_options(
	const struct kp_option *all, size_t count, unsigned which, int width, FILE *f);

#endif
