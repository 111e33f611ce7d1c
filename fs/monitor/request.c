// SPDX-License-Identifier: MIT
// What people ask: put before the askers together, so that one round answers for all, then waited
// for.
#include "monitor_internal.h"

#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

// How long somebody waits for a header; the reading itself goes on.
#define HEADER_WAIT_S 10

static void enqueue(struct request *q)
{
	{
		with_lock(&q->disk->monitor->lock);
		q->key = q->disk->key;
	}
	struct key *k = q->key;
	with_lock(&k->lock);
	if (k->closed) {
		q->done = true; // with the result it was made with
		return;
	}
	struct request **at = &k->requests;
	while (*at)
		at = &(*at)->next;
	*at = q;
}

static struct timespec header_deadline(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += HEADER_WAIT_S;
	return t;
}

static void give_up(struct request *q)
{
	struct key *k = q->key;
	q->opening->waiter = NULL;
	q->done = true;
	if (k->closed) {
		q->result = errmsg_set(&q->err, EBUSY, UNMOUNTING);
		return;
	}
	q->result = errmsg_set(&q->err, EBUSY,
		"its header has not been read for %d s; its backing store, or that of another disk "
		"of this mount, may hang: the disk goes on when it answers",
		HEADER_WAIT_S);
	if (q->disk->opener.name)
		errmsg_prefix(&q->err, "%s", q->disk->opener.name);
}

static void wait_for(struct request *q)
{
	struct key *k = q->key;
	struct timespec until = {0};
	with_lock(&k->lock);
	while (!q->done) {
		if (!q->opening) {
			(void)pthread_cond_wait(&k->answered, &k->lock);
			continue;
		}
		if (!until.tv_sec)
			until = header_deadline();
		if (k->closed ||
			pthread_cond_timedwait(&k->answered, &k->lock, &until) == ETIMEDOUT) {
			if (!q->done)
				give_up(q);
		}
	}
}

static void put(struct request *q, enum request_kind kind, struct disk *d)
{
	*q = (struct request){.kind = kind, .disk = d, .result = -EBUSY, .err = {UNMOUNTING}};
	enqueue(q);
}

// A disk that was moved to another key's asker is asked about there.
static void follow(struct request *q)
{
	wait_for(q);
	while (q->result == -ESTALE) {
		put(q, q->kind, q->disk);
		waker_ring(&q->key->waker);
		wait_for(q);
	}
}

static int ask_for(struct monitor *m, const int *disks, size_t count, enum request_kind kind,
	struct errmsg *err)
{
	int first = 0;
	struct request *requests autofree = calloc(count ? count : 1, sizeof(*requests));
	if (!requests)
		return errmsg_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		put(&requests[i], kind, m->disks[disks[i]]);
	for (size_t i = 0; i < count; i++)
		waker_ring(&requests[i].key->waker);
	for (size_t i = 0; i < count; i++) {
		follow(&requests[i]);
		if (first || !requests[i].result)
			continue;
		first = requests[i].result;
		if (err)
			*err = requests[i].err;
	}
	return first;
}

int monitor_check(struct monitor *m, const int *disks, size_t count, struct errmsg *err)
{
	return ask_for(m, disks, count, REQUEST_CHECK, err);
}

int monitor_unlock(struct monitor *m, const int *disks, size_t count, struct errmsg *err)
{
	return ask_for(m, disks, count, REQUEST_UNLOCK, err);
}
