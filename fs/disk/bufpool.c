// SPDX-License-Identifier: MIT
// See bufpool.h. Buffers are excluded from core dumps: some of them hold plaintext for a moment.
#include "bufpool.h"

#include "scope.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

static void *buffer_new(size_t size)
{
	void *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		return NULL;
	(void)madvise(b, size, MADV_DONTDUMP);
	return b;
}

int bufpool_init(struct bufpool *p, size_t size)
{
	*p = (struct bufpool){.size = size};
	void *first = buffer_new(size);
	if (!first)
		return -ENOMEM;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->back, NULL);
	p->spare[p->spares++] = first;
	return 0;
}

void bufpool_destroy(struct bufpool *p)
{
	assert(p->lent == 0);
	for (unsigned i = 0; i < p->spares; i++)
		(void)munmap(p->spare[i], p->size);
	(void)pthread_cond_destroy(&p->back);
	(void)pthread_mutex_destroy(&p->lock);
}

void *bufpool_get(struct bufpool *p)
{
	with_lock(&p->lock);
	p->lent++;
	if (!p->spares) {
		void *fresh = buffer_new(p->size);
		if (fresh)
			return fresh;
	}
	// Without memory, and all lent: there is at least one to come back, as the last is kept.
	while (!p->spares) {
		p->waiting++;
		(void)pthread_cond_wait(&p->back, &p->lock);
		p->waiting--;
	}
	return p->spare[--p->spares];
}

static bool keep(struct bufpool *p, void *buffer)
{
	with_lock(&p->lock);
	p->lent--;
	if (p->spares == BUFPOOL_KEEP)
		return false;
	p->spare[p->spares++] = buffer;
	if (p->waiting)
		(void)pthread_cond_signal(&p->back);
	return true;
}

void bufpool_put(struct bufpool *p, void *buffer)
{
	if (!keep(p, buffer))
		(void)munmap(buffer, p->size);
}
