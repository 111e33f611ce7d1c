// SPDX-License-Identifier: MIT
// The thread that wipes keys when their deadline is over. Refusing users does not depend on it:
// lease_enter looks at the clock itself.
#include "monitor_internal.h"

uint64_t timekeeper_step(struct monitor *m)
{
	// Stop all before reporting any: a slow listener of one disk keeps no other's key alive.
	for (size_t i = 0; i < m->disk_count; i++)
		(void)!lease_check(m->disks[i]->lease);
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < m->disk_count; i++) {
		uint64_t at = lease_tick(m->disks[i]->lease);
		if (at < next)
			next = at;
	}
	return next;
}

void *timekeeper_main(void *monitor)
{
	struct monitor *m = monitor;
	while (!atomic_load(&m->stopping)) {
		uint64_t next = timekeeper_step(m);
		(void)waker_wait(&m->timekeeper, m->config.clock, next, -1);
	}
	return NULL;
}
