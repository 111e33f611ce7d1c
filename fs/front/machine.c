// SPDX-License-Identifier: MIT
// What the machine has to spare, so that threads are added when those there are wait, and not when
// they work.
#include "front_internal.h"

#include "scope.h"

#include <sched.h>
#include <stdio.h>

unsigned machine_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

unsigned long machine_idle_ms(void)
{
	FILE *f autofclose = fopen("/proc/stat", "re");
	unsigned long idle = 0, iowait = 0;
	if (!f || fscanf(f, "cpu %*u %*u %*u %lu %lu", &idle, &iowait) != 2)
		return 0;
	long hz = sysconf(_SC_CLK_TCK);
	return (idle + iowait) * 1000 / (unsigned long)(hz > 0 ? hz : 100);
}
