// SPDX-License-Identifier: MIT
// Makes the kernel forget plaintext of stopped disks, in a thread of its own: the kernel may wait
// there for a read that hangs in its backing store, and neither a deadline nor a key check may wait
// for that.
#include "scope.h"
#include "session_internal.h"

#include <string.h>

static void *forget_main(void *arg)
{
	struct session *s = arg;
	(void)pthread_mutex_lock(&s->forget.lock);
	while (!s->forget.end) {
		size_t i = 0;
		while (i < s->disk_count && !s->disks[i].to_forget)
			i++;
		if (i == s->disk_count) {
			(void)pthread_cond_wait(&s->forget.news, &s->forget.lock);
			continue;
		}
		s->disks[i].to_forget = false;
		(void)pthread_mutex_unlock(&s->forget.lock);
		front_forget(s->front, i);
		(void)pthread_mutex_lock(&s->forget.lock);
	}
	(void)pthread_mutex_unlock(&s->forget.lock);
	return NULL;
}

int session_forget_start(struct session *s)
{
	int rc = -pthread_create(&s->forget.thread, NULL, forget_main, s);
	s->forget.runs = rc == 0;
	return rc;
}

void session_forget(struct session *s, struct session_disk *d, uint64_t stops)
{
	with_lock(&s->forget.lock);
	// A stop and the resumption after it may be told as one change.
	if (stops == d->stops_seen)
		return;
	d->stops_seen = stops;
	d->to_forget = true;
	(void)pthread_cond_signal(&s->forget.news);
}

void session_forget_end(struct session *s)
{
	if (!s->forget.runs)
		return;
	(void)pthread_mutex_lock(&s->forget.lock);
	s->forget.end = true;
	(void)pthread_cond_signal(&s->forget.news);
	(void)pthread_mutex_unlock(&s->forget.lock);
	(void)pthread_join(s->forget.thread, NULL);
	s->forget.runs = false;
}
