/* SPDX-License-Identifier: MIT */
/* Crashes while it is being loaded. */
#include <signal.h>

static __attribute__((constructor)) void crash(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
	(void)raise(SIGSEGV);
}
