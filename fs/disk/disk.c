// SPDX-License-Identifier: MIT
// A disk, and its way of reading.
//
// READ   front -> disk_read: lease asked, sectors locked (shared)
//          -> for each piece, on this thread or a helper of the crew:
//             store: ciphertext into the caller's buffer (or, where sectors are partly wanted, into
//             one of the crew) -> lease_enter -> decrypted in place -> lease_leave
//          -> sectors unlocked -> front replies
//
// The key is held for the decryption of one piece, never while the store is at work: a store that
// hangs cannot keep the key in memory.
#include "disk_impl.h"

#include "cipher.h"
#include "lease.h"
#include "scope.h"
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define ALONE_BELOW (256u * 1024) // bytes; waking a helper costs more than it gives

static int config_check(const struct disk_config *c)
{
	if (c->sector_size != 512 && c->sector_size != 4096)
		return -EINVAL;
	if (c->size == 0 || c->size % c->sector_size || c->data_offset % 512)
		return -EINVAL;
	if (c->size > (uint64_t)INT64_MAX || c->data_offset > (uint64_t)INT64_MAX - c->size)
		return -EINVAL;
	return 0;
}

int disk_new(const struct disk_config *c, struct disk **out)
{
	int r = config_check(c);
	if (r)
		return r;
	struct disk *d autofree = calloc(1, sizeof(*d));
	struct crew *own scoped(crew_free) = NULL;
	if (!d)
		return -ENOMEM;
	if (!c->crew) {
		r = crew_new(0, &own);
		if (r)
			return r;
	}
	r = rangelock_init(&d->locks);
	if (r)
		return r;
	d->store = c->store;
	d->lease = c->lease;
	d->crew = c->crew ? c->crew : own;
	d->own_crew = TAKE(own);
	d->data_offset = c->data_offset;
	d->size = c->size;
	d->sector_size = c->sector_size;
	d->read_only = c->read_only;
	d->thin = c->thin;
	d->store_failed = c->store_failed;
	d->ctx = c->ctx;
	*out = TAKE(d);
	return 0;
}

void disk_free(struct disk **d)
{
	if (!*d)
		return;
	rangelock_destroy(&(*d)->locks);
	crew_free(&(*d)->own_crew);
	free(*d);
	*d = NULL;
}

struct piece span_piece(const struct span *s, size_t i)
{
	uint64_t start = s->e.start + (uint64_t)i * CREW_BUFFER;
	uint64_t end = s->e.end - start < CREW_BUFFER ? s->e.end : start + CREW_BUFFER;
	uint64_t from = start < s->off ? s->off : start;
	uint64_t to = end < s->off + s->len ? end : s->off + s->len;
	return (struct piece){
		.start = start,
		.len = (size_t)(end - start),
		.skip = (size_t)(from - start),
		.take = (size_t)(to - from),
		.at = (size_t)(from - s->off),
	};
}

int span_run(struct span *s, int (*fn)(void *span, size_t i))
{
	uint64_t bytes = s->e.end - s->e.start;
	size_t pieces = (size_t)((bytes + CREW_BUFFER - 1) / CREW_BUFFER);
	if (bytes >= ALONE_BELOW) {
		struct crew_task t = {.piece = fn, .arg = s, .count = pieces};
		return crew_run(s->d->crew, &t);
	}
	int r = 0;
	for (size_t i = 0; i < pieces && !r; i++)
		r = fn(s, i);
	return r;
}

struct lent disk_borrow(struct disk *d)
{
	struct bufpool *pool = crew_buffers(d->crew);
	return (struct lent){.pool = pool, .data = bufpool_get(pool)};
}

void scope_give_back(struct lent *b)
{
	bufpool_put(b->pool, b->data);
}

int disk_key(struct disk *d, struct cipher **key)
{
	void *k = NULL;
	if (lease_enter(d->lease, &k))
		return DISK_REFUSED;
	*key = k;
	return 0;
}

int disk_allowed(struct disk *d)
{
	return lease_check(d->lease) ? DISK_REFUSED : 0;
}

bool disk_holds(const struct disk *d, uint64_t off, uint64_t len)
{
	return off <= d->size && len <= d->size - off;
}

int disk_finish(struct disk *d, int r)
{
	if (r == 0)
		return 0;
	if (r == DISK_CIPHER_FAILED)
		return -EIO;
	if (r == DISK_REFUSED) {
		count(&d->refused, 1);
		return -EIO;
	}
	// The backing file ended early: it is shorter than its header says.
	if (r == -ENODATA)
		r = -EIO;
	count(&d->store_errors, 1);
	atomic_store_explicit(&d->last_store_error, -r, memory_order_relaxed);
	if (d->store_failed)
		d->store_failed(d->ctx);
	return r;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

int disk_decrypt(struct disk *d, struct cipher *key, uint64_t off, uint8_t *buf, size_t len)
{
	if (!d->thin)
		return cipher_decrypt(key, off, buf, buf, len) ? DISK_CIPHER_FAILED : 0;
	// A sector of zeros was never written or was discarded: some plaintext encrypts to it, but
	// to meet that one by chance is as likely as to guess the key several times over.
	const size_t sector = d->sector_size;
	size_t from = 0;
	for (size_t i = 0; i <= len; i += sector) {
		if (i < len && !all_zero(buf + i, sector))
			continue;
		if (i > from && cipher_decrypt(key, off + from, buf + from, buf + from, i - from))
			return DISK_CIPHER_FAILED;
		from = i + sector;
	}
	return 0;
}

int disk_fetch(struct disk *d, uint64_t off, void *buf, size_t len)
{
	return store_pread(d->store, buf, len, d->data_offset + off);
}

static int fetch_and_decrypt(struct disk *d, uint64_t off, uint8_t *buf, size_t len)
{
	struct cipher *key;
	int r = disk_fetch(d, off, buf, len);
	if (r)
		return r;
	r = disk_key(d, &key);
	if (r)
		return r;
	r = disk_decrypt(d, key, off, buf, len);
	lease_leave(d->lease);
	return r;
}

static int read_piece(void *span, size_t i)
{
	struct span *s = span;
	struct piece p = span_piece(s, i);
	if (p.take == p.len)
		return fetch_and_decrypt(s->d, p.start, s->in + p.at, p.len);
	struct lent b scoped(scope_give_back) = disk_borrow(s->d);
	int r = fetch_and_decrypt(s->d, p.start, b.data, p.len);
	if (!r)
		memcpy(s->in + p.at, b.data + p.skip, p.take);
	return r;
}

static int read_span(struct span *s)
{
	struct disk *d = s->d;
	struct range sectors;
	int r = disk_allowed(d);
	if (r)
		return r;
	crew_enter(d->crew);
	rangelock_lock(&d->locks, &sectors, s->e.start, s->e.end, false);
	r = span_run(s, read_piece);
	rangelock_unlock(&d->locks, &sectors);
	crew_leave(d->crew);
	if (r && s->len)
		memset(s->in, 0, s->len); // neither ciphertext nor a half of the plaintext goes out
	return r;
}

int disk_read(struct disk *d, uint64_t off, void *buf, size_t len)
{
	assert(len <= DISK_IO_MAX && disk_holds(d, off, len));
	struct span s = {.d = d,
		.off = off,
		.len = len,
		.e = extent_of(off, len, d->sector_size),
		.in = buf};
	int r = disk_finish(d, read_span(&s));
	if (r)
		return r;
	count(&d->reads, 1);
	count(&d->bytes_read, len);
	return 0;
}

static int flush_store(struct disk *d)
{
	int r = disk_allowed(d);
	if (!r)
		r = store_flush(d->store);
	return r ? r : disk_allowed(d);
}

int disk_flush(struct disk *d)
{
	int r = disk_finish(d, flush_store(d));
	if (!r)
		count(&d->flushes, 1);
	return r;
}

uint64_t disk_size(const struct disk *d)
{
	return d->size;
}

uint32_t disk_sector_size(const struct disk *d)
{
	return d->sector_size;
}

bool disk_read_only(const struct disk *d)
{
	return d->read_only;
}

int disk_open_status(struct disk *d)
{
	return lease_open_status(d->lease);
}

int disk_check(struct disk *d)
{
	return lease_check(d->lease);
}

void disk_counters(struct disk *d, struct disk_counters *out)
{
	*out = (struct disk_counters){
		.reads = atomic_load_explicit(&d->reads, memory_order_relaxed),
		.writes = atomic_load_explicit(&d->writes, memory_order_relaxed),
		.flushes = atomic_load_explicit(&d->flushes, memory_order_relaxed),
		.bytes_read = atomic_load_explicit(&d->bytes_read, memory_order_relaxed),
		.bytes_written = atomic_load_explicit(&d->bytes_written, memory_order_relaxed),
		.refused = atomic_load_explicit(&d->refused, memory_order_relaxed),
		.store_errors = atomic_load_explicit(&d->store_errors, memory_order_relaxed),
		.last_store_error =
			atomic_load_explicit(&d->last_store_error, memory_order_relaxed),
	};
}
