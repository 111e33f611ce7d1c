// SPDX-License-Identifier: MIT
// See bufpool.h. Buffers are excluded from core dumps: some of them hold plaintext for a moment.
#include "bufpool.h"

#include "scope.h"

#include <assert.h>
#include <errno.h>
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
	p->made = 1;
	return 0;
}

void bufpool_destroy(struct bufpool *p)
{
	assert(p->spares == p->made);
	for (unsigned i = 0; i < p->spares; i++)
		(void)munmap(p->spare[i], p->size);
	(void)pthread_cond_destroy(&p->back);
	(void)pthread_mutex_destroy(&p->lock);
}

void *bufpool_get(struct bufpool *p)
{
	with_lock(&p->lock);
	if (!p->spares && p->made < BUFPOOL_MAX) {
		void *fresh = buffer_new(p->size);
		p->made += fresh != NULL;
		if (fresh)
			return fresh;
	}
	while (!p->spares) {
		p->waiting++;
		(void)pthread_cond_wait(&p->back, &p->lock);
		p->waiting--;
	}
	return p->spare[--p->spares];
}

void bufpool_put(struct bufpool *p, void *buffer)
{
	with_lock(&p->lock);
	p->spare[p->spares++] = buffer;
	if (p->waiting)
		(void)pthread_cond_signal(&p->back);
}
