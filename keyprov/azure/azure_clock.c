// SPDX-License-Identifier: MIT
// See azure_clock.h. Alone in its file, so that a test can put its own in its place.
#include "azure_clock.h"

#include <time.h>

uint64_t azure_clock_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
