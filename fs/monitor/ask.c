// SPDX-License-Identifier: MIT
// One question about one key version, and what follows from its answer for the disks bound to it.
#include "monitor_internal.h"

#include "keydates.h"
#include "log.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Bindings tried in one round before the version itself is judged by "bad blob".
#define PROBES_MAX 8

int verdict_errno(enum cmk_verdict v)
{
	switch (v) {
	case CMK_GRANTED:
		return 0;
	case CMK_DENIED:
		return -EKEYREVOKED;
	case CMK_MISCONFIGURED:
		return -EDOM;
	case CMK_BAD_BLOB:
		return -EBADMSG;
	default:
		return -EHOSTUNREACH;
	}
}

void verdict_dates(const struct disk *d, struct lease_verdict *v)
{
	const struct group *g = d->group;
	if (g->info_known) { // only this thread writes it
		v->nbf = g->view.info.nbf;
		v->exp = g->view.info.exp;
	}
	if (v->verdict == CMK_GRANTED)
		(void)key_dates_judge(d->binding.key_url, d->binding.key_version, v->nbf, v->exp,
			clock_wall_s(d->monitor->config.clock), v->sentence, sizeof(v->sentence));
}

void verdict_fill(const struct disk *d, const struct agent_answer *a, uint64_t asked_ns,
	struct lease_verdict *out)
{
	*out = (struct lease_verdict){
		.verdict = a->verdict, .reason = a->reason, .asked_ns = asked_ns};
	(void)snprintf(out->sentence, sizeof(out->sentence), "%s", a->sentence);
	verdict_dates(d, out);
}

const uint32_t monitor_latency_ms[MONITOR_LATENCIES] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

static size_t latency_of(uint32_t took_ms)
{
	size_t i = 0;
	while (i < MONITOR_LATENCIES && took_ms > monitor_latency_ms[i])
		i++;
	return i;
}

static uint64_t *counter_of(struct monitor_view *v, enum cmk_verdict verdict)
{
	switch (verdict) {
	case CMK_GRANTED:
		return &v->grants;
	case CMK_DENIED:
		return &v->denials;
	case CMK_MISCONFIGURED:
		return &v->misconfigured;
	case CMK_BAD_BLOB:
		return &v->bad_blob;
	default:
		return &v->unreachable;
	}
}

static void count(struct key *k, struct group *g, const struct agent_answer *a)
{
	with_lock(&k->monitor->lock);
	g->view.checks++;
	g->view.last_took_ms = a->took_ms;
	g->view.took[latency_of(a->took_ms)]++;
	g->view.took_sum_ms += a->took_ms;
	++*counter_of(&g->view, a->verdict);
	g->view.failures += a->verdict != CMK_GRANTED && a->verdict != CMK_DENIED;
}

// Puts the question with one binding after the other until an answer says something about the
// version: one disk's damaged binding must not count against the others.
static struct disk *probe(
	struct key *k, struct group *g, struct agent_answer *answer, uint64_t *asked_ns)
{
	struct disk *d = NULL;
	for (size_t i = 0; i < g->count && i < PROBES_MAX; i++) {
		scoped(secret_free) struct secret *plain = NULL;
		d = g->probe;
		*answer = (struct agent_answer){.verdict = CMK_UNREACHABLE};
		*asked_ns = clock_boot_ns(k->monitor->config.clock);
		k->source.unwrap(k->source.ctx, &d->binding, &plain, answer);
		count(k, g, answer);
		if (answer->verdict != CMK_BAD_BLOB)
			break;
		log_warning(k->monitor->config.log,
			"token %d of a disk bound to %s, version %s, is not this key's work: %s",
			d->binding.token, d->binding.key_url, d->binding.key_version,
			answer->sentence);
		g->probe = d->next ? d->next : g->first;
	}
	return d;
}

static void log_change(
	struct key *k, struct group *g, const struct disk *d, const struct lease_verdict *v)
{
	struct logger *log = k->monitor->config.log;
	if (v->verdict == g->logged)
		return;
	g->logged = v->verdict;
	if (v->verdict == CMK_GRANTED)
		log_notice(log, "%s, version %s: granted again", d->binding.key_url,
			d->binding.key_version);
	else
		log_warning(log, "%s, version %s: %s", d->binding.key_url, d->binding.key_version,
			v->sentence);
}

static void deliver(struct key *k, struct group *g)
{
	g->proof = true;
	for (struct disk *d = g->first; d; d = d->next) {
		lease_verdict(d->lease, &g->verdict);
		g->proof &= lease_judge(d->lease, &g->verdict) == 0;
	}
	waker_ring(&k->monitor->timekeeper);
}

// Its key is granted, but by its policy only a person lets it go on.
static bool waits_for_a_hand(const struct disk *d, const struct lease_verdict *v)
{
	struct lease_view now;
	lease_view(d->lease, &now);
	return now.state == LEASE_STOPPED && now.cause != LEASE_CAUSE_NOT_UNLOCKED &&
	       now.cause != LEASE_CAUSE_LOCKED && !lease_resumes_itself(d->lease) &&
	       lease_judge(d->lease, v) == 0;
}

static void tell_waiting(struct disk *d)
{
	struct errmsg err;
	int r = errmsg_set(&err, EPERM,
		"%s: the key store grants the key again; resume with `cmkdisk unlock` "
		"(resume=manual)",
		d->opener.name ? d->opener.name : d->binding.key_url);
	resume_failed(d, r, &err);
}

static void resume(struct key *k, struct group *g)
{
	struct monitor *m = k->monitor;
	for (struct disk *d = g->first; d && !atomic_load(&m->stopping); d = d->next) {
		struct opening *o = NULL;
		struct errmsg err = {""};
		if (waits_for_a_hand(d, &g->verdict))
			tell_waiting(d);
		if (!lease_resumes_itself(d->lease) || lease_judge(d->lease, &g->verdict) < 0 ||
			resumer_has(m, d))
			continue;
		uint32_t hint = 0; // the next round comes by itself
		int r = unlock_ask(d, false, &o, &hint, &err);
		if (r == 0) {
			resumer_push(m, o);
			continue;
		}
		resume_failed(d, r, &err);
		// The store is gone again: do not wait for it once per disk.
		if (r == -EHOSTUNREACH || r == -EKEYREVOKED)
			return;
	}
}

void ask_version(struct key *k, struct group *g, uint32_t *retry_after_ms)
{
	struct agent_answer answer;
	uint64_t asked_ns = 0;
	struct disk *d = probe(k, g, &answer, &asked_ns);
	if (answer.retry_after_ms > *retry_after_ms)
		*retry_after_ms = answer.retry_after_ms;
	verdict_fill(d, &answer, asked_ns, &g->verdict);
	log_change(k, g, d, &g->verdict);
	deliver(k, g);
	if (answer.verdict != CMK_GRANTED)
		resumer_drop(k->monitor, g);
}

void ask_granted(struct key *k, struct group *g, struct attributes *a, bool full)
{
	if ((full || !attributes_recent(g, k->monitor)) && attributes_ask(k, g, a)) {
		verdict_dates(g->first, &g->verdict);
		deliver(k, g);
	}
	resume(k, g);
}
