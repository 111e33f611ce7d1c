// SPDX-License-Identifier: MIT
// Puts the monitor together, starts its threads and ends them.
#include "monitor_internal.h"

#include "scope.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define INTERVAL_DEFAULT_MS 60000

int monitor_new(const struct monitor_config *c, struct monitor **out)
{
	autofree struct monitor *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->config = *c;
	if (m->config.interval_ms == 0)
		m->config.interval_ms = INTERVAL_DEFAULT_MS;
	int r = waker_open(&m->timekeeper);
	if (r < 0)
		return r;
	r = resumer_init(&m->resumer);
	if (r < 0) {
		waker_close(&m->timekeeper);
		return r;
	}
	*out = TAKE(m);
	return 0;
}

// Room for one more pointer. The arrays grow only while the mount is put together.
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

int monitor_add_key(struct monitor *m, const struct key_source *source)
{
	autofree struct key *k = calloc(1, sizeof(*k));
	if (!k || grow(&m->keys, m->key_count) < 0)
		return -ENOMEM;
	int r = waker_open(&k->waker);
	if (r < 0)
		return r;
	k->monitor = m;
	k->source = *source;
	(void)pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->answered, &attr);
	(void)pthread_condattr_destroy(&attr);
	uint64_t now = clock_boot_ns(m->config.clock);
	schedule_init(&k->schedule, m->config.interval_ms, now + m->key_count, now);
	k->next_check_ns = k->schedule.due_ns;
	m->keys[m->key_count] = TAKE(k);
	return (int)m->key_count++;
}

static int find_group(struct key *k, const char *version, struct group **out)
{
	for (size_t i = 0; i < k->group_count; i++) {
		*out = k->groups[i];
		if (strcmp((*out)->disks[0]->binding.key_version, version) == 0)
			return 0;
	}
	struct group *g = calloc(1, sizeof(*g));
	if (!g || grow(&k->groups, k->group_count) < 0) {
		free(g);
		return -ENOMEM;
	}
	*out = k->groups[k->group_count] = g;
	return 1;
}

// A key is asked thrice in the shortest time that one of its disks lives without an answer, or that
// disk would stop although the store grants everything.
static void limit_interval(struct key *k, const struct lease *lease)
{
	uint64_t most_ms = lease_grace_unreachable_ms(lease) / 3;
	if (most_ms == 0)
		most_ms = 1;
	if (k->schedule.interval_ns / NS_PER_MS <= most_ms)
		return;
	schedule_init(
		&k->schedule, most_ms, k->schedule.random, clock_boot_ns(k->monitor->config.clock));
	k->next_check_ns = k->schedule.due_ns;
}

int monitor_add_disk(struct monitor *m, int key, const struct binding *b, struct lease *lease,
	const struct disk_opener *opener)
{
	if (key < 0 || (size_t)key >= m->key_count)
		return -EINVAL;
	struct key *k = m->keys[key];
	autofree struct disk *d = calloc(1, sizeof(*d));
	if (!d || grow(&m->disks, m->disk_count) < 0)
		return -ENOMEM;
	*d = (struct disk){.binding = *b, .lease = lease, .opener = *opener, .key = k};
	int fresh = find_group(k, b->key_version, &d->group);
	if (fresh < 0)
		return fresh;
	if (grow(&d->group->disks, d->group->count) < 0) {
		if (fresh)
			free(d->group);
		return -ENOMEM;
	}
	k->group_count += (size_t)fresh;
	d->group->disks[d->group->count++] = d;
	limit_interval(k, lease);
	m->disks[m->disk_count] = TAKE(d);
	return (int)m->disk_count++;
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
	for (size_t i = 0; r == 0 && i < m->key_count; i++) {
		struct key *k = m->keys[i];
		r = start_thread(&k->thread, asker_main, k, "asker");
		k->running = r == 0;
	}
	return r;
}

static void lock_all(struct monitor *m)
{
	for (size_t i = 0; i < m->disk_count; i++)
		lease_lock(m->disks[i]->lease, UNMOUNTING);
}

static void free_key(struct key *k)
{
	for (size_t i = 0; i < k->group_count; i++) {
		free(k->groups[i]->disks);
		free(k->groups[i]);
	}
	free(k->groups);
	waker_close(&k->waker);
	(void)pthread_cond_destroy(&k->answered);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}

void monitor_stop(struct monitor *m)
{
	atomic_store(&m->stopping, true);
	// Before anybody waits for askers that may sit in a slow question: the keys go now.
	lock_all(m);
	waker_ring(&m->timekeeper);
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
	free(m);
	return 0;
}

void monitor_view(struct monitor *m, int disk, struct monitor_view *out)
{
	struct disk *d = m->disks[disk];
	with_lock(&d->key->lock);
	*out = d->group->view;
	out->next_check_ns = d->key->next_check_ns;
}
