// SPDX-License-Identifier: MIT
// How many descriptors this process has: a test compares before and after.
#ifndef CMK_TEST_OPEN_FDS_H
#define CMK_TEST_OPEN_FDS_H

#include <dirent.h>
#include <stdlib.h>

static inline int open_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	if (!d)
		abort();
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

#endif
