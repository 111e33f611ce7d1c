// SPDX-License-Identifier: MIT
// A load as a whole: its file, which is filled first and compared last, and the asking for figures.
#include "load.h"

#include "fileio.h"
#include "load_block.h"
#include "load_internal.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define CHUNK (256u * 1024)

const struct load_config load_light = {.readers = 2, .writers = 2, .per_second = 50};
const struct load_config load_heavy = {.readers = 4, .writers = 4, .per_second = 0};

static void wrong(struct load *l, uint64_t number, const struct load_block *held, uint64_t least,
	uint64_t most)
{
	if (atomic_exchange(&l->history[number].wrong, true))
		return;
	if (!held)
		load_record_wrong(&l->record, "block %llu holds no block of this load",
			(unsigned long long)number);
	else
		load_record_wrong(&l->record,
			"block %llu holds generation %llu of block %llu, expected its own %llu to "
			"%llu",
			(unsigned long long)number, (unsigned long long)held->generation,
			(unsigned long long)held->number, (unsigned long long)least,
			(unsigned long long)most);
}

bool load_judge(struct load *l, uint64_t number, const uint8_t *buf, uint64_t least, uint64_t most)
{
	struct load_block held;
	bool whole = load_block_parse(buf, &held) && held.run == l->run;
	if (whole && held.number == number && held.generation >= least && held.generation <= most)
		return true;
	wrong(l, number, whole ? &held : NULL, least, most);
	return false;
}

static int open_file(struct load *l, struct errmsg *err)
{
	int fd = open(l->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return errmsg_set(err, errno, "%s: cannot be opened for the load: %s", l->path,
			errno == EINVAL ? "its filesystem has no direct I/O" : strerror(errno));
	with_lock(&l->lock);
	l->fd = fd;
	(void)pthread_cond_broadcast(&l->changed);
	return 0;
}

void load_release(struct load *l)
{
	with_lock(&l->lock);
	int fd = TAKE_FD(l->fd);
	while (l->inside > 0)
		(void)pthread_cond_wait(&l->changed, &l->lock);
	if (fd >= 0)
		(void)close(fd);
}

int load_reopen(struct load *l, struct errmsg *err)
{
	load_release(l);
	return open_file(l, err);
}

// Reads all blocks and judges them.
static int compare_all(struct load *l, uint64_t *verified, uint64_t *bad, struct errmsg *err)
{
	uint8_t *buf autofree = aligned_alloc(LOAD_BLOCK, CHUNK);
	if (!buf)
		return errmsg_set(err, ENOMEM, "%s: no memory to verify it", l->path);
	*verified = *bad = 0;
	for (uint64_t at = 0; at < l->config.size; at += CHUNK) {
		size_t len = l->config.size - at < CHUNK ? (size_t)(l->config.size - at) : CHUNK;
		int r = pread_full(l->fd, buf, len, at);
		if (r < 0)
			return errmsg_set(err, -r, "%s: cannot be read at %llu to verify it: %s",
				l->path, (unsigned long long)at, strerror(-r));
		for (size_t i = 0; i < len; i += LOAD_BLOCK) {
			uint64_t number = (at + i) / LOAD_BLOCK;
			struct history *h = &l->history[number];
			bool good = load_judge(
				l, number, buf + i, atomic_load(&h->good), atomic_load(&h->begun));
			*(good ? verified : bad) += LOAD_BLOCK;
		}
	}
	return 0;
}

static int fill(struct load *l, struct errmsg *err)
{
	uint8_t *buf autofree = aligned_alloc(LOAD_BLOCK, CHUNK);
	int r = buf ? 0 : -ENOMEM;
	for (uint64_t at = 0; at < l->config.size && !r; at += CHUNK) {
		size_t len = l->config.size - at < CHUNK ? (size_t)(l->config.size - at) : CHUNK;
		for (size_t i = 0; i < len; i += LOAD_BLOCK) {
			uint64_t number = (at + i) / LOAD_BLOCK;
			struct load_block b = {l->run, number, 1, load_now_us()};
			load_block_make(&b, buf + i);
			struct history *h = &l->history[number];
			atomic_init(&h->begun, 1);
			atomic_init(&h->ended, 1);
			atomic_init(&h->good, 1);
		}
		r = pwrite_full(l->fd, buf, len, at);
	}
	// A filesystem's record of where the blocks lie must outlast the stop, too.
	if (!r && fsync(l->fd) < 0)
		r = -errno;
	return r ? errmsg_set(err, -r, "%s: cannot be filled: %s", l->path, strerror(-r)) : 0;
}

static int load_new(const struct load_config *c, struct load **out)
{
	struct load *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*out = l;
	l->config = *c;
	l->fd = -1;
	(void)pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	l->blocks = c->size / LOAD_BLOCK;
	int r = load_record_begin(&l->record, c->readers + c->writers, c->slice_us);
	if (r < 0)
		return r;
	if (getrandom(&l->run, sizeof(l->run), 0) != (ssize_t)sizeof(l->run))
		return -EAGAIN;
	l->path = strdup(c->path);
	l->config.path = l->path;
	l->history = calloc(l->blocks, sizeof(*l->history));
	return l->path && l->history ? load_workers_make(l) : -ENOMEM;
}

int load_start(const struct load_config *c, struct load **out, struct errmsg *err)
{
	uint64_t blocks = c->size / LOAD_BLOCK, verified, bad;
	if (c->size % LOAD_BLOCK || blocks == 0 || blocks < c->writers || c->slice_us == 0)
		return errmsg_set(err, EINVAL,
			"%s: a load of %u writers cannot run on %llu bytes; give whole blocks of "
			"%u bytes, one for each writer at least",
			c->path, c->writers, (unsigned long long)c->size, LOAD_BLOCK);
	struct load *l scoped(load_free) = NULL;
	int r = load_new(c, &l);
	if (r < 0)
		return errmsg_set(err, -r, "cannot prepare the load: %s", strerror(-r));
	r = open_file(l, err);
	if (!r)
		r = fill(l, err);
	if (!r)
		r = compare_all(l, &verified, &bad, err);
	if (!r && bad > 0)
		r = errmsg_set(err, EIO, "%s: %llu bytes read back are not what was written",
			c->path, (unsigned long long)bad);
	if (!r) {
		load_record_start(&l->record, load_now_us());
		r = load_workers_start(l, err);
	}
	if (!r)
		*out = TAKE(l);
	return r;
}

void load_stop(struct load *l)
{
	load_workers_stop(l);
}

int load_verify(struct load *l, uint64_t *good, uint64_t *bad, struct errmsg *err)
{
	load_stop(l);
	*good = *bad = 0;
	int r = l->fd < 0 ? open_file(l, err) : 0;
	return r ? r : compare_all(l, good, bad, err);
}

void load_view(struct load *l, struct load_view *out)
{
	load_record_view(&l->record, load_now_us(), out);
}

void load_mark(struct load *l)
{
	load_record_mark(&l->record, load_now_us());
}

int load_slices(struct load *l, struct io_slice **out, size_t *count, uint64_t *first_us)
{
	return load_record_slices(&l->record, out, count, first_us);
}

void load_free(struct load **load)
{
	struct load *l = TAKE(*load);
	if (!l)
		return;
	load_workers_stop(l);
	load_release(l);
	load_record_end(&l->record);
	for (unsigned i = 0; i < l->count; i++)
		free(l->workers[i].buf);
	free(l->workers);
	free(l->history);
	free(l->path);
	(void)pthread_cond_destroy(&l->changed);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}
