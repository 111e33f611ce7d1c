// SPDX-License-Identifier: MIT
// A real mount in a private directory, served by this process, over disks that are plain arrays:
// the front's own promises, without store, cipher and lease.
#ifndef FRONT_RIG_H
#define FRONT_RIG_H

#include "front.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_SIZE (4u << 20) // bytes of the first disk; all others have 64 KiB
#define RIG_SMALL 65536u

// What the tests put behind disk.h. Atomic fields may be changed while mounted.
struct disk {
	uint8_t *data;
	uint64_t size;
	bool read_only;
	bool thin;
	atomic_int fail;		       // -errno of every read, write and flush; 0 none
	atomic_int open_status;		       // of disk_open_status
	atomic_int zeroed, allocated, flushed; // calls
	pthread_mutex_t gate;		       // held by a test: the backing store hangs
	atomic_int waiting;		       // requests before the gate
};

struct rig {
	char base[64];	     // private directory
	char mountpoint[80]; // base/mnt
	struct disk *disks;
	char (*names)[32];
	struct front_disk *fronts;
	size_t count;
	struct front_config config; // a test changes it before rig_mount()
	struct front *front;
	pthread_t thread;
	bool running;
	sem_t ready;
	int result; // front_run's
};

// 77 with a reason if this host cannot mount FUSE, else 0.
int rig_unavailable(void);
void rig_init(struct rig *r, size_t count);
void rig_mount(struct rig *r); // and waits for ready
void rig_unmount(struct rig *r);
void rig_fini(struct rig *r); // unmounts if needed; fails if anything is left
// base/mnt/NAME of disk i, in a buffer of the calling thread's.
const char *rig_path(const struct rig *r, size_t i);
int rig_open(const struct rig *r, size_t i, int flags); // asserts success

// Whether the disk's array has these bytes there.
bool rig_holds(struct rig *r, size_t i, size_t off, const void *bytes, size_t len);

#endif
