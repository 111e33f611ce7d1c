// SPDX-License-Identifier: MIT
// Puts the monitor together, starts its threads and ends them.
#include "monitor_internal.h"

#include "scope.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define INTERVAL_DEFAULT_MS 60000
#define NEAR_EXPIRY_DEFAULT_S (30ull * 24 * 3600)

static void cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(c, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int monitor_new(const struct monitor_config *c, struct monitor **out)
{
	autofree struct monitor *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->config = *c;
	if (m->config.interval_ms == 0)
		m->config.interval_ms = INTERVAL_DEFAULT_MS;
	if (m->config.near_expiry_s == 0)
		m->config.near_expiry_s = NEAR_EXPIRY_DEFAULT_S;
	int r = waker_open(&m->timekeeper);
	if (r < 0)
		return r;
	r = resumer_init(&m->resumer);
	if (r < 0) {
		waker_close(&m->timekeeper);
		return r;
	}
	(void)pthread_mutex_init(&m->lock, NULL);
	cond_init(&m->moved);
	*out = TAKE(m);
	return 0;
}

// Room for one more pointer.
static int grow(void *array, size_t count)
{
	void **old;
	memcpy(&old, array, sizeof(old));
	void **bigger = reallocarray(old, count + 1, sizeof(void *));
	if (!bigger)
		return -ENOMEM;
	memcpy(array, &bigger, sizeof(bigger));
	return 0;
}

// Signals are for the threads that the rest of the program chose.
static int start_thread(pthread_t *t, void *(*main)(void *), void *ctx, const char *name)
{
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(t, NULL, main, ctx);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		(void)pthread_setname_np(*t, name);
	return -r;
}

static void free_groups(struct key *k)
{
	while (k->groups) {
		struct group *g = k->groups;
		k->groups = g->next;
		free(g);
	}
}

static void free_key(struct key *k)
{
	rebind_drop(k);
	free_groups(k);
	waker_close(&k->waker);
	(void)pthread_cond_destroy(&k->answered);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}

static int new_key(struct monitor *m, const struct key_source *source, struct key **out)
{
	autofree struct key *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	int r = waker_open(&k->waker);
	if (r < 0)
		return r;
	k->monitor = m;
	k->source = *source;
	k->soon_ns = UINT64_MAX;
	(void)pthread_mutex_init(&k->lock, NULL);
	cond_init(&k->answered);
	*out = TAKE(k);
	return 0;
}

static int start_asker(struct key *k)
{
	int r = start_thread(&k->thread, asker_main, k, "asker");
	k->running = r == 0;
	return r;
}

// With monitor.lock.
static int adopt_locked(struct monitor *m, struct key *k)
{
	if (atomic_load(&m->stopping))
		return -EBUSY;
	if (grow(&m->keys, m->key_count) < 0)
		return -ENOMEM;
	uint64_t now = clock_boot_ns(m->config.clock);
	k->index = (int)m->key_count;
	schedule_init(&k->schedule, m->config.interval_ms, now + m->key_count, now);
	k->next_check_ns = k->schedule.due_ns;
	int r = m->started ? start_asker(k) : 0;
	if (r < 0)
		return r;
	m->keys[m->key_count++] = k;
	return k->index;
}

int monitor_add_key(struct monitor *m, const struct key_source *source)
{
	struct key *k = NULL;
	int r = new_key(m, source, &k);
	if (r < 0)
		return r;
	{
		with_lock(&m->lock);
		r = adopt_locked(m, k);
	}
	if (r < 0)
		free_key(k);
	return r;
}

int monitor_add_disk(struct monitor *m, int key, const struct binding *b, struct lease *lease,
	const struct disk_opener *opener)
{
	if (key < 0 || (size_t)key >= m->key_count)
		return -EINVAL;
	struct key *k = m->keys[key];
	autofree struct disk *d = calloc(1, sizeof(*d));
	struct group *fresh autofree = group_new(b->key_version);
	if (!d || !fresh || grow(&m->disks, m->disk_count) < 0)
		return -ENOMEM;
	*d = (struct disk){
		.monitor = m, .binding = *b, .lease = lease, .opener = *opener, .key = k};
	group_join(k, d, &fresh);
	group_limit_interval(k, lease);
	k->next_check_ns = k->schedule.due_ns;
	k->interval_ns = k->schedule.interval_ns;
	m->disks[m->disk_count] = TAKE(d);
	return (int)m->disk_count++;
}

int monitor_keep_time(struct monitor *m)
{
	int r = start_thread(&m->timekeeper_thread, timekeeper_main, m, "timekeeper");
	m->timekeeper_running = r == 0;
	return r;
}

int monitor_start(struct monitor *m)
{
	int r = m->timekeeper_running ? 0 : monitor_keep_time(m);
	if (r == 0) {
		r = start_thread(&m->resumer.thread, resumer_main, m, "resumer");
		m->resumer.running = r == 0;
	}
	with_lock(&m->lock);
	m->started = r == 0;
	for (size_t i = 0; r == 0 && i < m->key_count; i++)
		r = start_asker(m->keys[i]);
	return r;
}

static void lock_all(struct monitor *m)
{
	for (size_t i = 0; i < m->disk_count; i++)
		lease_lock(m->disks[i]->lease, UNMOUNTING);
}

void monitor_stop(struct monitor *m)
{
	atomic_store(&m->stopping, true);
	// Before anybody waits for askers that may sit in a slow question: the keys go now.
	lock_all(m);
	waker_ring(&m->timekeeper);
	{
		// From here on no key is added.
		with_lock(&m->lock);
		(void)pthread_cond_broadcast(&m->moved);
	}
	for (size_t i = 0; i < m->key_count; i++) {
		asker_close(m->keys[i]);
		waker_ring(&m->keys[i]->waker);
	}
}

int monitor_free(struct monitor **mp)
{
	struct monitor *m = TAKE(*mp);
	if (!m)
		return 0;
	monitor_stop(m);
	if (m->timekeeper_running)
		(void)pthread_join(m->timekeeper_thread, NULL);
	m->timekeeper_running = false;
	for (size_t i = 0; i < m->key_count; i++) {
		if (m->keys[i]->running)
			(void)pthread_join(m->keys[i]->thread, NULL);
		m->keys[i]->running = false;
	}
	int r = resumer_end(m);
	// Once more, for a question that ended in an unlock meanwhile. A header that is read still
	// starts nothing any more: its grant is older than this stop.
	lock_all(m);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->key_count; i++)
		free_key(m->keys[i]);
	for (size_t i = 0; i < m->disk_count; i++)
		free(m->disks[i]);
	free(m->keys);
	free(m->disks);
	waker_close(&m->timekeeper);
	resumer_destroy(&m->resumer);
	(void)pthread_cond_destroy(&m->moved);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
	return 0;
}

void monitor_view(struct monitor *m, int disk, struct monitor_view *out)
{
	struct disk *d = m->disks[disk];
	with_lock(&m->lock);
	*out = d->group ? d->group->view : (struct monitor_view){.checks = 0};
	out->next_check_ns = d->key->next_check_ns;
	out->interval_ns = d->key->interval_ns;
	out->newest = d->key->newest;
	out->near_expiry = attributes_near_expiry(m, &out->info);
}
