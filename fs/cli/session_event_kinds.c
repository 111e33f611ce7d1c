// SPDX-License-Identifier: MIT
// The events that are no change of a lease: questions to key stores, commands, mounts, moves to
// other versions.
#include "clock.h"
#include "records.h"
#include "scope.h"
#include "session_event.h"
#include "session_internal.h"
#include "units.h"

#include <errno.h>
#include <string.h>

size_t session_bound_to(struct session *s, const char *url, const char *version, const char **name)
{
	size_t n = 0;
	with_lock(&s->rotation.lock);
	for (size_t i = 0; i < s->disk_count; i++) {
		const struct binding *b = s->disks[i].binding;
		if (!b || strcmp(b->key_url, url) || (version && strcmp(b->key_version, version)))
			continue;
		*name = s->disks[i].name;
		n++;
	}
	return n;
}

static void restarted(struct session *s, const struct agent_answered *a)
{
	struct event e scoped(event_end);
	const char *name = NULL;
	const size_t disks = session_bound_to(s, a->key_url, NULL, &name);
	event_begin(&e, EVENT_AGENT_RESTARTED, clock_real(), disks == 1 ? name : NULL);
	records_restarted(&e, a, disks);
	session_event(s, &e);
}

void session_event_answered(void *session, const struct agent_answered *a)
{
	struct session *s = session;
	const char *name = NULL;
	if (!session_events_wanted(s))
		return;
	if (a->restarted_after)
		restarted(s, a);
	const size_t disks = session_bound_to(s, a->key_url, a->version, &name);
	struct event e scoped(event_end);
	event_begin(&e, EVENT_KEY_OPERATION, clock_real(), disks == 1 ? name : NULL);
	records_answered(&e, a, disks);
	session_event(s, &e);
}

void session_event_key(struct session_disk *d, struct event *e)
{
	with_lock(&d->session->rotation.lock);
	if (!d->binding)
		return;
	event_str(e, "keyUrl", d->binding->key_url);
	event_str(e, "keyVersion", d->binding->key_version);
}

static void policy_facts(struct event *e, const struct session_disk *d)
{
	const struct volume_policy *sealed = &d->info.policy;
	event_str(e, "decision", "policy-in-force");
	event_int(e, "graceDeniedMs", (int64_t)d->policy.grace_denied_ms);
	event_int(e, "graceUnreachableMs", (int64_t)d->policy.grace_unreachable_ms);
	event_str(e, "onExpiry", d->policy.expiry_stops ? "stop" : "ignore");
	event_str(e, "resume", d->policy.resume_auto ? "auto" : "manual");
	event_int(e, "sealedGraceDeniedMs", (int64_t)sealed->grace_denied_ms);
	event_int(e, "sealedGraceUnreachableMs", (int64_t)sealed->grace_unreachable_ms);
	event_str(e, "sealedOnExpiry", sealed->expiry_stops ? "stop" : "ignore");
	event_str(e, "keyNamedBy", d->session->pinned_by);
	event_bool(e, "rotation", session_rotates(d->session));
	event_result(e, true, "policy-in-force", NULL);
}

static void mounted(struct session_disk *d)
{
	struct session *s = d->session;
	struct event e scoped(event_end), p scoped(event_end);
	event_begin(&e, EVENT_MOUNTED, clock_real(), d->name);
	event_str(&e, "backing", d->backing);
	event_str(&e, "uuid", d->info.uuid);
	event_int(&e, "size", (int64_t)d->info.policy.size);
	event_bool(&e, "readOnly", s->options.read_only);
	session_event_key(d, &e);
	session_event(s, &e);
	event_begin(&p, EVENT_POLICY, clock_real(), d->name);
	session_event_key(d, &p);
	policy_facts(&p, d);
	session_event(s, &p);
}

void session_event_mounted(struct session *s)
{
	s->told_mounted = true;
	for (size_t i = 0; session_events_wanted(s) && i < s->disk_count; i++)
		mounted(&s->disks[i]);
}

void session_event_unmounted(struct session *s)
{
	for (size_t i = 0; s->told_mounted && i < s->disk_count; i++) {
		struct event e scoped(event_end);
		event_begin(&e, EVENT_UNMOUNTED, clock_real(), s->disks[i].name);
		event_str(&e, "backing", s->disks[i].backing);
		event_str(&e, "uuid", s->disks[i].info.uuid);
		session_event(s, &e);
	}
}

void session_event_not_resumed(void *ctx, int error, const char *sentence)
{
	struct session_disk *d = ctx;
	struct event e scoped(event_end);
	event_begin(&e, EVENT_POLICY, clock_real(), d->name);
	session_event_key(d, &e);
	event_str(&e, "decision", "resume");
	event_int(&e, "errno", -error);
	event_result(&e, false, strerrorname_np(-error), sentence);
	session_event(d->session, &e);
}

void session_event_refused(struct session *s, int rc, const struct errmsg *err)
{
	struct event e scoped(event_end);
	event_begin(&e, EVENT_POLICY, clock_real(), NULL);
	event_str(&e, "decision", "mount");
	event_int(&e, "errno", -rc);
	event_result(&e, false, "refused", err->text);
	session_event(s, &e);
}

void session_event_control(
	struct session *s, const struct session_command *c, int rc, const struct errmsg *err)
{
	struct event e scoped(event_end);
	event_begin(&e, EVENT_CONTROL, clock_real(), c->disk);
	event_str(&e, "request", c->op);
	event_str(&e, "keyUrl", c->key_url);
	event_identity(&e, (uint32_t)c->peer->uid, c->peer->pid);
	event_int(&e, "durationMs",
		(int64_t)((clock_boot_ns(clock_real()) - c->begun_ns) / NS_PER_MS));
	records_outcome(&e, rc, err);
	session_event(s, &e);
}

void session_event_moved(struct session_disk *d, enum event_kind kind, const struct moved *m,
	const struct ctl_peer *by_hand)
{
	const bool failed = kind == EVENT_ROTATION_FAILED;
	struct event e scoped(event_end);
	event_begin(&e, kind, clock_real(), d->name);
	records_moved(&e, &(struct records_move){.key_url = m->key_url,
				  .from_url = m->from_url,
				  .from = m->from,
				  .to = m->to,
				  .by_hand = by_hand != NULL,
				  .rc = failed ? m->rc : 0,
				  .err = &m->err});
	if (by_hand)
		event_identity(&e, (uint32_t)by_hand->uid, by_hand->pid);
	session_event(d->session, &e);
}
