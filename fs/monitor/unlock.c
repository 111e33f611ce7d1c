// SPDX-License-Identifier: MIT
// From a disk's own binding to a started lease: unwrap, attributes, header, key. Wipes on the way.
#include "monitor_internal.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static void rfc3339(int64_t unix_s, char out[40])
{
	struct tm tm;
	time_t t = (time_t)unix_s;
	if (!gmtime_r(&t, &tm) || strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, 40, "Unix time %lld", (long long)unix_s);
}

void expiry_sentence(
	const struct binding *b, int64_t nbf, int64_t exp, int64_t wall_s, char *out, size_t room)
{
	char date[40];
	out[0] = '\0';
	// The URL is cut rather than the date and the advice behind it.
	if (exp != 0 && wall_s >= exp) {
		rfc3339(exp, date);
		(void)snprintf(out, room,
			"%.200s, version %.127s, expired at %s; set a later expiry date in the key "
			"store",
			b->key_url, b->key_version, date);
	} else if (nbf != 0 && wall_s < nbf) {
		rfc3339(nbf, date);
		(void)snprintf(out, room,
			"%.200s, version %.127s, is not valid before %s; wait until then, or set "
			"an "
			"earlier date in the key store",
			b->key_url, b->key_version, date);
	}
}

static int open_header(
	struct disk *d, const struct secret *slot_secret, struct secret **dek, struct errmsg *err)
{
	with_lock(&d->key->monitor->opening);
	return d->opener.unlock(d->opener.ctx, &d->binding, slot_secret, dek, err);
}

static int start_error(
	const struct disk *d, int r, const struct lease_verdict *v, struct errmsg *err)
{
	const char *url = d->binding.key_url;
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

int unlock_disk(struct disk *d, bool by_hand, struct errmsg *err)
{
	struct key *k = d->key;
	scoped(secret_free) struct secret *slot_secret = NULL;
	scoped(secret_free) struct secret *dek = NULL;
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	struct lease_verdict v;

	uint64_t asked_ns = clock_boot_ns(k->monitor->config.clock);
	k->source.unwrap(k->source.ctx, &d->binding, &slot_secret, &answer);
	if (answer.verdict == CMK_GRANTED && !slot_secret)
		answer.verdict = CMK_BAD_BLOB;
	if (answer.verdict != CMK_GRANTED) {
		verdict_fill(d, &answer, asked_ns, &v);
		lease_verdict(d->lease, &v);
		return errmsg_set(err, -verdict_errno(answer.verdict), "%s",
			answer.sentence[0] ? answer.sentence : "The key store gave no reason");
	}
	// A resumption has just been told the attributes with the group's answer.
	if (by_hand)
		(void)ask_describe(d);
	verdict_fill(d, &answer, asked_ns, &v);

	int r = open_header(d, slot_secret, &dek, err);
	if (r < 0)
		return r;
	r = lease_unlock(d->lease, dek, &v, by_hand);
	waker_ring(&k->monitor->timekeeper);
	// Unlocking what is unlocked is no error.
	return r == 0 || r == -EALREADY ? 0 : start_error(d, r, &v, err);
}
