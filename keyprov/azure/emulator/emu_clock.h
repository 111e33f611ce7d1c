// SPDX-License-Identifier: MIT
// The emulator's own time: the wall clock, moved by `clock` actions, so that keys expire and
// retention ends when a test wants it.
#ifndef CMK_EMU_CLOCK_H
#define CMK_EMU_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

struct emu_clock {
	_Atomic int64_t offset_s;
};
static inline int64_t emu_now(const struct emu_clock *c)
{
	return (int64_t)time(NULL) + atomic_load(&c->offset_s);
}

#endif
