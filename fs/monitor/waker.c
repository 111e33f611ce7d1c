// SPDX-License-Identifier: MIT
// A timerfd for the time and an eventfd for the bell; see waker.h.
#include "waker.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int waker_open(struct waker *w)
{
	w->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->timer < 0) {
		w->bell = -1;
		return -errno;
	}
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->bell < 0) {
		int r = -errno;
		waker_close(w);
		return r;
	}
	return 0;
}

void waker_close(struct waker *w)
{
	if (w->timer >= 0)
		(void)close(w->timer);
	if (w->bell >= 0)
		(void)close(w->bell);
	w->timer = w->bell = -1;
}

void waker_ring(struct waker *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->bell, &one, sizeof(one));
	(void)n; // full means rung already
}

static void swallow(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));
	(void)n; // nothing to read is fine
}

static void arm(struct waker *w, const struct clock_source *clock, uint64_t at_ns)
{
	struct itimerspec t = {0};
	if (at_ns != UINT64_MAX) {
		// The kernel's clock first: a machine that sleeps between the two readings makes
		// the timer early, never late.
		uint64_t kernel = clock_boot_ns(clock_real());
		uint64_t now = clock_boot_ns(clock);
		uint64_t at = at_ns > now ? kernel + (at_ns - now) : 1;
		if (at < kernel && at_ns > now)
			at = UINT64_MAX - 1;
		t.it_value.tv_sec = (time_t)(at / NS_PER_S);
		t.it_value.tv_nsec = (long)(at % NS_PER_S);
	}
	(void)timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

bool waker_wait(struct waker *w, const struct clock_source *clock, uint64_t at_ns, int fd)
{
	struct pollfd p[3] = {{w->timer, POLLIN, 0}, {w->bell, POLLIN, 0}, {fd, POLLIN, 0}};
	arm(w, clock, at_ns);
	if (poll(p, 3, -1) < 0)
		return false; // interrupted: the caller looks at the clock again
	swallow(w->timer);
	swallow(w->bell);
	return p[2].revents != 0;
}
