// SPDX-License-Identifier: MIT
// The session's events: where they go, and the head that all of them have.
#include "session_event.h"

#include "audit.h"
#include "hooks.h"
#include "log.h"
#include "records.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define END_PATIENCE_MS 1500 // of a daemon that ends: with hooks that wait, and with the log

static void hook_ended(void *session, const struct hook_result *r)
{
	struct event e scoped(event_end);
	event_begin(&e, EVENT_HOOK, clock_real(), r->disk);
	event_str(&e, "program", r->program);
	event_str(&e, "hookEvent", r->event);
	event_int(&e, "durationMs", r->took_ms);
	event_int(&e, "waitStatus", r->status);
	event_bool(&e, "timedOut", r->timed_out);
	bool ended_well = r->status == 0 && !r->timed_out;
	event_result(&e, ended_well,
		r->timed_out ? "timed-out"
		: ended_well ? "ok"
			     : "failed",
		r->sentence);
	session_event(session, &e);
}

static int open_hooks(struct session *s, struct errmsg *err)
{
	const struct records_config *c = &s->records;
	if (!c->hook_count)
		return 0;
	return hooks_new(&(struct hooks_config){.programs = c->hooks,
				 .count = c->hook_count,
				 .timeout_ms = s->options.hook_timeout_ms,
				 .log = s->log,
				 .ended = hook_ended,
				 .ctx = s},
		&s->events.hooks, err);
}

static int open_audit(struct session *s, struct errmsg *err)
{
	const struct records_config *c = &s->records;
	if (!c->audit_file && !c->audit_stderr && !c->audit_journal)
		return 0;
	return audit_new(&(struct audit_config){.file = c->audit_file,
				 .to_stderr = c->audit_stderr,
				 .to_journal = c->audit_journal,
				 .head = s->events.head,
				 .log = s->log},
		&s->events.audit, err);
}

int session_events_open(struct session *s, struct errmsg *err)
{
	if (records_head(s->mountpoint, false, &s->events.head))
		return errmsg_set(err, ENOMEM, "out of memory");
	int rc = open_audit(s, err);
	if (!rc)
		rc = open_hooks(s, err);
	atomic_store(&s->events.wanted, s->events.audit || s->events.hooks);
	return rc;
}

// Only one of them at a time is taken away: how the last programs end belongs into the log.
static struct hooks *take_hooks(struct session_events *e)
{
	with_lock(&e->lock);
	return TAKE(e->hooks);
}

static struct audit *take_audit(struct session_events *e)
{
	with_lock(&e->lock);
	atomic_store(&e->wanted, false);
	return TAKE(e->audit);
}

uint32_t session_hooks_time_ms(const struct session *s)
{
	return s->options.hook_timeout_ms ? s->options.hook_timeout_ms : HOOK_TIMEOUT_MS;
}

bool session_hooks_busy(struct session *s)
{
	struct hooks_stats st;
	return session_hooks_stats(s, &st) && st.running + st.waiting > 0;
}

int session_events_close(struct session *s)
{
	struct hooks *hooks = take_hooks(&s->events);
	int rc = hooks_end(&hooks, END_PATIENCE_MS, session_hooks_time_ms(s));
	struct audit *audit = take_audit(&s->events);
	if (audit_end(&audit, END_PATIENCE_MS))
		log_warning(s->log,
			"%s: the audit log's storage does not answer; its last lines are missing",
			s->mountpoint);
	return rc;
}

bool session_events_wanted(struct session *s)
{
	return atomic_load(&s->events.wanted);
}

static void post(struct session *s, const struct event *e, bool hooks)
{
	char *text autofree = NULL;
	if (!session_events_wanted(s))
		return;
	if (event_text(e, s->events.head, &text)) {
		log_warning(s->log, "%s: no memory for the event \"%s\"", s->mountpoint,
			event_name(e->kind));
		return;
	}
	with_lock(&s->events.lock);
	if (s->events.audit)
		audit_post(s->events.audit, text);
	if (s->events.hooks && hooks && event_has_hook(e->kind))
		hooks_post(s->events.hooks, e, text);
}

void session_event(struct session *s, const struct event *e)
{
	post(s, e, true);
}

void session_record(struct session *s, const struct event *e)
{
	post(s, e, false);
}

bool session_audit_stats(struct session *s, struct audit_stats *out)
{
	with_lock(&s->events.lock);
	if (s->events.audit)
		audit_stats(s->events.audit, out);
	return s->events.audit != NULL;
}

bool session_hooks_stats(struct session *s, struct hooks_stats *out)
{
	with_lock(&s->events.lock);
	if (s->events.hooks)
		hooks_stats(s->events.hooks, out);
	return s->events.hooks != NULL;
}
