// SPDX-License-Identifier: MIT
// The lease's transitions, as drawn in rules.h.
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum judgement { PROOF, DENIAL, NO_ANSWER };

static uint64_t add_ms(uint64_t ns, uint64_t ms)
{
	uint64_t sum;
	uint64_t span;
	if (__builtin_mul_overflow(ms, (uint64_t)NS_PER_MS, &span) ||
		__builtin_add_overflow(ns, span, &sum))
		return UINT64_MAX;
	return sum;
}

static enum judgement judge(const struct rules *r, const struct lease_verdict *v, int64_t wall_s,
	enum lease_cause *cause)
{
	*cause = LEASE_CAUSE_UNREACHABLE;
	if (v->verdict == CMK_DENIED) {
		*cause = LEASE_CAUSE_DENIED;
		return DENIAL;
	}
	if (v->verdict != CMK_GRANTED)
		return NO_ANSWER;
	*cause = LEASE_CAUSE_NONE;
	if (!r->policy.expiry_stops)
		return PROOF;
	if (v->exp != 0 && wall_s >= v->exp)
		*cause = LEASE_CAUSE_EXPIRED;
	else if (v->nbf != 0 && wall_s < v->nbf)
		*cause = LEASE_CAUSE_NOT_YET_VALID;
	return *cause == LEASE_CAUSE_NONE ? PROOF : DENIAL;
}

int rules_judge(const struct rules *r, const struct lease_verdict *v, int64_t wall_s)
{
	enum lease_cause cause;
	switch (judge(r, v, wall_s, &cause)) {
	case PROOF:
		return 0;
	case DENIAL:
		return cause == LEASE_CAUSE_DENIED ? -EKEYREVOKED : -EKEYEXPIRED;
	default:
		return -ENOKEY;
	}
}

static void set_cause(
	struct rules *r, enum lease_cause cause, enum cmk_reason reason, const char *sentence)
{
	r->untold |= r->now.cause != cause || r->now.reason != reason;
	r->now.cause = cause;
	r->now.reason = reason;
	(void)snprintf(r->now.sentence, sizeof(r->now.sentence), "%s", sentence ? sentence : "");
}

static void set_state(struct rules *r, enum lease_state state, uint64_t boot_ns)
{
	if (r->now.state == state)
		return;
	r->now.state = state;
	r->now.since_ns = boot_ns;
	r->untold = true;
}

static void stop(struct rules *r, uint64_t boot_ns)
{
	if (r->now.state != LEASE_STOPPED)
		r->now.stops++;
	set_state(r, LEASE_STOPPED, boot_ns);
	r->stopped_ns = boot_ns;
	r->bad_news++;
}

void rules_init(struct rules *r, const struct lease_policy *policy, uint64_t boot_ns)
{
	*r = (struct rules){.policy = *policy, .stopped_ns = boot_ns};
	r->now.state = LEASE_STOPPED;
	r->now.cause = LEASE_CAUSE_NOT_UNLOCKED;
	r->now.since_ns = boot_ns;
}

void rules_expire(struct rules *r, uint64_t boot_ns)
{
	if (r->now.state == LEASE_STOPPED || boot_ns < r->now.deadline_ns)
		return;
	if (r->now.cause == LEASE_CAUSE_NONE)
		set_cause(r, LEASE_CAUSE_UNREACHABLE, CMK_REASON_NONE,
			"The key store gave no answer about the key within the grace; see that "
			"the store and its key agent can be reached");
	stop(r, boot_ns);
}

void rules_lock(struct rules *r, const char *sentence, uint64_t boot_ns)
{
	set_cause(r, LEASE_CAUSE_LOCKED, CMK_REASON_NONE, sentence);
	stop(r, boot_ns);
}

static void proof(struct rules *r, uint64_t asked_ns, uint64_t boot_ns)
{
	uint64_t later = add_ms(asked_ns, r->policy.grace_unreachable_ms);
	if (later > r->now.deadline_ns)
		r->now.deadline_ns = later;
	r->now.last_grant_ns = asked_ns;
	set_cause(r, LEASE_CAUSE_NONE, CMK_REASON_NONE, "");
	set_state(r, LEASE_ACTIVE, boot_ns);
}

static bool is_denial(enum lease_cause c)
{
	return c == LEASE_CAUSE_DENIED || c == LEASE_CAUSE_EXPIRED ||
	       c == LEASE_CAUSE_NOT_YET_VALID;
}

// Why a stopped disk is stopped may become known better, but a lock by hand explains itself.
static void verdict_when_stopped(
	struct rules *r, const struct lease_verdict *v, enum judgement j, enum lease_cause cause)
{
	if (r->now.cause == LEASE_CAUSE_LOCKED)
		return;
	if (j == PROOF && !r->policy.resume_auto && r->now.cause != LEASE_CAUSE_NOT_UNLOCKED)
		set_cause(r, r->now.cause, r->now.reason,
			"The key store grants the key again; resume with `cmkdisk unlock`");
	else if (j == DENIAL || (j == NO_ANSWER && !is_denial(r->now.cause)))
		set_cause(r, cause, v->reason, v->sentence);
}

void rules_verdict(struct rules *r, const struct lease_verdict *v, struct moment now)
{
	// No question was asked in the future; a clock that says so gains nothing by it.
	uint64_t asked = v->asked_ns < now.boot_ns ? v->asked_ns : now.boot_ns;
	rules_expire(r, now.boot_ns);
	if (asked < r->newest_ns)
		return;
	r->newest_ns = asked;
	if (v->exp != 0 || v->verdict == CMK_GRANTED)
		r->now.exp = v->exp;

	enum lease_cause cause;
	enum judgement j = judge(r, v, now.wall_s, &cause);
	r->bad_news += j != PROOF;
	if (j != PROOF)
		r->no_proof_ns = asked;
	if (r->now.state == LEASE_STOPPED) {
		verdict_when_stopped(r, v, j, cause);
	} else if (j == PROOF) {
		proof(r, asked, now.boot_ns);
	} else if (j == DENIAL) {
		uint64_t sooner = add_ms(r->now.last_grant_ns, r->policy.grace_denied_ms);
		if (sooner < r->now.deadline_ns)
			r->now.deadline_ns = sooner;
		set_cause(r, cause, v->reason, v->sentence);
		set_state(r, LEASE_GRACE_DENIED, now.boot_ns);
	} else if (r->now.state != LEASE_GRACE_DENIED) {
		set_cause(r, cause, CMK_REASON_NONE, v->sentence);
		set_state(r, LEASE_GRACE_UNREACHABLE, now.boot_ns);
	}
	rules_expire(r, now.boot_ns);
}

int rules_may_start(
	const struct rules *r, const struct lease_verdict *v, bool by_hand, struct moment now)
{
	if (r->now.state != LEASE_STOPPED)
		return -EALREADY;
	if (!by_hand && (!r->policy.resume_auto || r->now.cause == LEASE_CAUSE_LOCKED))
		return -EPERM;
	int judged = rules_judge(r, v, now.wall_s);
	if (judged < 0)
		return judged;
	// A proof from before the stop, or older than an answer that was none, proves nothing about
	// now. (Another proof may have come while the header was read.)
	if (v->asked_ns < r->stopped_ns || v->asked_ns < r->no_proof_ns ||
		v->asked_ns > now.boot_ns)
		return -ETIME;
	if (now.boot_ns >= add_ms(v->asked_ns, r->policy.grace_unreachable_ms))
		return -ETIME;
	return 0;
}

void rules_start(struct rules *r, const struct lease_verdict *v, uint64_t boot_ns)
{
	if (v->asked_ns > r->newest_ns)
		r->newest_ns = v->asked_ns;
	r->now.exp = v->exp;
	r->now.deadline_ns = 0;
	proof(r, v->asked_ns, boot_ns);
}
