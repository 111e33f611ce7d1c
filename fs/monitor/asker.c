// SPDX-License-Identifier: MIT
// The asker of one key: its rounds, its requests from people, its news from the key store.
#include "monitor_internal.h"

#include "scope.h"

#include <errno.h>
#include <string.h>

#define DEAF_NS (200 * NS_PER_MS)

static uint64_t now_ns(const struct key *k)
{
	return clock_boot_ns(k->monitor->config.clock);
}

static void answer_checks(struct request *requests, const struct group *g)
{
	const struct lease_verdict *v = &g->verdict;
	for (struct request *q = requests; q; q = q->next) {
		if (q->kind != REQUEST_CHECK || q->disk->group != g)
			continue;
		q->result = verdict_errno(v->verdict);
		if (q->result == 0)
			q->result = lease_judge(q->disk->lease, v);
		if (q->result == 0)
			continue;
		(void)errmsg_set(&q->err, -q->result, "%s", v->sentence);
		if (q->disk->opener.name)
			errmsg_prefix(&q->err, "%s", q->disk->opener.name);
	}
}

static struct request *take_requests(struct key *k)
{
	with_lock(&k->lock);
	return TAKE(k->requests);
}

// When there is something to ask next.
static uint64_t publish(struct key *k)
{
	uint64_t due = k->schedule.due_ns;
	if (k->soon_ns < due)
		due = k->soon_ns;
	with_lock(&k->monitor->lock);
	k->next_check_ns = due;
	k->interval_ns = k->schedule.interval_ns;
	return due;
}

static void finish(struct key *k, struct request *q)
{
	with_lock(&k->lock);
	while (q) {
		// Once done it may be gone: it lives on the stack of the one who waits.
		struct request *next = q->next;
		q->done = true;
		q = next;
	}
	(void)pthread_cond_broadcast(&k->answered);
}

// Asks about every version of the key, or about those alone to which a disk has just come. The
// requests to check are answered out of a full round. Every grant is told before any attributes are
// asked for: a store that hangs over those must not cost what it has just given.
static void ask_round(struct key *k, struct request *requests, bool full)
{
	struct attributes a = {.asked_newest = false};
	uint32_t retry_after_ms = 0;
	bool good = true;
	for (struct group *g = k->groups; g; g = g->next) {
		g->asked = (full || g->soon) && !atomic_load(&k->monitor->stopping);
		if (!g->asked)
			continue;
		g->soon = false;
		ask_version(k, g, &retry_after_ms);
	}
	for (struct group *g = k->groups; g; g = g->next) {
		if (!g->asked)
			continue;
		if (g->verdict.verdict == CMK_GRANTED && !atomic_load(&k->monitor->stopping))
			ask_granted(k, g, &a, full);
		good &= g->proof;
		answer_checks(requests, g);
	}
	k->soon_ns = UINT64_MAX;
	if (!full)
		return;
	schedule_answered(&k->schedule, good, retry_after_ms, now_ns(k));
	attributes_newer(k, &a);
}

// The resumer goes on with it; whoever waits may leave from now on.
static void hand_over(struct key *k, struct request *q, struct opening *o)
{
	{
		with_lock(&k->lock);
		o->waiter = q;
		q->opening = o;
		(void)pthread_cond_broadcast(&k->answered);
	}
	resumer_push(k->monitor, o);
}

// The rest of the requests: those to check, and those that are answered already.
static struct request *begin_unlocks(struct key *k, struct request *requests, bool *check)
{
	struct request **at = &requests;
	while (*at) {
		struct request *q = *at;
		struct opening *o = NULL;
		uint32_t hint = 0; // whoever asks by hand may ask again
		if (q->kind == REQUEST_UNLOCK)
			q->result = unlock_ask(q->disk, true, &o, &hint, &q->err);
		else
			*check = true;
		if (!o) {
			at = &q->next;
			continue;
		}
		*at = q->next; // q may be gone once it is handed over
		hand_over(k, q, o);
	}
	return requests;
}

static bool is_here(struct key *k, struct request *q, bool *coming)
{
	with_lock(&k->monitor->lock);
	*coming = q->disk->key == k && !q->disk->group;
	return q->disk->key == k && q->disk->group;
}

static void wait_for_disk(struct key *k, struct request *q)
{
	with_lock(&k->lock);
	q->next = k->requests;
	k->requests = q;
}

// Those about disks that this asker has. Others are sent to the asker that does, or wait here for a
// disk that is about to come.
static struct request *keep_ours(struct key *k, struct request *requests)
{
	struct request *ours = NULL, **ours_end = &ours;
	while (requests) {
		struct request *q = requests;
		bool coming;
		requests = q->next;
		q->next = NULL;
		if (is_here(k, q, &coming)) {
			*ours_end = q;
			ours_end = &q->next;
		} else if (coming) {
			wait_for_disk(k, q);
		} else {
			q->result = -ESTALE;
			finish(k, q);
		}
	}
	return ours;
}

uint64_t asker_step(struct key *k)
{
	rebind_serve(k);
	bool check = now_ns(k) >= k->schedule.due_ns;
	bool soon = now_ns(k) >= k->soon_ns;
	struct request *requests = begin_unlocks(k, keep_ours(k, take_requests(k)), &check);
	if (soon)
		k->last_soon_ns = now_ns(k);
	if (check || soon)
		ask_round(k, requests, check);
	uint64_t due = publish(k);
	if (requests)
		finish(k, requests);
	return due;
}

// Listens no more for a moment when there was nothing to hear, so that a broken descriptor cannot
// make it spin.
void asker_news(struct key *k)
{
	if (k->source.drain(k->source.ctx))
		schedule_news(&k->schedule, now_ns(k));
	else
		k->deaf_until_ns = now_ns(k) + DEAF_NS;
}

static bool wait_for_work(struct key *k, uint64_t next)
{
	bool deaf = now_ns(k) < k->deaf_until_ns;
	int fd = deaf ? -1 : k->source.poll_fd(k->source.ctx);
	if (deaf && k->deaf_until_ns < next)
		next = k->deaf_until_ns;
	return waker_wait(&k->waker, k->monitor->config.clock, next, fd);
}

void asker_close(struct key *k)
{
	with_lock(&k->lock);
	k->closed = true;
	(void)pthread_cond_broadcast(&k->answered);
}

static void close_requests(struct key *k)
{
	asker_close(k);
	struct request *rest = take_requests(k);
	for (struct request *q = rest; q; q = q->next)
		q->result = errmsg_set(&q->err, EBUSY, UNMOUNTING);
	finish(k, rest);
}

void *asker_main(void *key)
{
	struct key *k = key;
	while (!atomic_load(&k->monitor->stopping)) {
		uint64_t next = asker_step(k);
		if (wait_for_work(k, next))
			asker_news(k);
	}
	close_requests(k);
	return NULL;
}
