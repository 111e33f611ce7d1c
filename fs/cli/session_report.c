// SPDX-License-Identifier: MIT
// What follows from a change of a lease, in threads of their own, since whoever changes one keeps
// the time: a line in the log, which may block, and the kernel's forgetting of a stopped disk's
// plaintext, which may wait there for a read that hangs in its backing store. So that no store, nor
// the log, keeps another disk's plaintext, each disk that has something to be forgotten has a
// thread for it.
#include "log.h"
#include "scope.h"
#include "session_internal.h"

#include <string.h>

static void log_change(struct session *s, const struct report *r)
{
	const struct lease_view *v = &r->view;
	bool cause = v->cause != LEASE_CAUSE_NONE;
	log_notice(s->log, "%s: %s%s%s%s%s", r->disk->name, lease_state_name(v->state),
		cause ? " (" : "", cause ? lease_cause_name(v->cause) : "", cause ? "): " : "",
		v->sentence);
}

// False at the end, once everything is told.
static bool next_report(struct session *s, struct report *out, unsigned *lost)
{
	struct reports *r = &s->reports;
	with_lock(&r->lock);
	while (!r->count && !r->end)
		(void)pthread_cond_wait(&r->news, &r->lock);
	*lost = r->lost;
	r->lost = 0;
	if (!r->count)
		return false;
	*out = r->ring[r->first];
	r->first = (r->first + 1) % REPORTS_MAX;
	r->count--;
	return true;
}

static void *log_main(void *arg)
{
	struct session *s = arg;
	struct report r;
	unsigned lost = 0;
	while (next_report(s, &r, &lost)) {
		log_change(s, &r);
		if (lost)
			log_warning(s->log, "%u changes of state were too many to be logged", lost);
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
	return rc ? rc : -pthread_cond_init(&s->reports.news, NULL);
}

int session_report_start(struct session *s)
{
	int rc = -pthread_create(&s->reports.logger, NULL, log_main, s);
	s->reports.logs = rc == 0;
	if (!rc)
		rc = -pthread_create(&s->reports.dispatcher, NULL, forget_main, s);
	s->reports.dispatches = s->reports.logs && rc == 0;
	return rc;
}

void session_report(struct session_disk *d, const struct lease_view *v)
{
	struct reports *r = &d->session->reports;
	with_lock(&r->lock);
	if (r->count < REPORTS_MAX)
		r->ring[(r->first + r->count++) % REPORTS_MAX] = (struct report){d, *v};
	else
		r->lost++;
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
	if (s->reports.logs)
		(void)pthread_join(s->reports.logger, NULL);
	s->reports.dispatches = s->reports.logs = false;
	for (size_t i = 0; i < s->disk_count; i++)
		join_forgetter(&s->disks[i]);
}
