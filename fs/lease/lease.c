// SPDX-License-Identifier: MIT
// The lease: its rules (rules.h, where they are drawn) behind one mutex, the key they guard, the
// users inside, and the report of what changed.
#include "lease.h"

#include "rules.h"
#include "scope.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define DRAIN_POLL_NS NS_PER_MS

struct lease {
	const struct clock_source *clock;
	struct lease_key_ops ops;
	lease_changed_fn changed;
	void *changed_ctx;

	pthread_mutex_t lock; // guards all below
	pthread_cond_t wiped; // key became NULL
	struct rules rules;
	void *key;	// NULL: wiped
	unsigned users; // between enter and leave
	bool telling;	// somebody is calling changed()

	// The deadline, 0 when stopped, for lease_check(): it asks several times in a request and
	// hands out no key, so it need not wait for the mutex. Written under it.
	_Atomic uint64_t usable_until_ns;
};

// The functions with "locked" in their names need the mutex.

static bool stopped_locked(const struct lease *l)
{
	return l->rules.now.state == LEASE_STOPPED;
}

// After every change of the rules.
static void publish_locked(struct lease *l)
{
	atomic_store(&l->usable_until_ns, stopped_locked(l) ? 0 : l->rules.now.deadline_ns);
}

static void wipe_if_empty_locked(struct lease *l)
{
	if (!stopped_locked(l) || l->users != 0 || !l->key)
		return;
	l->ops.destroy(&l->key);
	l->key = NULL;
	(void)pthread_cond_broadcast(&l->wiped);
}

// No path trusts that somebody else kept the time: each begins here. True if it may go on.
static bool alive_locked(struct lease *l)
{
	rules_expire(&l->rules, clock_boot_ns(l->clock));
	if (stopped_locked(l)) {
		publish_locked(l);
		wipe_if_empty_locked(l);
	}
	return !stopped_locked(l);
}

static void wait_wiped_locked(struct lease *l)
{
	publish_locked(l);
	wipe_if_empty_locked(l);
	while (stopped_locked(l) && l->key)
		(void)pthread_cond_wait(&l->wiped, &l->lock);
}

static void verdict_locked(struct lease *l, const struct lease_verdict *v)
{
	struct moment now = {clock_boot_ns(l->clock), clock_wall_s(l->clock)};
	rules_verdict(&l->rules, v, now);
	publish_locked(l);
	wipe_if_empty_locked(l);
}

static void view_locked(const struct lease *l, struct lease_view *out)
{
	*out = l->rules.now;
	out->key_present = l->key != NULL;
}

// Reports what is untold, a stop only once the key is wiped. One thread at a time, so that
// reports arrive in order; whoever comes meanwhile leaves its change to the one at it.
static void tell(struct lease *l)
{
	struct lease_view view;
	(void)pthread_mutex_lock(&l->lock);
	while (l->rules.untold && !l->telling && (!stopped_locked(l) || !l->key)) {
		l->rules.untold = false;
		if (!l->changed)
			break;
		l->telling = true;
		view_locked(l, &view);
		(void)pthread_mutex_unlock(&l->lock);
		l->changed(l->changed_ctx, &view);
		(void)pthread_mutex_lock(&l->lock);
		l->telling = false;
	}
	(void)pthread_mutex_unlock(&l->lock);
}

int lease_new(const struct clock_source *clock, const struct lease_policy *policy,
	const struct lease_key_ops *ops, lease_changed_fn changed, void *changed_ctx,
	struct lease **out)
{
	struct lease *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->clock = clock;
	l->ops = *ops;
	l->changed = changed;
	l->changed_ctx = changed_ctx;
	rules_init(&l->rules, policy, clock_boot_ns(clock));
	mutex_init_brief(&l->lock);
	(void)pthread_cond_init(&l->wiped, NULL);
	*out = l;
	return 0;
}

void lease_free(struct lease **lp)
{
	struct lease *l = TAKE(*lp);
	if (!l)
		return;
	(void)pthread_mutex_lock(&l->lock);
	rules_lock(&l->rules, "", clock_boot_ns(l->clock));
	wait_wiped_locked(l);
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_cond_destroy(&l->wiped);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static int may_start_locked(const struct lease *l, const struct lease_verdict *v, bool by_hand)
{
	struct moment now = {clock_boot_ns(l->clock), clock_wall_s(l->clock)};
	return rules_may_start(&l->rules, v, by_hand, now);
}

// Drops the mutex while the key is made; whatever came meanwhile is seen afterwards.
static int start_locked(
	struct lease *l, const struct secret *dek, const struct lease_verdict *v, bool by_hand)
{
	void *key = NULL;
	uint64_t before = l->rules.bad_news;
	(void)pthread_mutex_unlock(&l->lock);
	int r = l->ops.make(l->ops.ctx, dek, &key);
	(void)pthread_mutex_lock(&l->lock);
	if (r < 0)
		return r;
	r = l->rules.bad_news == before ? may_start_locked(l, v, by_hand) : -EAGAIN;
	if (r < 0) {
		l->ops.destroy(&key);
		return r;
	}
	l->key = key;
	rules_start(&l->rules, v, clock_boot_ns(l->clock));
	publish_locked(l);
	return 0;
}

int lease_unlock(
	struct lease *l, const struct secret *dek, const struct lease_verdict *v, bool by_hand)
{
	(void)pthread_mutex_lock(&l->lock);
	(void)alive_locked(l);
	wait_wiped_locked(l);
	int r = may_start_locked(l, v, by_hand);
	if (r == 0)
		r = start_locked(l, dek, v, by_hand);
	else
		verdict_locked(l, v); // the answer counts all the same
	(void)pthread_mutex_unlock(&l->lock);
	tell(l);
	return r;
}

void lease_verdict(struct lease *l, const struct lease_verdict *v)
{
	(void)pthread_mutex_lock(&l->lock);
	verdict_locked(l, v);
	(void)pthread_mutex_unlock(&l->lock);
	tell(l);
}

int lease_judge(struct lease *l, const struct lease_verdict *v)
{
	with_lock(&l->lock);
	return rules_judge(&l->rules, v, clock_wall_s(l->clock));
}

void lease_lock(struct lease *l, const char *sentence)
{
	(void)pthread_mutex_lock(&l->lock);
	rules_lock(&l->rules, sentence, clock_boot_ns(l->clock));
	wait_wiped_locked(l);
	(void)pthread_mutex_unlock(&l->lock);
	tell(l);
}

uint64_t lease_tick(struct lease *l)
{
	uint64_t again = UINT64_MAX;
	(void)pthread_mutex_lock(&l->lock);
	if (alive_locked(l))
		again = l->rules.now.deadline_ns;
	else if (l->key)
		again = clock_boot_ns(l->clock) + DRAIN_POLL_NS;
	(void)pthread_mutex_unlock(&l->lock);
	tell(l);
	return again;
}

int lease_enter(struct lease *l, void **key)
{
	with_lock(&l->lock);
	if (!alive_locked(l))
		return -EIO;
	l->users++;
	*key = l->key;
	return 0;
}

void lease_leave(struct lease *l)
{
	with_lock(&l->lock);
	assert(l->users > 0);
	l->users--;
	wipe_if_empty_locked(l);
}

int lease_check(struct lease *l)
{
	if (clock_boot_ns(l->clock) < atomic_load(&l->usable_until_ns))
		return 0;
	with_lock(&l->lock);
	return alive_locked(l) ? 0 : -EIO;
}

int lease_open_status(struct lease *l)
{
	with_lock(&l->lock);
	if (alive_locked(l))
		return 0;
	switch (l->rules.now.cause) {
	case LEASE_CAUSE_DENIED:
		return -EKEYREVOKED;
	case LEASE_CAUSE_EXPIRED:
	case LEASE_CAUSE_NOT_YET_VALID:
		return -EKEYEXPIRED;
	default:
		return -ENOKEY;
	}
}

// The policy never changes.
uint64_t lease_grace_unreachable_ms(const struct lease *l)
{
	return l->rules.policy.grace_unreachable_ms;
}

void lease_view(struct lease *l, struct lease_view *out)
{
	with_lock(&l->lock);
	(void)alive_locked(l);
	view_locked(l, out);
}

bool lease_resumes_itself(struct lease *l)
{
	with_lock(&l->lock);
	return !alive_locked(l) && l->rules.policy.resume_auto &&
	       l->rules.now.cause != LEASE_CAUSE_LOCKED;
}

const char *lease_state_name(enum lease_state s)
{
	static const char *const names[] = {
		[LEASE_ACTIVE] = "active",
		[LEASE_GRACE_DENIED] = "grace-denied",
		[LEASE_GRACE_UNREACHABLE] = "grace-unreachable",
		[LEASE_STOPPED] = "stopped",
	};
	return names[s];
}

const char *lease_cause_name(enum lease_cause c)
{
	static const char *const names[] = {
		[LEASE_CAUSE_NONE] = "none",
		[LEASE_CAUSE_NOT_UNLOCKED] = "not-unlocked",
		[LEASE_CAUSE_DENIED] = "denied",
		[LEASE_CAUSE_EXPIRED] = "expired",
		[LEASE_CAUSE_NOT_YET_VALID] = "not-yet-valid",
		[LEASE_CAUSE_UNREACHABLE] = "unreachable",
		[LEASE_CAUSE_LOCKED] = "locked",
	};
	return names[c];
}
