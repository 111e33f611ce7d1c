// SPDX-License-Identifier: MIT
// What follows from a change of a lease, in threads of their own, since whoever changes one keeps
// the time: the records, which hooks and warnings depend on; a line in the log, which may block;
// the kernel's forgetting of a stopped disk's plaintext, which may wait there for a read that hangs
// in its backing store. So that no store, nor the log, keeps another disk's plaintext, each disk
// that has something to be forgotten has a thread for it.
#include "clock.h"
#include "log.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <stdlib.h>

static void log_change(struct session *s, const struct report *r)
{
	const struct lease_view *v = &r->view;
	bool cause = v->cause != LEASE_CAUSE_NONE;
	log_notice(s->log, "%s: %s%s%s%s%s", r->disk->name, lease_state_name(v->state),
		cause ? " (" : "", cause ? lease_cause_name(v->cause) : "", cause ? "): " : "",
		v->sentence);
}

// False at the end, once everything is told.
static bool next_report(struct session *s, enum report_to to, struct report *out, unsigned *merged)
{
	struct reports *r = &s->reports;
	struct report_queue *q = &r->to[to];
	with_lock(&r->lock);
	while (!q->count && !r->end)
		(void)pthread_cond_wait(&r->news, &r->lock);
	*merged = q->merged;
	q->merged = 0;
	if (!q->count)
		return false;
	*out = q->ring[q->first];
	q->first = (q->first + 1) % q->room;
	q->count--;
	out->disk->reports[to].waiting--;
	return true;
}

// Also of a mount that came to nothing before there was a thread for it.
static void *record_main(void *arg)
{
	struct session *s = arg;
	struct report r;
	unsigned merged = 0;
	while (next_report(s, TO_RECORDS, &r, &merged))
		session_event_lease(r.disk, &r.view, r.told_ns);
	return NULL;
}

static void *log_main(void *arg)
{
	struct session *s = arg;
	struct report r;
	unsigned merged = 0;
	while (next_report(s, TO_LOG, &r, &merged)) {
		log_change(s, &r);
		if (merged)
			log_warning(s->log,
				"%u changes of state were too many to be logged one by one",
				merged);
	}
	return NULL;
}

static void *forget_disk_main(void *arg)
{
	struct session_disk *d = arg;
	struct session *s = d->session;
	(void)pthread_mutex_lock(&s->reports.lock);
	while (d->to_forget) {
		d->to_forget = false;
		(void)pthread_mutex_unlock(&s->reports.lock);
		front_forget(s->front, d->index);
		(void)pthread_mutex_lock(&s->reports.lock);
	}
	d->forgetting = false;
	(void)pthread_mutex_unlock(&s->reports.lock);
	return NULL;
}

static struct session_disk *next_to_forget(struct session *s)
{
	for (size_t i = 0; i < s->disk_count; i++)
		if (s->disks[i].to_forget && !s->disks[i].forgetting)
			return &s->disks[i];
	return NULL;
}

static void join_forgetter(struct session_disk *d)
{
	if (d->forgetter_made)
		(void)pthread_join(d->forgetter, NULL);
	d->forgetter_made = false;
}

static void *forget_main(void *arg)
{
	struct session *s = arg;
	(void)pthread_mutex_lock(&s->reports.lock);
	while (!s->reports.end) {
		struct session_disk *d = next_to_forget(s);
		if (!d) {
			(void)pthread_cond_wait(&s->reports.news, &s->reports.lock);
			continue;
		}
		d->forgetting = true;
		(void)pthread_mutex_unlock(&s->reports.lock);
		join_forgetter(d); // has said that it is done
		d->forgetter_made = !pthread_create(&d->forgetter, NULL, forget_disk_main, d);
		if (!d->forgetter_made)
			(void)forget_disk_main(d); // better one after the other than not at all
		(void)pthread_mutex_lock(&s->reports.lock);
	}
	(void)pthread_mutex_unlock(&s->reports.lock);
	return NULL;
}

int session_report_init(struct session *s)
{
	int rc = -pthread_mutex_init(&s->reports.lock, NULL);
	if (!rc)
		rc = -pthread_cond_init(&s->reports.news, NULL);
	for (size_t i = 0; i < REPORT_TO; i++) {
		struct report_queue *q = &s->reports.to[i];
		q->room = REPORTS_MAX + (unsigned)s->disk_count;
		q->ring = calloc(q->room, sizeof(*q->ring));
		if (!q->ring)
			return -ENOMEM;
	}
	return rc;
}

void session_report_destroy(struct session *s)
{
	for (size_t i = 0; i < REPORT_TO; i++)
		free(s->reports.to[i].ring);
	(void)pthread_cond_destroy(&s->reports.news);
	(void)pthread_mutex_destroy(&s->reports.lock);
}

int session_report_start(struct session *s)
{
	static void *(*const mains[REPORT_TO])(void *) = {record_main, log_main};
	for (size_t i = 0; i < REPORT_TO; i++) {
		struct report_queue *q = &s->reports.to[i];
		int rc = -pthread_create(&q->thread, NULL, mains[i], s);
		if (rc)
			return rc;
		q->runs = true;
	}
	int rc = -pthread_create(&s->reports.dispatcher, NULL, forget_main, s);
	s->reports.dispatches = rc == 0;
	return rc;
}

// Nothing is lost: what follows from several changes at once is seen from the last one and from the
// count of stops. Beyond REPORTS_MAX each disk has at most one, for which there is room.
static void put_report(struct reports *r, enum report_to to, const struct report *fresh)
{
	struct report_queue *q = &r->to[to];
	struct session_disk *d = fresh->disk;
	if (q->count >= REPORTS_MAX && d->reports[to].waiting > 0) {
		q->ring[d->reports[to].newest] = *fresh;
		q->merged++;
		return;
	}
	d->reports[to].newest = (q->first + q->count++) % q->room;
	d->reports[to].waiting++;
	q->ring[d->reports[to].newest] = *fresh;
}

void session_report(struct session_disk *d, const struct lease_view *v)
{
	struct reports *r = &d->session->reports;
	const uint64_t now = clock_boot_ns(clock_real());
	with_lock(&r->lock);
	put_report(r, TO_RECORDS, &(struct report){d, *v, now});
	put_report(r, TO_LOG, &(struct report){d, *v, now});
	// A stop and the resumption after it may be told as one change.
	d->to_forget |= v->stops != d->stops_seen;
	d->stops_seen = v->stops;
	(void)pthread_cond_broadcast(&r->news);
}

void session_report_end(struct session *s)
{
	{
		with_lock(&s->reports.lock);
		s->reports.end = true;
		(void)pthread_cond_broadcast(&s->reports.news);
	}
	if (s->reports.dispatches)
		(void)pthread_join(s->reports.dispatcher, NULL);
	s->reports.dispatches = false;
	if (!s->reports.to[TO_RECORDS].runs)
		(void)record_main(s);
	for (size_t i = 0; i < REPORT_TO; i++) {
		struct report_queue *q = &s->reports.to[i];
		if (q->runs)
			(void)pthread_join(q->thread, NULL);
		q->runs = false;
	}
	for (size_t i = 0; i < s->disk_count; i++)
		join_forgetter(&s->disks[i]);
}
