// SPDX-License-Identifier: MIT
// See memstore.h.
#include "memstore.h"

#include "scope.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

// 0, or the error that was planned for this call.
static int begin(struct memstore *m, enum memstore_op op)
{
	(void)atomic_fetch_add(&m->calls[op], 1);
	with_lock(&m->lock);
	if (m->spy)
		m->spy(m->spy_ctx);
	if (m->held[op]) {
		m->hanging++;
		(void)pthread_cond_broadcast(&m->changed);
		while (m->held[op])
			(void)pthread_cond_wait(&m->changed, &m->lock);
		m->hanging--;
	}
	if (!m->planned || m->failing != op || m->after-- > 0)
		return 0;
	m->planned = false;
	return -m->error;
}

static int mem_pread(struct store *s, void *buf, size_t len, uint64_t off)
{
	struct memstore *m = (struct memstore *)s;
	if (off > m->size || len > m->size - off)
		return -ENODATA;
	int r = begin(m, MEM_PREAD);
	memcpy(buf, m->data + off, r ? len / 2 : len);
	return r;
}

static int mem_pwrite(struct store *s, const void *buf, size_t len, uint64_t off)
{
	struct memstore *m = (struct memstore *)s;
	if (off > m->size || len > m->size - off)
		return -ENOSPC;
	int r = begin(m, MEM_PWRITE);
	memcpy(m->data + off, buf, r ? len / 2 : len);
	return r;
}

static int mem_flush(struct store *s)
{
	return begin((struct memstore *)s, MEM_FLUSH);
}

static int mem_discard(struct store *s, uint64_t off, uint64_t len)
{
	struct memstore *m = (struct memstore *)s;
	int r = begin(m, MEM_DISCARD);
	if (!r)
		memset(m->data + off, 0, len);
	return r;
}

static int mem_allocate(struct store *s, uint64_t off, uint64_t len)
{
	(void)off;
	(void)len;
	return begin((struct memstore *)s, MEM_ALLOCATE);
}

static int mem_size(struct store *s, uint64_t *bytes)
{
	*bytes = ((struct memstore *)s)->size;
	return 0;
}

static void mem_close(struct store *s)
{
	struct memstore *m = (struct memstore *)s;
	memstore_free(&m);
}

static const struct store_ops mem_ops = {
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.flush = mem_flush,
	.discard = mem_discard,
	.allocate = mem_allocate,
	.size = mem_size,
	.close = mem_close,
};

struct memstore *memstore_new(uint64_t size)
{
	struct memstore *m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->store.ops = &mem_ops;
	m->size = size;
	m->data = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->data == MAP_FAILED)
		abort();
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_cond_init(&m->changed, NULL);
	return m;
}

void memstore_free(struct memstore **m)
{
	if (!*m)
		return;
	(void)munmap((*m)->data, (*m)->size);
	(void)pthread_cond_destroy(&(*m)->changed);
	(void)pthread_mutex_destroy(&(*m)->lock);
	free(*m);
	*m = NULL;
}

void memstore_fail(struct memstore *m, enum memstore_op op, unsigned after, int error)
{
	with_lock(&m->lock);
	m->planned = true;
	m->failing = op;
	m->after = after;
	m->error = error;
}

bool memstore_failed(struct memstore *m)
{
	with_lock(&m->lock);
	return !m->planned;
}

void memstore_hold(struct memstore *m, enum memstore_op op)
{
	with_lock(&m->lock);
	m->held[op] = true;
}

void memstore_wait_hanging(struct memstore *m, unsigned calls)
{
	with_lock(&m->lock);
	while (m->hanging < calls)
		(void)pthread_cond_wait(&m->changed, &m->lock);
}

void memstore_release(struct memstore *m)
{
	with_lock(&m->lock);
	memset(m->held, 0, sizeof(m->held));
	(void)pthread_cond_broadcast(&m->changed);
}
