// SPDX-License-Identifier: MIT
// A thread's sleep until a boot time, until it is rung, or until a descriptor is readable.
// CLOCK_BOOTTIME: a time that passes while the machine sleeps wakes it as soon as it is up.
#ifndef CMK_WAKER_H
#define CMK_WAKER_H

#include "attr.h"
#include "clock.h"

#include <stdbool.h>

struct waker {
	int timer;
	int bell;
};

int waker_open(struct waker *w) must_use;
void waker_close(struct waker *w);

// Any thread. Ends the present or the next wait.
void waker_ring(struct waker *w);

// Waits until at_ns by this clock (UINT64_MAX: never), a ring, or until fd (-1: none) is readable.
// True if fd was what woke it.
bool waker_wait(struct waker *w, const struct clock_source *clock, uint64_t at_ns, int fd);

#endif
