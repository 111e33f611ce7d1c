// SPDX-License-Identifier: MIT
// A disk that is bound anew: from the asker of its former version to that of the new one, between
// questions. Both do their part in their own thread; the one who wants it waits, or does not.
#include "monitor_internal.h"

#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 30000
#define SOON_APART_NS (200 * NS_PER_MS)

static void free_move(struct move *mv)
{
	free(mv->fresh);
	free(mv);
}

static void push(struct key *k, struct move *mv)
{
	mv->next = NULL;
	{
		with_lock(&k->lock);
		struct move **at = &k->moves;
		while (*at)
			at = &(*at)->next;
		*at = mv;
	}
	waker_ring(&k->waker);
}

static struct key *key_of(struct disk *d)
{
	with_lock(&d->monitor->lock);
	return d->key;
}

int rebind_begin(struct monitor *m, int disk, int key, const struct binding *b, struct move **out)
{
	struct move *mv autofree = calloc(1, sizeof(*mv));
	struct group *fresh autofree = group_new(b->key_version);
	if (!mv || !fresh)
		return -ENOMEM;
	*mv = (struct move){.disk = m->disks[disk], .binding = *b};
	{
		with_lock(&m->lock);
		if (atomic_load(&m->stopping))
			return -EBUSY;
		if (key < 0 || (size_t)key >= m->key_count)
			return -EINVAL;
		mv->to = m->keys[key];
	}
	mv->fresh = TAKE(fresh);
	*out = TAKE(mv);
	push(key_of(m->disks[disk]), *out);
	return 0;
}

static struct timespec from_now(uint32_t ms)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t ns = (uint64_t)t.tv_nsec + ms * NS_PER_MS;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	return t;
}

int rebind_wait(struct monitor *m, struct move *mv, uint32_t patience_ms, struct errmsg *err)
{
	struct timespec until = from_now(patience_ms);
	const struct disk *d = mv->disk;
	{
		with_lock(&m->lock);
		while (!mv->done && !atomic_load(&m->stopping))
			if (pthread_cond_timedwait(&m->moved, &m->lock, &until) == ETIMEDOUT)
				break;
		mv->abandoned = !mv->done;
		if (mv->abandoned && atomic_load(&m->stopping))
			return errmsg_set(err, EBUSY, UNMOUNTING);
		if (mv->abandoned)
			return errmsg_set(err, ETIMEDOUT,
				"%s: bound to its new key, but the key store has not answered for "
				"%u s; the new key is asked as soon as it does",
				d->opener.name ? d->opener.name : "the disk", patience_ms / 1000);
	}
	free_move(mv);
	return 0;
}

int monitor_rebind(
	struct monitor *m, int disk, int key, const struct binding *b, struct errmsg *err)
{
	struct move *mv = NULL;
	int r = rebind_begin(m, disk, key, b, &mv);
	if (r == -EBUSY)
		return errmsg_set(err, EBUSY, UNMOUNTING);
	if (r == -EINVAL)
		return errmsg_set(err, EINVAL, "there is no key %d in this mount", key);
	if (r < 0)
		return errmsg_set(err, -r, "out of memory");
	return rebind_wait(m, mv, PATIENCE_MS, err);
}

static void finish(struct monitor *m, struct move *mv)
{
	{
		with_lock(&m->lock);
		mv->done = true;
		(void)pthread_cond_broadcast(&m->moved);
		if (!mv->abandoned)
			return; // it is freed by the one who waits, perhaps already
	}
	free_move(mv);
}

// What is known of the newest version already is known of the group that it is.
static void seed_attributes(struct key *k, struct group *g)
{
	with_lock(&k->monitor->lock);
	if (g->info_known || strcmp(k->newest.version, g->version) != 0)
		return;
	g->info_known = true;
	g->described_ns = clock_boot_ns(k->monitor->config.clock);
	g->view.info = k->newest;
	g->view.attributes_seen = true;
}

static void join(struct key *k, struct move *mv)
{
	struct disk *d = mv->disk;
	d->binding = mv->binding;
	atomic_store(&d->told, 0);
	group_join(k, d, &mv->fresh);
	group_limit_interval(k, d->lease);
	seed_attributes(k, d->group);
	d->group->soon = true;
	uint64_t at = clock_boot_ns(k->monitor->config.clock);
	if (k->last_soon_ns && at < k->last_soon_ns + SOON_APART_NS)
		at = k->last_soon_ns + SOON_APART_NS;
	if (at < k->soon_ns)
		k->soon_ns = at;
	finish(k->monitor, mv);
}

static void leave(struct key *k, struct move *mv)
{
	struct disk *d = mv->disk;
	atomic_fetch_add(&d->moves, 1);
	resumer_drop_disk(k->monitor, d);
	group_leave(k, d);
	if (mv->to == k) {
		join(k, mv);
		return;
	}
	{
		with_lock(&k->monitor->lock);
		d->key = mv->to;
	}
	mv->left = true;
	push(mv->to, mv);
}

static void serve(struct key *k, struct move *mv)
{
	struct key *home;
	bool here;
	if (mv->left) {
		join(k, mv);
		return;
	}
	{
		with_lock(&k->monitor->lock);
		home = mv->disk->key;
		here = home == k && mv->disk->group;
	}
	if (here)
		leave(k, mv);
	else
		push(home, mv); // behind an earlier move of the same disk
}

static struct move *take(struct key *k)
{
	with_lock(&k->lock);
	return TAKE(k->moves);
}

void rebind_serve(struct key *k)
{
	struct move *mv = take(k);
	while (mv) {
		struct move *next = mv->next;
		serve(k, mv);
		mv = next;
	}
}

void rebind_drop(struct key *k)
{
	struct move *mv = take(k);
	while (mv) {
		struct move *next = mv->next;
		free_move(mv);
		mv = next;
	}
}
