// SPDX-License-Identifier: MIT
// What the deviant PKCS#11 module is to do, and what it tells of it. The control file (environment
// DEVIANT_CONTROL) is read at every call; one line for each function:
//
//   FUNCTION=DEED[:NUMBER] [skip=N] [times=N]
//
// skip: the first N calls behave; times: only N calls misbehave, then no more. FUNCTION * is every
// one but C_Initialize, C_Finalize and C_GetFunctionList. Deeds of every function:
//   slow:N                 takes N milliseconds longer
//   hang crash exit        for ever; by SIGSEGV; with status 7, by way of exit()
//   rv:N                   returns N and does nothing
//   say:N                  does it all, then returns N
//   print                  on standard output and standard error
//   fork                   leaves a child process behind that never ends
//   signals                resets what SIGINT, SIGHUP, SIGPIPE do, handles others, blocks all
//   closes writes reads    takes every descriptor from 3 on for its own
// Others belong to one function: see deviant_pkcs11.c. The log (DEVIANT_LOG) has a line for each
// deed, "PID C_Decrypt ! hang", and for each call that came back, "PID C_Decrypt = 0x0".
#ifndef CMK_DEVIANT_CONTROL_H
#define CMK_DEVIANT_CONTROL_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

struct deed {
	const char *function;
	char name[16]; // "" none
	unsigned long value;
};

// Looks the deed up, logs it, and does what can be done before the call. True if *rv is to be
// returned and the call itself must not be made.
bool deed_begin(const char *function, struct deed *d, CK_RV *rv);
// Logs the call, and returns what it is to return.
CK_RV deed_end(const struct deed *d, CK_RV rv);
bool deed_is(const struct deed *d, const char *name);
// Whether the control file has FUNCTION=DEED, without doing or counting anything.
bool deed_asked(const char *function, const char *deed, unsigned long *value);

__attribute__((format(printf, 1, 2))) void deviant_log(const char *fmt, ...);

#endif
