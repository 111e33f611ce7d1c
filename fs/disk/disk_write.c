// SPDX-License-Identifier: MIT
// A disk's ways of changing: write, zero, allocate.
//
// WRITE  front -> disk_write: lease asked, sectors locked (exclusive)
//          -> for each piece, on this thread or a helper of the crew:
//             [sectors partly written: store: their ciphertext into a buffer of the crew]
//             -> lease_enter -> [those decrypted, merged] -> encrypted into the buffer ->
//             lease_leave
//             -> store: buffer
//          -> lease asked again -> sectors unlocked -> front replies
//
// The caller's buffer is only read. Reading, merging and writing a sector happen under one lock, so
// two writers of different bytes of one sector both win.
#include "disk_impl.h"

#include "cipher.h"
#include "lease.h"
#include "scope.h"
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

// Ciphertext of those sectors at the ends of the piece that are written only in part.
static int fetch_ends(struct disk *d, const struct piece *p, uint8_t *buf, bool head, bool tail)
{
	const size_t sector = d->sector_size, last = p->len - sector;
	int r = head ? disk_fetch(d, p->start, buf, sector) : 0;
	if (!r && tail)
		r = disk_fetch(d, p->start + last, buf + last, sector);
	return r;
}

static int merge_and_encrypt(struct disk *d, struct cipher *key, const struct piece *p,
	const uint8_t *from, uint8_t *buf, bool head, bool tail)
{
	const size_t sector = d->sector_size, last = p->len - sector;
	int r = head ? disk_decrypt(d, key, p->start, buf, sector) : 0;
	if (!r && tail)
		r = disk_decrypt(d, key, p->start + last, buf + last, sector);
	if (r)
		return r;
	if (head || tail) {
		memcpy(buf + p->skip, from, p->take);
		from = buf;
	}
	return cipher_encrypt(key, p->start, from, buf, p->len) ? DISK_CIPHER_FAILED : 0;
}

static int write_piece(void *span, size_t i)
{
	struct span *s = span;
	struct disk *d = s->d;
	struct piece p = span_piece(s, i);
	struct lent b scoped(scope_give_back) = disk_borrow(d);
	struct cipher *key;

	// At most one of the two if the piece is one sector: it is fetched and decrypted once.
	bool head = p.skip > 0;
	bool tail = p.skip + p.take < p.len && !(head && p.len == d->sector_size);
	int r = fetch_ends(d, &p, b.data, head, tail);
	if (r)
		return r;
	r = disk_key(d, &key);
	if (r)
		return r;
	r = merge_and_encrypt(d, key, &p, s->out + p.at, b.data, head, tail);
	lease_leave(d->lease);
	if (r)
		return r;
	return store_pwrite(d->store, b.data, p.len, d->data_offset + p.start);
}

// With the sectors locked.
static int write_range(struct disk *d, uint64_t off, const void *buf, size_t len)
{
	struct span s = {.d = d,
		.off = off,
		.len = len,
		.e = extent_of(off, len, d->sector_size),
		.out = buf};
	return span_run(&s, write_piece);
}

static int write_locked(struct disk *d, uint64_t off, const void *buf, size_t len)
{
	struct extent e = extent_of(off, len, d->sector_size);
	struct range sectors;
	int r = disk_allowed(d);
	if (r)
		return r;
	crew_enter(d->crew);
	rangelock_lock(&d->locks, &sectors, e.start, e.end, true);
	r = write_range(d, off, buf, len);
	// The store may have hung beyond the deadline: then it did not succeed.
	if (!r)
		r = disk_allowed(d);
	rangelock_unlock(&d->locks, &sectors);
	crew_leave(d->crew);
	return r;
}

int disk_write(struct disk *d, uint64_t off, const void *buf, size_t len)
{
	assert(len <= DISK_IO_MAX && disk_holds(d, off, len));
	if (d->read_only)
		return -EROFS;
	int r = disk_finish(d, write_locked(d, off, buf, len));
	if (r)
		return r;
	count(&d->writes, 1);
	count(&d->bytes_written, len);
	return 0;
}

// The largest range without a whole sector in it: two sectors less a byte at either end.
static const uint8_t zeros[2 * 4096];

// With the sectors locked. Whole sectors first: a store that cannot punch holes says so there, and
// nothing has changed yet.
static int zero_range(struct disk *d, uint64_t off, uint64_t len, const struct extent *e)
{
	const uint64_t sector = d->sector_size, end = off + len;
	uint64_t from = e->head_partial ? e->start + sector : e->start;
	uint64_t to = e->tail_partial ? e->end - sector : e->end;
	if (from >= to)
		return write_range(d, off, zeros, (size_t)len);
	int r = store_discard(d->store, d->data_offset + from, to - from);
	if (!r && off < from)
		r = write_range(d, off, zeros, (size_t)(from - off));
	if (!r && to < end)
		r = write_range(d, to, zeros, (size_t)(end - to));
	return r;
}

static int zero_locked(struct disk *d, uint64_t off, uint64_t len)
{
	struct extent e = extent_of(off, len, d->sector_size);
	struct range sectors;
	int r = disk_allowed(d);
	if (r)
		return r;
	rangelock_lock(&d->locks, &sectors, e.start, e.end, true);
	r = zero_range(d, off, len, &e);
	if (!r)
		r = disk_allowed(d);
	rangelock_unlock(&d->locks, &sectors);
	return r;
}

int disk_zero(struct disk *d, uint64_t off, uint64_t len)
{
	if (d->read_only)
		return -EROFS;
	if (!disk_holds(d, off, len))
		return -EINVAL;
	if (!d->thin)
		return -EOPNOTSUPP;
	if (len == 0)
		return disk_finish(d, disk_allowed(d));
	int r = zero_locked(d, off, len);
	return r == -EOPNOTSUPP ? r : disk_finish(d, r);
}

static int allocate_sectors(struct disk *d, uint64_t off, uint64_t len)
{
	struct extent e = extent_of(off, len, d->sector_size);
	int r = disk_allowed(d);
	if (!r && e.end > e.start)
		r = store_allocate(d->store, d->data_offset + e.start, e.end - e.start);
	return r ? r : disk_allowed(d);
}

int disk_allocate(struct disk *d, uint64_t off, uint64_t len)
{
	if (d->read_only)
		return -EROFS;
	if (!disk_holds(d, off, len))
		return -EINVAL;
	int r = allocate_sectors(d, off, len);
	return r == -EOPNOTSUPP ? r : disk_finish(d, r);
}
