// SPDX-License-Identifier: MIT
// From a disk's own binding to a started lease, in two steps: what the key store is asked, and what
// the backing store is read for. Wipes on the way.
#include "monitor_internal.h"

#include "log.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdlib.h>

static int start_error(const struct opening *o, int r, struct errmsg *err)
{
	const struct lease_verdict *v = &o->v;
	const char *url = o->binding.key_url;
	switch (r) {
	case -EKEYEXPIRED:
		return errmsg_set(err, EKEYEXPIRED, "%s", v->sentence);
	case -ETIME:
		return errmsg_set(err, ETIMEDOUT,
			"%s: the key store's answer came too late to count; see why it is slow, or "
			"use a longer grace-unreachable, and unlock again",
			url);
	case -EAGAIN:
		return errmsg_set(err, EAGAIN,
			"%s: the disk was locked or its key refused while it was being unlocked; "
			"unlock again",
			url);
	case -EPERM:
		return errmsg_set(err, EPERM,
			"%s: the disk does not resume by itself; use `cmkdisk unlock`", url);
	default:
		return errmsg_set(
			err, -r, "%s: the data key could not be set up (error %d)", url, -r);
	}
}

void opening_free(struct opening **o)
{
	if (!*o)
		return;
	secret_free(&(*o)->slot_secret);
	free(*o);
	*o = NULL;
}

static void name_disk(const struct disk *d, struct errmsg *err)
{
	if (d->opener.name)
		errmsg_prefix(err, "%s", d->opener.name);
}

int unlock_ask(struct disk *d, bool fresh, struct opening **out, uint32_t *retry_after_ms,
	struct errmsg *err)
{
	struct key *k = d->key;
	struct opening *o scoped(opening_free) = calloc(1, sizeof(*o));
	if (!o)
		return errmsg_set(err, ENOMEM, "out of memory");
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	o->disk = d;
	o->key = k;
	o->group = d->group;
	o->binding = d->binding;
	o->moves = atomic_load(&d->moves);
	o->by_hand = fresh;
	uint64_t asked_ns = clock_boot_ns(k->monitor->config.clock);
	k->source.unwrap(k->source.ctx, &d->binding, &o->slot_secret, &answer);
	if (answer.verdict == CMK_GRANTED && !o->slot_secret)
		answer.verdict = CMK_BAD_BLOB;
	*retry_after_ms = answer.retry_after_ms;
	if (answer.verdict != CMK_GRANTED) {
		verdict_fill(d, &answer, asked_ns, &o->v);
		lease_verdict(d->lease, &o->v);
		int r = errmsg_set(err, -verdict_errno(answer.verdict), "%s",
			answer.sentence[0] ? answer.sentence : "The key store gave no reason");
		name_disk(d, err);
		return r;
	}
	atomic_store(&k->granted, true);
	// A resumption has just been told the attributes with the group's answer.
	struct attributes a = {.asked_newest = false};
	if (fresh || !attributes_recent(d->group, d->monitor))
		(void)attributes_ask(k, d->group, &a);
	verdict_fill(d, &answer, asked_ns, &o->v);
	*out = TAKE(o);
	return 0;
}

// What the former key granted starts nothing under the new one.
static bool has_moved(const struct opening *o)
{
	return atomic_load(&o->disk->moves) != o->moves;
}

int unlock_open(struct opening *o, struct errmsg *err)
{
	struct disk *d = o->disk;
	struct monitor *m = d->monitor;
	scoped(secret_free) struct secret *dek = NULL;
	if (has_moved(o))
		return -ESTALE;
	int r = d->opener.unlock(d->opener.ctx, &o->binding, o->slot_secret, &dek, err);
	// Also when that went wrong, because the header is another by now.
	if (has_moved(o))
		return -ESTALE;
	if (r == 0) {
		r = lease_unlock(d->lease, dek, &o->v, o->by_hand);
		waker_ring(&m->timekeeper);
		// Unlocking what is unlocked is no error.
		r = r == 0 || r == -EALREADY ? 0 : start_error(o, r, err);
	}
	if (r < 0)
		name_disk(d, err);
	return r;
}

// Whether a store that does not answer is only busy: it says when to come again, or has granted
// something to this mount. A mount of many disks asks more in a moment than a vault may allow.
static bool only_busy(const struct disk *d, int r, uint32_t retry_after_ms)
{
	return r == -EHOSTUNREACH && (retry_after_ms > 0 || atomic_load(&d->key->granted)) &&
	       !atomic_load(&d->monitor->stopping);
}

static int ask_patiently(struct disk *d, struct opening **out, struct errmsg *err)
{
	struct monitor *m = d->monitor;
	const struct clock_source *clock = m->config.clock;
	uint64_t end = clock_boot_ns(clock) + m->config.patience_ms * NS_PER_MS;
	for (uint64_t pause = NS_PER_S / 4;; pause *= 2) {
		uint32_t hint = 0;
		int r = unlock_ask(d, false, out, &hint, err);
		uint64_t wanted = hint * NS_PER_MS;
		uint64_t next = clock_boot_ns(clock) + (wanted > pause ? wanted : pause);
		if (!only_busy(d, r, hint) || next > end)
			return r;
		log_notice(m->config.log, "waiting to ask again: %s", err->text);
		(void)waker_wait(&d->key->waker, clock, next, -1);
	}
}

int monitor_first_unlock(struct monitor *m, int disk, struct errmsg *err)
{
	struct opening *o scoped(opening_free) = NULL;
	int r = ask_patiently(m->disks[disk], &o, err);
	if (r < 0)
		return r;
	o->by_hand = true;
	return unlock_open(o, err);
}

void resume_failed(struct disk *d, int r, const struct errmsg *err)
{
	if (atomic_exchange(&d->told, r) == r)
		return;
	log_warning(d->monitor->config.log, "stopped, and does not go on yet: %s", err->text);
	if (d->opener.refused)
		d->opener.refused(d->opener.ctx, r, err->text);
}
