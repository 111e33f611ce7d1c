// SPDX-License-Identifier: MIT
// What the watchman looks at, and when it looks again.
#include "session_watchman.h"

#include "clock.h"
#include "keyguard.h"
#include "scope.h"
#include "session_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_NS (60 * NS_PER_S) // at keys, whose dates no event tells of
#define STORE_QUIET_NS (60 * NS_PER_S)
#define DAY_S 86400

bool expiry_due(const struct expiry_told *t, int64_t exp, int64_t wall_s)
{
	// A clock that was set back must not silence it.
	return t->exp != exp || wall_s < t->told_s || wall_s - t->told_s >= DAY_S;
}

bool store_errors_due(struct disk_watch *w, uint64_t errors, uint64_t now_ns, uint64_t *next_ns)
{
	const uint64_t quiet_ns = atomic_load(&w->errors_quiet_ns);
	if (now_ns >= quiet_ns)
		return errors != w->errors_told;
	if (quiet_ns < *next_ns)
		*next_ns = quiet_ns;
	return false;
}

static bool in_grace(int state)
{
	return state == LEASE_GRACE_DENIED || state == LEASE_GRACE_UNREACHABLE;
}

static void tell_warning(
	struct session_disk *d, const struct lease_view *v, const struct warning *w)
{
	struct event e scoped(event_end);
	event_begin(&e, w->before_stop ? EVENT_BEFORE_STOP : EVENT_GRACE_WARNING, clock_real(),
		d->name);
	event_str(&e, "state", lease_state_name(v->state));
	event_int(&e, "percent", w->percent);
	session_event_grace(&e, v);
	session_event_why(&e, v);
	session_event_key(d, &e);
	session_event(d->session, &e);
}

// What was not yet recorded as a grace is not warned of: the record comes first, and rings.
static void look_at_grace(struct session_disk *d, uint64_t now, uint64_t *next)
{
	struct disk_watch *w = &d->watch;
	struct lease_view v;
	lease_view(d->lease, &v);
	if (!in_grace((int)v.state) || !in_grace(atomic_load(&w->state))) {
		w->plan = (struct warned){0};
		atomic_store(&w->warned, 0);
		return;
	}
	if (v.last_grant_ns != w->last_grant_ns)
		w->plan = (struct warned){0};
	w->last_grant_ns = v.last_grant_ns;
	uint64_t again = UINT64_MAX;
	const struct warning due = warning_due(&d->session->options.warnings, &w->plan,
		v.last_grant_ns, v.deadline_ns, now, &again);
	if (again < *next)
		*next = again;
	if (!due.due)
		return;
	atomic_store(&w->warned, due.percent);
	tell_warning(d, &v, &due);
	if (due.before_stop)
		*next = now; // a warning may be due beside it
}

static void look_at_store(struct session_disk *d, uint64_t now, uint64_t *next)
{
	struct disk_watch *w = &d->watch;
	struct disk_counters c;
	disk_counters(d->disk, &c);
	if (!store_errors_due(w, c.store_errors, now, next))
		return;
	struct event e scoped(event_end);
	event_begin(&e, EVENT_STORE_ERROR, clock_real(), d->name);
	event_str(&e, "backing", d->backing);
	event_int(&e, "errors", (int64_t)(c.store_errors - w->errors_told));
	event_int(&e, "errorsInAll", (int64_t)c.store_errors);
	event_int(&e, "errno", c.last_store_error);
	event_str(&e, "error", strerror(c.last_store_error));
	session_event(d->session, &e);
	w->errors_told = c.store_errors;
	atomic_store(&w->errors_quiet_ns, now + STORE_QUIET_NS);
	// Those that happen until then do not ring.
	(void)store_errors_due(w, c.store_errors, now, next);
}

// The entry of this version, made if there is none; NULL: no memory.
static struct expiry_told *told_of(struct watchman *w, const struct binding *b)
{
	for (size_t i = 0; i < w->told_count; i++)
		if (!strcmp(w->told[i].version, b->key_version) &&
			!strcmp(w->told[i].key_url, b->key_url))
			return &w->told[i];
	struct expiry_told *more = reallocarray(w->told, w->told_count + 1, sizeof(*more));
	if (!more)
		return NULL;
	w->told = more;
	struct expiry_told *t = &more[w->told_count++];
	*t = (struct expiry_told){0};
	memcpy(t->key_url, b->key_url, sizeof(t->key_url));
	memcpy(t->version, b->key_version, sizeof(t->version));
	return t;
}

static void tell_near_expiry(struct session *s, struct expiry_told *t, int64_t exp, int64_t wall_s)
{
	struct event e scoped(event_end);
	const char *name = NULL;
	const size_t disks = session_bound_to(s, t->key_url, t->version, &name);
	t->exp = exp;
	t->told_s = wall_s;
	event_begin(&e, EVENT_NEAR_EXPIRY, clock_real(), disks == 1 ? name : NULL);
	event_str(&e, "keyUrl", t->key_url);
	event_str(&e, "keyVersion", t->version);
	event_int(&e, "disks", (int64_t)disks);
	event_int(&e, "expires", exp);
	event_int(&e, "daysLeft", keyguard_days_left(exp, wall_s));
	session_event(s, &e);
}

static void tell_ignored(struct session_disk *d, const char *decision, const char *member,
	int64_t date, const char *sentence)
{
	struct event e scoped(event_end);
	event_begin(&e, EVENT_POLICY, clock_real(), d->name);
	session_event_key(d, &e);
	event_str(&e, "decision", decision);
	event_int(&e, member, date);
	event_result(&e, true, "on-expiry-ignore", sentence);
	session_event(d->session, &e);
}

void session_tell_ignored(struct session_disk *d, const struct cmk_key_info *info, int64_t wall_s)
{
	struct disk_watch *w = &d->watch;
	if (info->exp && info->exp <= wall_s && w->ignored_exp != info->exp) {
		w->ignored_exp = info->exp;
		tell_ignored(d, "use-of-expired-key", "expires", info->exp,
			"The key has expired; the policy of the disk lets it go on "
			"(on-expiry=ignore)");
	}
	if (info->nbf > wall_s && w->ignored_nbf != info->nbf) {
		w->ignored_nbf = info->nbf;
		tell_ignored(d, "use-of-key-not-yet-valid", "notBefore", info->nbf,
			"The key is not valid yet; the policy of the disk lets it go on "
			"(on-expiry=ignore)");
	}
}

static void look_at_key(struct session_disk *d, int64_t wall_s)
{
	struct session *s = d->session;
	struct monitor_view m;
	monitor_view(s->monitor, d->monitored, &m);
	if (!d->policy.expiry_stops && lease_check(d->lease) == 0)
		session_tell_ignored(d, &m.info, wall_s);
	if (!m.near_expiry)
		return;
	struct agent *agent = NULL;
	struct binding *b autofree = session_binding(d, &agent);
	struct expiry_told *t = b ? told_of(&s->watchman, b) : NULL;
	if (t && expiry_due(t, m.info.exp, wall_s))
		tell_near_expiry(s, t, m.info.exp, wall_s);
}

static void *watchman_main(void *arg)
{
	struct session *s = arg;
	struct watchman *w = &s->watchman;
	uint64_t keys_ns = 0;
	while (!atomic_load(&w->end)) {
		const uint64_t now = clock_boot_ns(clock_real());
		const bool keys = now >= keys_ns;
		if (keys)
			keys_ns = now + s->look_ns;
		uint64_t next = keys_ns;
		for (size_t i = 0; i < s->disk_count; i++) {
			look_at_grace(&s->disks[i], now, &next);
			look_at_store(&s->disks[i], now, &next);
			if (keys)
				look_at_key(&s->disks[i], clock_wall_s(clock_real()));
		}
		(void)waker_wait(&w->waker, clock_real(), next, -1);
	}
	return NULL;
}

int session_watchman_init(struct session *s)
{
	s->look_ns = LOOK_AGAIN_NS;
	for (size_t i = 0; i < s->disk_count; i++)
		atomic_store(&s->disks[i].watch.state, LEASE_STOPPED);
	return waker_open(&s->watchman.waker);
}

int session_watchman_start(struct session *s)
{
	int rc = -pthread_create(&s->watchman.thread, NULL, watchman_main, s);
	s->watchman.runs = rc == 0;
	if (!rc)
		(void)pthread_setname_np(s->watchman.thread, "watchman");
	return rc;
}

void session_watchman_end(struct session *s)
{
	struct watchman *w = &s->watchman;
	if (!w->runs)
		return;
	atomic_store(&w->end, true);
	waker_ring(&w->waker);
	(void)pthread_join(w->thread, NULL);
	w->runs = false;
}

void session_watchman_destroy(struct session *s)
{
	waker_close(&s->watchman.waker);
	free(s->watchman.told);
}

void session_store_failed(void *ctx)
{
	const struct session_disk *d = ctx;
	if (clock_boot_ns(clock_real()) >= atomic_load(&d->watch.errors_quiet_ns))
		waker_ring(&d->session->watchman.waker);
}
