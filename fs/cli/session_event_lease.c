// SPDX-License-Identifier: MIT
// From a lease's reports to events. Changes in quick succession may arrive as one report: the count
// of stops shows a stop that was over already.
#include "clock.h"
#include "session_event.h"
#include "session_internal.h"
#include "verdict.h"

static void step(struct lease_step *out, size_t *n, enum event_kind kind, enum lease_state from,
	enum lease_state to)
{
	for (size_t i = 0; i < *n; i++)
		out[i].over = true;
	out[(*n)++] = (struct lease_step){.kind = kind, .from = from, .to = to};
}

static void start(struct lease_seen *seen, struct lease_step *out, size_t *n)
{
	step(out, n, seen->unlocked ? EVENT_RESUMED : EVENT_UNLOCKED, LEASE_STOPPED, LEASE_ACTIVE);
	seen->unlocked = true;
	seen->state = LEASE_ACTIVE;
}

size_t lease_steps(
	struct lease_seen *seen, const struct lease_view *v, struct lease_step out[LEASE_STEPS_MAX])
{
	size_t n = 0;
	if (v->stops != seen->stops) {
		if (seen->state == LEASE_STOPPED && seen->unlocked)
			start(seen, out, &n);
		step(out, &n, EVENT_STOPPED, seen->state, LEASE_STOPPED);
		seen->state = LEASE_STOPPED;
		seen->stops = v->stops;
	}
	if (v->state != LEASE_STOPPED && seen->state == LEASE_STOPPED)
		start(seen, out, &n);
	if (v->state == seen->state)
		return n;
	step(out, &n, v->state == LEASE_ACTIVE ? EVENT_GRACE_END : EVENT_GRACE_BEGIN, seen->state,
		v->state);
	seen->state = v->state;
	return n;
}

static uint64_t left_ms(const struct lease_view *v, uint64_t at_ns)
{
	return v->deadline_ns > at_ns ? (v->deadline_ns - at_ns) / NS_PER_MS : 0;
}

void session_event_grace(struct event *e, const struct lease_view *v)
{
	const uint64_t ms = left_ms(v, e->boot_us * 1000);
	const uint64_t grace_ns =
		v->deadline_ns > v->last_grant_ns ? v->deadline_ns - v->last_grant_ns : 0;
	event_int(e, "secondsLeft", (int64_t)((ms + MS_PER_S - 1) / MS_PER_S));
	event_int(e, "msLeft", (int64_t)ms);
	event_int(e, "secondsOfGrace", (int64_t)(grace_ns / NS_PER_S));
	event_int(e, "deadlineMicros", (int64_t)(v->deadline_ns / 1000));
}

void session_event_why(struct event *e, const struct lease_view *v)
{
	event_str(e, "cause", lease_cause_name(v->cause));
	event_str(e, "reason", reason_name((int)v->reason));
	if (v->last_grant_ns)
		event_int(e, "lastGrantMicros", (int64_t)(v->last_grant_ns / 1000));
	event_str(e, "sentence", v->sentence[0] ? v->sentence : NULL);
}

static void post_step(struct session_disk *d, const struct lease_step *s,
	const struct lease_view *v, uint64_t told_ns)
{
	struct event e scoped(event_end);
	event_begin(&e, s->kind, clock_real(), d->name);
	event_happened(&e, (s->over || s->kind == EVENT_STOPPED ? told_ns : v->since_ns) / 1000);
	event_str(&e, "state", lease_state_name(s->to));
	event_str(&e, "from", lease_state_name(s->from));
	event_int(&e, "stops", (int64_t)v->stops);
	session_event_key(d, &e);
	if (s->over) {
		event_bool(&e, "over", true);
	} else {
		session_event_why(&e, v);
		if (s->kind == EVENT_GRACE_BEGIN)
			session_event_grace(&e, v);
		else if (s->kind == EVENT_STOPPED)
			event_int(&e, "refusingSinceMicros", (int64_t)(v->since_ns / 1000));
	}
	// An unmount that was asked for is nothing to be called for.
	if (s->kind == EVENT_STOPPED && v->cause == LEASE_CAUSE_LOCKED &&
		atomic_load(&d->session->leaving))
		session_record(d->session, &e);
	else
		session_event(d->session, &e);
}

void session_event_lease(struct session_disk *d, const struct lease_view *v, uint64_t told_ns)
{
	struct lease_step steps[LEASE_STEPS_MAX];
	const size_t count = lease_steps(&d->seen, v, steps);
	if (!session_events_wanted(d->session))
		return;
	for (size_t i = 0; i < count; i++)
		post_step(d, &steps[i], v, told_ns);
	atomic_store(&d->watch.state, (int)v->state);
	waker_ring(&d->session->watchman.waker);
}
