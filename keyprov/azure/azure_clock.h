// SPDX-License-Identifier: MIT
// Time that only runs forward, also while the machine sleeps.
#ifndef CMK_AZURE_CLOCK_H
#define CMK_AZURE_CLOCK_H

#include <stdint.h>

uint64_t azure_clock_ms(void);

#endif
