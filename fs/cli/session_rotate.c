// SPDX-License-Identifier: MIT
// The rotator: one thread that moves disks to other bindings, because their key has a newer version
// or because somebody asked. Whoever asks waits beside it, so that a backing store that hangs keeps
// nobody from leaving.
#include "errmsg.h"
#include "json.h"
#include "log.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_S 30
#define END_WAIT_S 2
#define BY_HAND_S 590 // a little less than the command waits

// Asked for by hand. Belongs to whoever leaves last.
struct job {
	struct target target;
	char *key_url, *config; // what target points to
	struct ctl_peer by_hand;
	int *disks;
	size_t count;
	struct moved *results;
	bool done, left;
	struct job *next;
};

static void job_free(struct job **j)
{
	if (!*j)
		return;
	free((*j)->key_url);
	free((*j)->config);
	free((*j)->disks);
	for (size_t i = 0; (*j)->results && i < (*j)->count; i++)
		json_free(&(*j)->results[i].others);
	free((*j)->results);
	free(*j);
	*j = NULL;
}

int session_rotate_init(struct session *s)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc)
		return -rc;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&s->headers, NULL);
	(void)pthread_mutex_init(&s->rotation.lock, NULL);
	rc = pthread_cond_init(&s->rotation.news, &attr);
	(void)pthread_condattr_destroy(&attr);
	return -rc;
}

static struct timespec in_seconds(time_t s)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += s;
	return t;
}

void session_newer(void *session, int key)
{
	struct session *s = session;
	with_lock(&s->rotation.lock);
	if ((size_t)key >= s->key_count || !s->keys[key].rotates)
		return;
	for (size_t i = 0; i < s->disk_count; i++)
		s->disks[i].to_rotate |= s->disks[i].key == key;
	s->rotation.wanted = true;
	(void)pthread_cond_broadcast(&s->rotation.news);
}

static void tell_done(struct session_disk *d, const struct moved *m, const struct ctl_peer *by_hand)
{
	struct logger *log = d->session->log;
	if (strcmp(m->from, m->to) || strcmp(m->from_url, m->key_url))
		session_event_moved(d, EVENT_ROTATED, m, by_hand);
	if (strcmp(m->from, m->to))
		log_notice(log, "%s: moved from key version %s to %s of %s", d->backing, m->from,
			m->to, m->key_url);
	else if (m->removed)
		log_notice(log, "%s: %zu bindings that were left beside version %s of %s removed",
			d->backing, m->removed, m->to, m->key_url);
}

static void tell_failed(
	struct session_disk *d, const struct moved *m, const struct ctl_peer *by_hand)
{
	session_event_moved(d, EVENT_ROTATION_FAILED, m, by_hand);
	struct errmsg told = m->err;
	errmsg_prefix(&told, "%s", d->backing);
	log_warning(d->session->log, "not moved to another key or version: %s", told.text);
}

// What the status shows, and the log is told once for each change.
static void record(struct session_disk *d, const struct moved *m, const struct ctl_peer *by_hand)
{
	struct session *s = d->session;
	char *sentence = m->rc ? strdup(m->err.text) : NULL;
	bool news = false;
	{
		with_lock(&s->rotation.lock);
		const char *before = d->rotation_sentence;
		news = m->rc && !(before && sentence && !strcmp(before, sentence));
		free(d->rotation_sentence);
		d->rotation_sentence = sentence;
		d->rotation_error = m->rc;
		d->to_rotate |= m->again;
		s->rotation.retry |= m->again;
	}
	tell_done(d, m, by_hand);
	if (news)
		tell_failed(d, m, by_hand);
}

static bool ending(struct session *s)
{
	with_lock(&s->rotation.lock);
	return s->rotation.end;
}

// A denied disk would only be denied once more, and its lease tells so; an expired key still
// unwraps.
static bool worth_trying(struct session_disk *d)
{
	struct lease_view v;
	lease_view(d->lease, &v);
	return v.state != LEASE_STOPPED && v.cause != LEASE_CAUSE_DENIED;
}

// A wish that has no prospect now is kept for a later pass.
static bool take_wish(struct session_disk *d)
{
	struct session *s = d->session;
	const bool worth = worth_trying(d);
	with_lock(&s->rotation.lock);
	const bool take = d->to_rotate && worth;
	s->rotation.retry |= d->to_rotate && !worth;
	d->to_rotate &= !take;
	return take;
}

// A store that refuses is not asked again for each disk of its key; what broke off is finished all
// the same.
static void move_or_finish(
	struct pass *p, struct session_disk *d, struct moved *m, struct moved *refusal)
{
	pass_move(p, d, m);
	if (m->store_refused) {
		*refusal = *m;
		p->finish_only = true;
	} else if (!m->rc && refusal->rc) {
		m->rc = refusal->rc;
		m->err = refusal->err;
	}
	record(d, m, NULL);
}

// Key by key, so that one agent serves all its disks.
static void rotate_key(struct session *s, int key, const struct target *target)
{
	struct pass p scoped(pass_end);
	struct moved *m autofree = calloc(2, sizeof(*m)); // and a refusal
	size_t moved = 0, failed = 0;
	pass_begin(&p, s, target);
	p.finish_only = !s->keys[key].rotates;
	for (size_t i = 0; m && i < s->disk_count && !ending(s); i++) {
		struct session_disk *d = &s->disks[i];
		if (d->key != key || !take_wish(d))
			continue;
		move_or_finish(&p, d, m, m + 1);
		moved += !m->rc && strcmp(m->from, m->to);
		failed += m->rc != 0;
	}
	if (moved + failed > 1)
		log_notice(s->log, "%s: %zu disks moved to its newest version, %zu not yet",
			agent_key_url(s->keys[key].agent), moved, failed);
}

static void rotate_all(struct session *s)
{
	const struct target newest = {0};
	for (size_t key = 0; key < s->key_count && !ending(s); key++)
		rotate_key(s, (int)key, &newest);
}

static void run_job(struct session *s, struct job *j)
{
	struct pass p scoped(pass_end);
	pass_begin(&p, s, &j->target);
	for (size_t i = 0; i < j->count && !ending(s); i++) {
		struct session_disk *d = &s->disks[j->disks[i]];
		pass_move(&p, d, &j->results[i]);
		// A key that somebody named in vain is no failure of the disk's own.
		if (j->results[i].rc && !j->results[i].again && j->key_url)
			tell_failed(d, &j->results[i], &j->by_hand);
		else
			record(d, &j->results[i], &j->by_hand);
	}
}

static void finish(struct session *s, struct job *j)
{
	with_lock(&s->rotation.lock);
	j->done = true;
	if (j->left)
		job_free(&j);
	(void)pthread_cond_broadcast(&s->rotation.news);
}

enum work { WORK_NONE, WORK_JOB, WORK_ROTATE, WORK_END };

static enum work wait_for_work(struct rotation *r, struct job **j)
{
	struct timespec retry = in_seconds(RETRY_S);
	with_lock(&r->lock);
	while (!r->end && !r->first && !r->wanted)
		if (!r->retry)
			(void)pthread_cond_wait(&r->news, &r->lock);
		else if (pthread_cond_timedwait(&r->news, &r->lock, &retry) == ETIMEDOUT)
			r->wanted = true;
	if (r->end)
		return WORK_END;
	if (r->first) {
		*j = r->first;
		r->first = (*j)->next;
		return WORK_JOB;
	}
	r->wanted = r->retry = false;
	return WORK_ROTATE;
}

static void *rotator_main(void *arg)
{
	struct session *s = arg;
	struct rotation *r = &s->rotation;
	struct job *j = NULL;
	for (enum work w; (w = wait_for_work(r, &j)) != WORK_END;) {
		if (w == WORK_ROTATE) {
			rotate_all(s);
			continue;
		}
		run_job(s, j);
		finish(s, j);
	}
	with_lock(&r->lock);
	r->ended = true;
	(void)pthread_cond_broadcast(&r->news);
	return NULL;
}

int session_rotate_start(struct session *s)
{
	int rc = -pthread_create(&s->rotation.thread, NULL, rotator_main, s);
	s->rotation.runs = rc == 0;
	if (!rc)
		(void)pthread_setname_np(s->rotation.thread, "rotator");
	return rc;
}

void session_rotate_stop(struct session *s)
{
	struct rotation *r = &s->rotation;
	with_lock(&r->lock);
	r->end = true;
	for (size_t i = 0; i < sizeof(r->asked) / sizeof(r->asked[0]); i++)
		if (r->asked[i])
			agent_cancel(r->asked[i]);
	(void)pthread_cond_broadcast(&r->news);
}

int session_rotate_end(struct session *s)
{
	struct rotation *r = &s->rotation;
	const struct timespec until = in_seconds(END_WAIT_S);
	if (!r->runs)
		return 0;
	{
		with_lock(&r->lock);
		bool late = false;
		// Outside of a header it comes back soon, and must be waited for.
		while (!r->ended && !(late && r->in_header))
			if (late)
				(void)pthread_cond_wait(&r->news, &r->lock);
			else
				late = pthread_cond_timedwait(&r->news, &r->lock, &until) ==
				       ETIMEDOUT;
		r->abandoned = !r->ended;
		if (r->abandoned)
			return -EBUSY;
	}
	(void)pthread_join(r->thread, NULL);
	r->runs = false;
	return 0;
}

static struct job *job_new(const struct target *t, const int *disks, size_t count)
{
	struct job *j scoped(job_free) = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->target = *t;
	j->count = count;
	j->disks = calloc(count, sizeof(*j->disks));
	j->results = calloc(count, sizeof(*j->results));
	j->by_hand = *t->by_hand;
	j->target.by_hand = &j->by_hand;
	if (t->key_url) {
		j->target.key_url = j->key_url = strdup(t->key_url);
		j->target.config = j->config = strdup(t->config);
	}
	if (!j->disks || !j->results || (t->key_url && (!j->key_url || !j->config)))
		return NULL;
	memcpy(j->disks, disks, count * sizeof(*disks));
	return TAKE(j);
}

static void push(struct rotation *r, struct job *j)
{
	struct job **at = &r->first;
	while (*at)
		at = &(*at)->next;
	*at = j;
	(void)pthread_cond_broadcast(&r->news);
}

static void withdraw(struct rotation *r, struct job *j)
{
	for (struct job **at = &r->first; *at; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			job_free(&j);
			return;
		}
	j->left = true; // under way: the rotator frees it
}

int session_move(struct session *s, const struct target *t, const int *disks, size_t count,
	struct moved *results, struct errmsg *err)
{
	struct rotation *r = &s->rotation;
	const struct timespec until = in_seconds(BY_HAND_S);
	struct job *j = job_new(t, disks, count);
	bool late = false;
	if (!j)
		return errmsg_set(err, ENOMEM, "out of memory");
	with_lock(&r->lock);
	push(r, j);
	while (!j->done && !r->end && !late)
		late = pthread_cond_timedwait(&r->news, &r->lock, &until) == ETIMEDOUT;
	if (j->done) {
		memcpy(results, j->results, count * sizeof(*results));
		for (size_t i = 0; i < count; i++)
			j->results[i].others = NULL; // the caller's now
		job_free(&j);
		return 0;
	}
	withdraw(r, j);
	if (late)
		return errmsg_set(err, ETIMEDOUT,
			"%s: it takes long; what is under way goes on, see cmkdisk status",
			s->mountpoint);
	return errmsg_set(err, EBUSY, "%s: it is being unmounted", s->mountpoint);
}
