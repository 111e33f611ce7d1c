// SPDX-License-Identifier: MIT
// The thread that reads headers and starts leases once the mount has begun.
#include "monitor_internal.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define END_WAIT_S 2

int resumer_init(struct resumer *r)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc)
		return -rc;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&r->lock, NULL);
	rc = pthread_cond_init(&r->news, &attr);
	(void)pthread_condattr_destroy(&attr);
	return -rc;
}

void resumer_destroy(struct resumer *r)
{
	(void)pthread_cond_destroy(&r->news);
	(void)pthread_mutex_destroy(&r->lock);
}

static void answer(struct opening *o, int r, const struct errmsg *err)
{
	struct key *k = o->key;
	with_lock(&k->lock);
	struct request *q = o->waiter;
	if (!q)
		return;
	q->result = r;
	q->err = *err;
	q->opening = NULL;
	q->done = true; // and may be gone as soon as the lock is
	(void)pthread_cond_broadcast(&k->answered);
}

static void leave(struct monitor *m, struct opening *o)
{
	{
		with_lock(&m->resumer.lock);
		o->disk->openings--;
	}
	opening_free(&o);
}

static void serve(struct monitor *m, struct opening *o)
{
	struct errmsg err = {""};
	int r = unlock_open(o, &err);
	if (r == 0)
		atomic_store(&o->disk->told, 0);
	else if (!o->by_hand && r != -ESTALE) // its new asker resumes it
		resume_failed(o->disk, r, &err);
	answer(o, r, &err);
	leave(m, o);
}

static struct opening *next(struct resumer *r)
{
	with_lock(&r->lock);
	while (!r->first && !r->stopping)
		(void)pthread_cond_wait(&r->news, &r->lock);
	if (r->stopping)
		return NULL;
	struct opening *o = r->first;
	r->first = o->next;
	return o;
}

void *resumer_main(void *monitor)
{
	struct monitor *m = monitor;
	struct opening *o = NULL;
	while ((o = next(&m->resumer)) != NULL)
		serve(m, o);
	with_lock(&m->resumer.lock);
	m->resumer.ended = true;
	(void)pthread_cond_broadcast(&m->resumer.news);
	return NULL;
}

void resumer_push(struct monitor *m, struct opening *o)
{
	struct resumer *r = &m->resumer;
	{
		with_lock(&r->lock);
		o->disk->openings++;
		if (r->running) {
			if (r->first)
				r->last->next = o;
			else
				r->first = o;
			r->last = o;
			(void)pthread_cond_broadcast(&r->news);
			return;
		}
	}
	serve(m, o);
}

bool resumer_has(struct monitor *m, const struct disk *d)
{
	with_lock(&m->resumer.lock);
	return d->openings > 0;
}

// Of one group, or of one disk, or all (both NULL).
static struct opening *take_waiting(struct resumer *r, const struct group *g, const struct disk *d)
{
	struct opening *taken = NULL;
	struct opening **at = &r->first;
	with_lock(&r->lock);
	r->last = NULL;
	while (*at) {
		struct opening *o = *at;
		if ((g && o->group != g) || (d && o->disk != d)) {
			r->last = o;
			at = &o->next;
			continue;
		}
		*at = o->next;
		o->next = taken;
		taken = o;
	}
	return taken;
}

static void drop(struct monitor *m, struct opening *o, int r, const struct errmsg *err)
{
	while (o) {
		struct opening *following = o->next;
		answer(o, r, err);
		leave(m, o);
		o = following;
	}
}

void resumer_drop(struct monitor *m, const struct group *g)
{
	struct errmsg err;
	struct opening *o = take_waiting(&m->resumer, g, NULL);
	if (!o)
		return;
	int r = errmsg_set(&err, EAGAIN,
		"%s: the key was refused, or did not answer, while the disk waited to be unlocked; "
		"unlock again",
		o->binding.key_url);
	drop(m, o, r, &err);
}

void resumer_drop_disk(struct monitor *m, const struct disk *d)
{
	const struct errmsg none = {""};
	drop(m, take_waiting(&m->resumer, NULL, d), -ESTALE, &none);
}

int resumer_end(struct monitor *m)
{
	struct resumer *r = &m->resumer;
	if (!r->running)
		return 0;
	resumer_drop(m, NULL);
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += END_WAIT_S;
	{
		with_lock(&r->lock);
		r->stopping = true;
		(void)pthread_cond_broadcast(&r->news);
		while (!r->ended)
			if (pthread_cond_timedwait(&r->news, &r->lock, &until) == ETIMEDOUT)
				break;
		if (!r->ended)
			return -EBUSY;
	}
	(void)pthread_join(r->thread, NULL);
	r->running = false;
	return 0;
}
