// SPDX-License-Identifier: MIT
// One list in order of arrival, holders and waiters alike: a range waits for those before it that
// conflict, so it can be overtaken only by what it does not conflict with.
#include "rangelock.h"

#include "scope.h"

#include <assert.h>
#include <stddef.h>

int rangelock_init(struct rangelock *l)
{
	*l = (struct rangelock){0};
	mutex_init_brief(&l->mutex);
	int r = pthread_cond_init(&l->left, NULL);
	if (r)
		(void)pthread_mutex_destroy(&l->mutex);
	return -r;
}

void rangelock_destroy(struct rangelock *l)
{
	assert(!l->first);
	(void)pthread_cond_destroy(&l->left);
	(void)pthread_mutex_destroy(&l->mutex);
}

static bool must_wait(const struct range *r)
{
	for (const struct range *p = r->prev; p; p = p->prev) {
		bool overlap = p->start < r->end && r->start < p->end;
		if (overlap && (p->exclusive || r->exclusive))
			return true;
	}
	return false;
}

void rangelock_lock(
	struct rangelock *l, struct range *r, uint64_t start, uint64_t end, bool exclusive)
{
	with_lock(&l->mutex);
	*r = (struct range){.start = start, .end = end, .exclusive = exclusive, .prev = l->last};
	if (l->last)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
	while (must_wait(r)) {
		l->waiting++;
		(void)pthread_cond_wait(&l->left, &l->mutex);
		l->waiting--;
	}
}

void rangelock_unlock(struct rangelock *l, struct range *r)
{
	with_lock(&l->mutex);
	if (r->prev)
		r->prev->next = r->next;
	else
		l->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		l->last = r->prev;
	if (l->waiting)
		(void)pthread_cond_broadcast(&l->left);
}
