// SPDX-License-Identifier: MIT
// The thread that writes an audit log: takes what waits, writes it, and tries again what failed.
#include "audit_internal.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

#define RETRY_NS NS_PER_S
#define FOLLOW_NS (30 * NS_PER_S) // an idle log's file is looked for, see audit_file.c

struct timespec audit_after_ns(uint64_t ns)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	ns += (uint64_t)t.tv_nsec;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	return t;
}

// With the lock held.
void audit_lose(struct audit *a)
{
	if (!a->lost++)
		a->lost_since_us = audit_now_ns() / 1000;
	if (a->stats.error)
		a->lost_errno = a->stats.error;
	a->stats.lost++;
}

// Events lost before these are told after those that were posted before them.
static int append_gap(struct audit *a, const struct audit_gap *gap, struct audit_entry **end)
{
	char *text autofree = NULL;
	int rc = audit_gap_text(gap, a->head, &text);
	if (rc)
		return rc;
	struct audit_entry *e = malloc(sizeof(*e) + strlen(text) + 1);
	if (!e)
		return -ENOMEM;
	e->next = NULL;
	memcpy(e->text, text, strlen(text) + 1);
	*end = e;
	with_lock(&a->lock);
	a->waiting++;
	a->lost -= gap->lost;
	a->lost_since_us = audit_now_ns() / 1000;
	return 0;
}

// Moves the queue over, once all that was taken before is written. An error: what was lost is to be
// told later.
static int take_queue(struct audit *a)
{
	struct audit_entry **end = &a->writing;
	struct audit_gap gap = {0};
	if (a->writing)
		return 0;
	{
		with_lock(&a->lock);
		a->writing = a->first;
		if (a->first)
			end = a->last;
		a->first = NULL;
		a->last = &a->first;
		gap = (struct audit_gap){
			.lost = a->lost, .since_us = a->lost_since_us, .errnum = a->lost_errno};
		a->lost_errno = 0;
	}
	return gap.lost ? append_gap(a, &gap, end) : 0;
}

static void announce(struct audit *a, int was, const struct errmsg *err, int errnum)
{
	with_lock(&a->log_lock);
	if (errnum && errnum != was)
		log_error(a->log, "%s; at most %d events wait for it, and no disk does", err->text,
			AUDIT_PENDING_MAX);
	else if (was && !errnum)
		log_notice(a->log, "%s can be written again", a->path ? a->path : "the audit log");
}

// What one attempt to write came to.
static void settle(struct audit *a, int rc, size_t done, uint64_t lost, const struct errmsg *err)
{
	const struct audit_writer *w = &a->writer;
	int was;
	for (size_t i = 0; i < done; i++) {
		struct audit_entry *e = a->writing;
		a->writing = e->next;
		free(e);
	}
	a->at_once = rc ? 1 : a->at_once < AUDIT_AT_ONCE ? a->at_once * 2 : AUDIT_AT_ONCE;
	{
		with_lock(&a->lock);
		struct audit_stats *s = &a->stats;
		a->busy_since_ns = 0;
		a->waiting -= done;
		for (uint64_t i = 0; i < lost; i++)
			audit_lose(a);
		s->written = w->written;
		s->unsynced = w->unsynced;
		s->unsent = w->unsent + w->stream.missed;
		s->sequence = w->link.sequence;
		memcpy(s->last_hash, w->link.hash, sizeof(s->last_hash));
		was = s->error;
		if (!was)
			s->error_since_ns = rc ? audit_now_ns() : 0;
		s->error = -rc;
		s->error_text = rc ? *err : (struct errmsg){{0}};
		(void)pthread_cond_broadcast(&a->news);
	}
	announce(a, was, err, -rc);
}

static int attempt(struct audit *a)
{
	struct errmsg err = {{0}};
	size_t done = 0;
	uint64_t lost = a->writer.lost;
	{
		with_lock(&a->lock);
		a->busy_since_ns = audit_now_ns();
	}
	int rc = audit_writer_write(&a->writer, a->writing, a->at_once, &done, &err);
	settle(a, rc, done, a->writer.lost - lost, &err);
	return rc;
}

// Until there is something to do. False: nothing is left of what can be done before the end.
static bool wait_for_work(struct audit *a, bool failing)
{
	with_lock(&a->lock);
	bool work = !failing && (a->writing || a->first || a->lost);
	struct timespec until = audit_after_ns(!failing	   ? FOLLOW_NS
					       : a->ending ? AUDIT_RETRY_AT_END_NS
							   : RETRY_NS);
	if (a->ending && !failing && !work)
		return false;
	bool ending = a->ending;
	while (!work && a->ending == ending) {
		if (pthread_cond_timedwait(&a->news, &a->lock, &until))
			break;
		work = !failing && (a->first || a->lost);
	}
	return !a->ending || audit_now_ns() < a->give_up_ns;
}

static void end_thread(struct audit *a)
{
	uint64_t unwritten;
	bool abandoned;
	{
		with_lock(&a->lock);
		unwritten = a->waiting;
	}
	if (unwritten) {
		with_lock(&a->log_lock);
		log_error(a->log, "%s: the last %llu events could not be written",
			a->path ? a->path : "the audit log", (unsigned long long)unwritten);
	}
	{
		with_lock(&a->lock);
		a->finished = true;
		abandoned = a->abandoned;
		(void)pthread_cond_broadcast(&a->news);
	}
	if (abandoned)
		audit_free(a);
}

void *audit_thread_main(void *arg)
{
	struct audit *a = arg;
	bool failing = false;
	do {
		failing = take_queue(a) != 0;
		failing = attempt(a) != 0 || failing;
	} while (wait_for_work(a, failing));
	end_thread(a);
	return NULL;
}
