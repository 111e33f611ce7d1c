// SPDX-License-Identifier: MIT
// The queue of events that are to be written. Whoever posts one holds the lock for as long as it
// takes to hang a copy into a list; the thread never holds it while it writes.
#include "audit.h"

#include "audit_internal.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define HANGS_NS (5 * NS_PER_S)

static void free_entries(struct audit_entry *e)
{
	while (e) {
		struct audit_entry *next = e->next;
		free(e);
		e = next;
	}
}

void audit_free(struct audit *a)
{
	audit_file_close(&a->writer.file);
	audit_stream_close(&a->writer.stream);
	free_entries(a->writing);
	free_entries(a->first);
	(void)pthread_cond_destroy(&a->news);
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_mutex_destroy(&a->log_lock);
	free(a->path);
	free(a->journal);
	free(a->head);
	free(a);
}

void audit_post(struct audit *a, const char *event_text)
{
	size_t size = strlen(event_text) + 1;
	struct audit_entry *e = malloc(sizeof(*e) + size);
	if (e) {
		e->next = NULL;
		memcpy(e->text, event_text, size);
	}
	with_lock(&a->lock);
	if (!e || a->waiting >= AUDIT_PENDING_MAX) {
		audit_lose(a);
		free(e);
		return;
	}
	*a->last = e;
	a->last = &e->next;
	a->waiting++;
	(void)pthread_cond_signal(&a->news);
}

static int start_thread(struct audit *a)
{
	sigset_t all, before;
	// A file that may grow no further (RLIMIT_FSIZE) is an error here, not the daemon's end.
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&a->thread, NULL, audit_thread_main, a);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static int copy(const char *text, char **out)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? -ENOMEM : 0;
}

static int prepare(struct audit *a, const struct audit_config *c, struct errmsg *err)
{
	const char *journal = c->journal ? c->journal : "/dev/log";
	if (!c->file && !c->to_stderr && !c->to_journal)
		return errmsg_set(err, EINVAL, "the audit log has no place to go to; name a file");
	if (copy(c->file, &a->path) || copy(c->head ? c->head : "", &a->head) ||
		copy(c->to_journal ? journal : NULL, &a->journal))
		return errmsg_set(err, ENOMEM, "no memory for the audit log");
	a->writer.head = a->head;
	a->writer.stream.to_stderr = c->to_stderr;
	a->writer.stream.journal = a->journal;
	int rc = a->path ? audit_file_open(&a->writer.file, a->path, err) : 0;
	if (!rc && a->path)
		a->writer.link = a->writer.file.link;
	return rc;
}

static void init(struct audit *a, struct logger *log)
{
	pthread_condattr_t attr;
	a->log = log;
	a->last = &a->first;
	a->at_once = AUDIT_AT_ONCE;
	a->writer.file.fd = a->writer.stream.socket = -1;
	audit_link_start(&a->writer.link);
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_mutex_init(&a->log_lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&a->news, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int audit_new(const struct audit_config *c, struct audit **out, struct errmsg *err)
{
	struct audit *a = calloc(1, sizeof(*a));
	if (!a)
		return errmsg_set(err, ENOMEM, "no memory for the audit log");
	init(a, c->log);
	int rc = prepare(a, c, err);
	if (!rc) {
		a->stats.sequence = a->writer.link.sequence;
		memcpy(a->stats.last_hash, a->writer.link.hash, AUDIT_HASH_TEXT);
		rc = start_thread(a);
		if (rc)
			(void)errmsg_set(
				err, -rc, "no thread for the audit log: %s", strerror(-rc));
	}
	if (rc)
		audit_free(a);
	else
		*out = a;
	return rc;
}

// False: it had finished in the meantime.
static bool leave_behind(struct audit *a)
{
	{
		with_lock(&a->log_lock);
		a->log = NULL;
	}
	with_lock(&a->lock);
	if (a->finished)
		return false;
	a->abandoned = true;
	(void)pthread_detach(a->thread);
	return true;
}

// The thread has nothing left to do when this is true, or will find out that nobody waits for it.
static bool wait_for_end(struct audit *a, uint64_t patience_ns)
{
	struct timespec until = audit_after_ns(patience_ns + AUDIT_RETRY_AT_END_NS);
	with_lock(&a->lock);
	a->ending = true;
	a->give_up_ns = audit_now_ns() + patience_ns;
	(void)pthread_cond_broadcast(&a->news);
	while (!a->finished)
		if (pthread_cond_timedwait(&a->news, &a->lock, &until))
			break;
	return a->finished;
}

int audit_end(struct audit **ap, uint32_t patience_ms)
{
	struct audit *a = TAKE(*ap);
	if (!a)
		return 0;
	if (!wait_for_end(a, patience_ms * NS_PER_MS) && leave_behind(a))
		return -ETIMEDOUT;
	(void)pthread_join(a->thread, NULL);
	audit_free(a);
	return 0;
}

void audit_flush(struct audit *a, uint32_t patience_ms, struct audit_stats *out)
{
	struct timespec until = audit_after_ns(patience_ms * NS_PER_MS);
	{
		with_lock(&a->lock);
		while (a->waiting || a->lost)
			if (pthread_cond_timedwait(&a->news, &a->lock, &until))
				break;
	}
	audit_stats(a, out);
}

void audit_stats(struct audit *a, struct audit_stats *out)
{
	with_lock(&a->lock);
	*out = a->stats;
	out->pending = a->waiting;
	if (a->busy_since_ns && !out->error && audit_now_ns() - a->busy_since_ns > HANGS_NS) {
		out->error = ETIMEDOUT;
		out->error_since_ns = a->busy_since_ns;
		(void)errmsg_set(&out->error_text, ETIMEDOUT,
			"%s: the store of the audit log does not answer",
			a->path ? a->path : "the audit log");
	}
}
