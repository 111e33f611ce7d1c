// SPDX-License-Identifier: MIT
// How many threads one disk may have. A backing store that hangs would in time take all of them,
// however many there are, and no other disk would be served. So a request on a disk that has its
// share already is put by, with its data, and the next thread that is done with that disk takes it.
//
// The share is as many threads as there usually are: only when others were added, because a store
// hangs, can a disk meet its limit.
#include "front_internal.h"

#include "scope.h"

#include <stdlib.h>
#include <string.h>

#define THREADS_PER_DISK 10u
#define PUT_BY_MOST (32u << 20) // bytes; beyond it requests take a thread after all

// False: it has to be carried out here.
static bool put_by(struct front *f, const struct request *q)
{
	const size_t data = q->data ? (size_t)q->len : 0, size = sizeof(*q) + data;
	with_lock(&f->lock);
	struct request *copy = f->put_by + size <= PUT_BY_MOST ? malloc(size) : NULL;
	if (!copy)
		return false;
	*copy = *q;
	copy->next = NULL;
	if (data) {
		memcpy(copy + 1, q->data, data);
		copy->data = (const char *)(copy + 1);
	}
	f->put_by += size;
	if (q->node->last)
		q->node->last->next = copy;
	else
		q->node->first = copy;
	q->node->last = copy;
	(void)atomic_fetch_add(&q->node->waiting, 1);
	return true;
}

static struct request *take(struct front *f, struct node *n)
{
	with_lock(&f->lock);
	struct request *q = n->first;
	if (!q)
		return NULL;
	n->first = q->next;
	if (!n->first)
		n->last = NULL;
	f->put_by -= sizeof(*q) + (q->data ? (size_t)q->len : 0);
	(void)atomic_fetch_sub(&n->waiting, 1);
	return q;
}

// The caller was counted as inside. Who leaves last while something waits takes it: whoever puts
// something by counts it before leaving, so either the others see it or the one who did is last.
static void leave(struct front *f, struct node *n)
{
	unsigned before = atomic_fetch_sub(&n->inside, 1);
	while (atomic_load(&n->waiting) > 0 && before <= THREADS_PER_DISK) {
		if (atomic_fetch_add(&n->inside, 1) < THREADS_PER_DISK) {
			struct request *q = take(f, n);
			if (q)
				q->run(f, q);
			free(q);
		}
		before = atomic_fetch_sub(&n->inside, 1);
	}
}

void admit(struct front *f, const struct request *q)
{
	struct node *n = q->node;
	if (atomic_fetch_add(&n->inside, 1) < THREADS_PER_DISK || !put_by(f, q))
		q->run(f, q);
	leave(f, n);
}
