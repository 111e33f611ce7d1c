// SPDX-License-Identifier: MIT
// A real mount over disks that are plain arrays.
#include "front_rig.h"

#include "disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// One request at a time, none while a test holds the gate.
static int enter(struct disk *d)
{
	(void)atomic_fetch_add(&d->waiting, 1);
	(void)pthread_mutex_lock(&d->gate);
	(void)atomic_fetch_sub(&d->waiting, 1);
	return atomic_load(&d->fail);
}

static int leave(struct disk *d, int r)
{
	(void)pthread_mutex_unlock(&d->gate);
	return r;
}

int disk_read(struct disk *d, uint64_t off, void *buf, size_t len)
{
	assert(len <= DISK_IO_MAX && off <= d->size && len <= d->size - off);
	int r = enter(d);
	if (!r)
		memcpy(buf, d->data + off, len);
	return leave(d, r);
}

int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len)
{
	assert(len <= DISK_IO_MAX && off <= d->size && len <= d->size - off);
	if (d->read_only)
		return -EROFS;
	int r = enter(d);
	if (!r)
		memcpy(d->data + off, buf, len);
	return leave(d, r);
}

int disk_flush(struct disk *d)
{
	(void)atomic_fetch_add(&d->flushed, 1);
	return leave(d, enter(d));
}

int disk_zero(struct disk *d, uint64_t off, uint64_t len)
{
	assert(off <= d->size && len <= d->size - off);
	if (!d->thin)
		return -EOPNOTSUPP;
	(void)atomic_fetch_add(&d->zeroed, 1);
	int r = enter(d);
	if (!r)
		memset(d->data + off, 0, len);
	return leave(d, r);
}

int disk_allocate(struct disk *d, uint64_t off, uint64_t len)
{
	assert(off <= d->size && len <= d->size - off);
	(void)atomic_fetch_add(&d->allocated, 1);
	return leave(d, enter(d));
}

bool rig_holds(struct rig *r, size_t i, size_t off, const void *bytes, size_t len)
{
	struct disk *d = &r->disks[i];
	(void)pthread_mutex_lock(&d->gate);
	bool same = memcmp(d->data + off, bytes, len) == 0;
	(void)pthread_mutex_unlock(&d->gate);
	return same;
}

uint64_t disk_size(const struct disk *d)
{
	return d->size;
}

uint32_t disk_sector_size(const struct disk *d)
{
	(void)d;
	return 512;
}

bool disk_read_only(const struct disk *d)
{
	return d->read_only;
}

int disk_open_status(struct disk *d)
{
	return atomic_load(&d->open_status);
}

int disk_check(struct disk *d)
{
	return atomic_load(&d->fail) ? -EIO : 0;
}

static void on_ready(void *ctx)
{
	struct rig *r = ctx;
	(void)sem_post(&r->ready);
}

int rig_unavailable(void)
{
	if (access("/dev/fuse", R_OK | W_OK)) {
		(void)fprintf(stderr, "skipped: no access to /dev/fuse\n");
		return 77;
	}
	if (geteuid() != 0 && access("/usr/bin/fusermount3", X_OK)) {
		(void)fprintf(stderr, "skipped: fusermount3 is missing\n");
		return 77;
	}
	return 0;
}

void rig_init(struct rig *r, size_t count)
{
	*r = (struct rig){.count = count};
	(void)snprintf(r->base, sizeof(r->base), "/tmp/cmkdisk-front-XXXXXX");
	assert(mkdtemp(r->base));
	(void)snprintf(r->mountpoint, sizeof(r->mountpoint), "%s/mnt", r->base);
	assert(mkdir(r->mountpoint, 0700) == 0);
	assert(sem_init(&r->ready, 0, 0) == 0);
	r->disks = calloc(count + 1, sizeof(*r->disks));
	r->names = calloc(count + 1, sizeof(*r->names));
	r->fronts = calloc(count + 1, sizeof(*r->fronts));
	assert(r->disks && r->names && r->fronts);
	for (size_t i = 0; i < count; i++) {
		struct disk *d = &r->disks[i];
		d->size = i == 0 ? RIG_SIZE : RIG_SMALL;
		d->data = calloc(1, d->size);
		assert(d->data && pthread_mutex_init(&d->gate, NULL) == 0);
		// Not in alphabetical order.
		(void)snprintf(r->names[i], sizeof(r->names[i]), "disk-%03zu.luks", (i * 7) % 1000);
		r->fronts[i] = (struct front_disk){.name = r->names[i], .disk = d};
	}
	r->config = (struct front_config){.mountpoint = r->mountpoint,
		.fsname = "/back,ing\\file", // what an option list could stumble over
		.disks = r->fronts,
		.disk_count = count,
		.uid = geteuid(),
		.gid = getegid(),
		.mode = 0600,
		.ready = on_ready,
		.ctx = r};
}

static void *runner(void *arg)
{
	struct rig *r = arg;
	r->result = front_run(r->front);
	return NULL;
}

void rig_mount(struct rig *r)
{
	struct errmsg err = {0};
	int n = front_new(&r->config, &r->front, &err);
	if (n)
		(void)fprintf(stderr, "front_new: %s\n", err.text);
	assert(n == 0);
	assert(pthread_create(&r->thread, NULL, runner, r) == 0);
	r->running = true;
	// The kernel says hello without being asked.
	while (sem_wait(&r->ready))
		assert(errno == EINTR);
}

void rig_unmount(struct rig *r)
{
	if (!r->running)
		return;
	front_stop(r->front);
	assert(pthread_join(r->thread, NULL) == 0);
	r->running = false;
}

void rig_fini(struct rig *r)
{
	rig_unmount(r);
	front_free(&r->front);
	assert(rmdir(r->mountpoint) == 0); // EBUSY if the mount were still there
	assert(rmdir(r->base) == 0);
	for (size_t i = 0; i < r->count; i++) {
		free(r->disks[i].data);
		(void)pthread_mutex_destroy(&r->disks[i].gate);
	}
	free(r->disks);
	free(r->names);
	free(r->fronts);
	(void)sem_destroy(&r->ready);
}

const char *rig_path(const struct rig *r, size_t i)
{
	static _Thread_local char path[160];
	(void)snprintf(path, sizeof(path), "%s/%s", r->mountpoint, r->names[i]);
	return path;
}

int rig_open(const struct rig *r, size_t i, int flags)
{
	int fd = open(rig_path(r, i), flags | O_CLOEXEC);
	if (fd < 0)
		perror(rig_path(r, i));
	assert(fd >= 0);
	return fd;
}
