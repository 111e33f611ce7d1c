// SPDX-License-Identifier: MIT
// See made_rehearsal.h. Whatever memory is short makes it false, and nothing else.
#include "made_rehearsal.h"

#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000)
#define S UINT64_C(1000000)

// A course that ends in a stop: when things happened, in us since the start.
struct course {
	uint64_t act, refused, stop, restored, granted, end, slice, grace_ms, interval_ms;
	uint64_t deadline; // promised after the act
	uint32_t rate;	   // of reads and of writes, each second
};

static bool mark(struct played *p, enum mark_kind k, uint64_t at, const char *text)
{
	return !played_mark(p, k, at, "%s", text);
}

static bool promise(struct played *p, const char *id, const char *what, const char *promised,
	const char *measured, int64_t promised_us, int64_t measured_us, enum outcome o)
{
	struct promise *q = played_promise(p, id, what);
	if (!q)
		return false;
	(void)snprintf(q->promised, sizeof(q->promised), "%s", promised);
	(void)snprintf(q->measured, sizeof(q->measured), "%s", measured);
	q->promised_us = promised_us;
	q->measured_us = measured_us;
	q->outcome = o;
	return true;
}

// A rate that breathes a little, as a real one does; dead between two times.
static bool load(struct played *p, const struct course *c, bool dies)
{
	p->slice_us = c->slice;
	p->first_slice_us = 50 * MS;
	p->slice_count = c->end / c->slice;
	p->slices = calloc(p->slice_count, sizeof(*p->slices));
	for (size_t i = 0; p->slices && i < p->slice_count; i++) {
		uint64_t at = i * c->slice, each = c->rate * c->slice / S;
		struct io_slice *s = &p->slices[i];
		if (dies && at > c->stop && at < c->granted) {
			s->failed = (uint32_t)(each / 2 + i * 7 % 3);
		} else {
			s->reads = (uint32_t)(each + i * 5 % 4);
			s->writes = (uint32_t)(each * 3 / 4 + i * 11 % 3);
		}
		p->reads += s->reads;
		p->writes += s->writes;
		p->failed += s->failed;
	}
	p->bytes_read = p->reads * 4096;
	p->bytes_written = p->writes * 4096;
	p->bytes_verified = UINT64_C(64) << 20;
	return p->slices;
}

static struct played *scenario(struct rehearsal *r, const char *name, const char *title,
	const char *expected, const struct course *c)
{
	struct played *p;
	if (rehearsal_add(r, &p))
		return NULL;
	p->scenario = name;
	p->title = title;
	p->expected = expected;
	(void)snprintf(p->provider, sizeof(p->provider), "azure");
	(void)snprintf(p->key_url, sizeof(p->key_url),
		"https://rehearsal.vault.localhost:8443/keys/disk-key/"
		"6f1c0c9e2b3d4f5a8e7d6c5b4a392817");
	p->began_wall_us = INT64_C(1795356185123456);
	p->took_us = c->end + 900 * MS;
	p->policy = (struct policy_played){c->grace_ms, 2 * c->grace_ms, c->interval_ms, 1};
	return p;
}

static bool disabled_marks(struct played *p, const struct course *c)
{
	uint64_t grace = c->stop - c->refused;
	return mark(p, MARK_LOAD_BEGAN, 50 * MS,
		       "2 readers and 2 writers, 50 requests a second each, of 4 KiB") &&
	       mark(p, MARK_ACTION, c->act, "the key's version in use was disabled") &&
	       mark(p, MARK_REFUSED, c->refused,
		       "403 Forbidden/KeyDisabled: the key version is disabled; enable it again") &&
	       mark(p, MARK_GRACE, c->refused + 2 * MS, "I/O goes on until the deadline") &&
	       mark(p, MARK_WARNING, c->refused + grace / 2, "50 % of the grace is over") &&
	       mark(p, MARK_WARNING, c->refused + grace * 9 / 10, "90 % of the grace is over") &&
	       mark(p, MARK_WARNING, c->refused + grace * 99 / 100, "99 % of the grace is over") &&
	       mark(p, MARK_LAST_GOOD, c->stop - 3 * MS, "a read of block 812") &&
	       mark(p, MARK_FIRST_EIO, c->stop + MS, "EIO at a write of block 77") &&
	       mark(p, MARK_STOPPED, c->stop + 2 * MS, "the data key is out of memory") &&
	       mark(p, MARK_RESTORED, c->restored, "the version was enabled again") &&
	       mark(p, MARK_GRANTED, c->granted - 60 * MS, "the vault unwraps again") &&
	       mark(p, MARK_RESUMED, c->granted, "by itself, without a remount") &&
	       mark(p, MARK_FIRST_GOOD, c->granted + 4 * MS, "a read of block 15") &&
	       mark(p, MARK_VERIFIED, c->end + 500 * MS, "64 MiB, every byte as it was written");
}

static bool disabled_promises(struct played *p, const struct course *c)
{
	return promise(p, "noticed", "The first check after the act notices it.",
		       "at most 1.15 s after the act", "412 ms", 1150 * 1000, 412 * 1000,
		       OUTCOME_HELD) &&
	       promise(p, "io-goes-on", "No request fails before the deadline.",
		       "0 failed requests", "0 failed requests", -1, -1, OUTCOME_HELD) &&
	       promise(p, "io-ends-in-time",
		       "No request succeeds that was put later than the grace and one check "
		       "interval after the act.",
		       "at most 11.1 s after the act", "10.2 s", (int64_t)c->deadline,
		       (int64_t)(c->stop - c->act), OUTCOME_HELD) &&
	       promise(p, "key-wiped", "The key is wiped within 100 ms of the deadline.",
		       "at most 100 ms", "2.1 ms", 100000, 2100, OUTCOME_HELD) &&
	       promise(p, "errors", "Requests fail with EIO and with nothing else.", "EIO only",
		       "EIO 1,022", -1, -1, OUTCOME_HELD) &&
	       promise(p, "back", "The disk goes on by itself when the key is back.",
		       "at most 1.15 s after it was enabled", "861 ms", 1150 * 1000,
		       (int64_t)(c->granted - c->restored), OUTCOME_HELD) &&
	       promise(p, "verified", "Every byte that was acknowledged is there.", "64 MiB right",
		       "64 MiB right", -1, -1, OUTCOME_HELD);
}

static const char disabled_expected[] =
	"The disk works on until the grace has passed since the last proof, then every request "
	"fails with EIO and the key is wiped. When the key is enabled the disk goes on by itself.";

static bool disabled(struct rehearsal *r, const struct course *c)
{
	struct played *p = scenario(r, "disabled", "The key is disabled", disabled_expected, c);
	(void)snprintf(r->host, sizeof(r->host), "staging-7.example.org");
	return p && load(p, c, true) && disabled_marks(p, c) && disabled_promises(p, c) &&
	       snprintf(p->errors, sizeof(p->errors), "EIO %llu", (unsigned long long)p->failed);
}

static const struct course quick = {.act = 5 * S,
	.refused = 5412 * MS,
	.stop = 15200 * MS,
	.restored = 20 * S,
	.granted = 20861 * MS,
	.end = 25 * S,
	.slice = 100 * MS,
	.grace_ms = 10000,
	.interval_ms = 1000,
	.deadline = 11100 * MS,
	.rate = 100};

static bool outage(struct rehearsal *r)
{
	struct course c = quick;
	struct played *p = scenario(r, "outage-short", "The vault is unreachable for a while",
		"An outage that is shorter than the grace is noticed and reported, and no request "
		"fails.",
		&c);
	return p && load(p, &c, false) &&
	       mark(p, MARK_LOAD_BEGAN, 50 * MS, "2 readers and 2 writers") &&
	       mark(p, MARK_ACTION, 5 * S, "the vault stopped answering") &&
	       mark(p, MARK_GRACE, 6500 * MS, "nobody answers") &&
	       mark(p, MARK_RESTORED, 14 * S, "the vault answers again") &&
	       mark(p, MARK_GRACE_END, 14800 * MS, "granted") &&
	       mark(p, MARK_VERIFIED, 25400 * MS, "64 MiB") &&
	       promise(p, "io-goes-on", "No request fails.", "0 failed requests",
		       "0 failed requests", -1, -1, OUTCOME_HELD) &&
	       promise(p, "no-pause", "No pause between two requests is longer than a second.",
		       "at most 1 s", "23 ms", 1000000, 23000, OUTCOME_HELD);
}

// On and off, so that the labels have to be laid out close together.
static bool flapping(struct rehearsal *r)
{
	struct played *p = scenario(r, "flapping",
		"The key is disabled and enabled again and again",
		"Each grant begins a new lease; never does the disk work longer than promised.",
		&quick);
	bool ok = p && load(p, &quick, false);
	for (uint64_t i = 0; ok && i < 8; i++) {
		uint64_t at = (2 + 3 * i) * S;
		ok = mark(p, MARK_ACTION, at, "disabled") &&
		     mark(p, MARK_GRACE, at + 300 * MS, MADE_HOSTILE) &&
		     mark(p, MARK_RESTORED, at + 1500 * MS, "enabled") &&
		     mark(p, MARK_GRACE_END, at + 1800 * MS, "granted");
	}
	if (ok)
		p->outcome = OUTCOME_NOT_SHOWN;
	return ok && promise(p, "stops", "The disk stops.", "within 11.1 s", "", 11100000, -1,
			     OUTCOME_NOT_SHOWN);
}

static bool broken(struct rehearsal *r)
{
	if (!disabled(r, &quick) || !flapping(r))
		return false;
	struct played *p = &r->played[0];
	struct promise *late = &p->promises[2];
	late->outcome = OUTCOME_BROKEN;
	late->measured_us = 25 * (int64_t)S;
	(void)snprintf(late->measured, sizeof(late->measured), "25 s");
	(void)snprintf(late->why, sizeof(late->why), "a read put 25 s after the act succeeded; %s",
		MADE_HOSTILE);
	p->outcome = OUTCOME_BROKEN;
	p->bytes_wrong = 4096;
	(void)snprintf(p->key_url, sizeof(p->key_url), "https://vault/%s", MADE_HOSTILE);
	p->policy.time_scale = 360;
	p = scenario(r, "purged", "The key is purged", NULL, &quick);
	if (!p)
		return false;
	p->outcome = OUTCOME_NOT_SHOWN;
	p->key_url[0] = 0;
	(void)snprintf(
		p->failure, sizeof(p->failure), "the vault could not be started: %s", MADE_HOSTILE);
	r->outcome = OUTCOME_BROKEN;
	(void)snprintf(r->host, sizeof(r->host), "%s", MADE_HOSTILE);
	return true;
}

// By hand, and nobody said when it was done.
static bool by_hand(struct rehearsal *r)
{
	struct played *p =
		scenario(r, "disabled", "The key is disabled", disabled_expected, &quick);
	r->own_key = false;
	return p && load(p, &quick, true) &&
	       mark(p, MARK_ASKED, 5 * S, "disable the key's version in use") &&
	       mark(p, MARK_REFUSED, 7412 * MS, "403 Forbidden/KeyDisabled") &&
	       mark(p, MARK_GRACE, 7412 * MS, "the key counts as refused") &&
	       mark(p, MARK_LAST_GOOD, 17400 * MS, "") &&
	       mark(p, MARK_FIRST_EIO, 17401 * MS, "ENOTCONN") &&
	       mark(p, MARK_STOPPED, 17402 * MS, "the disk stopped") &&
	       mark(p, MARK_ASKED, 20 * S, "enable it again") &&
	       mark(p, MARK_RESTORED, 20500 * MS, "the operator says that it is done") &&
	       mark(p, MARK_GRANTED, 21500 * MS, "") &&
	       promise(p, "io-ends-in-time", "It ends.", "at most 10.1 s", "9.98 s", 10100000,
		       9980000, OUTCOME_HELD);
}

static bool hour(struct rehearsal *r)
{
	static const struct course c = {.act = 60 * S,
		.refused = 91 * S,
		.stop = 3631 * S,
		.restored = 3700 * S,
		.granted = 3742 * S,
		.end = 3800 * S,
		.slice = S,
		.grace_ms = 3600000,
		.interval_ms = 60000,
		.deadline = 3666 * S,
		.rate = 100};
	return disabled(r, &c);
}

bool made_rehearsal(const char *name, struct rehearsal *out)
{
	memset(out, 0, sizeof(*out));
	(void)snprintf(out->version, sizeof(out->version), "0.1.0");
	(void)snprintf(out->load, sizeof(out->load), "light");
	(void)snprintf(out->on, sizeof(out->on), "disk file");
	out->own_key = true;
	out->began_wall_us = INT64_C(1795356184000000);
	bool ok = !strcmp(name, "held")	     ? disabled(out, &quick) && outage(out)
		  : !strcmp(name, "broken")  ? broken(out)
		  : !strcmp(name, "hour")    ? hour(out)
		  : !strcmp(name, "by-hand") ? by_hand(out)
					     : false;
	for (size_t i = 0; i < out->count; i++)
		out->took_us += out->played[i].took_us;
	if (!ok)
		rehearsal_free(out);
	return ok;
}

char *made_printed(const char *name, int (*form)(const struct rehearsal *r, FILE *f))
{
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc = f && made_rehearsal(name, &r) ? form(&r, f) : -ENOMEM;
	if (f && fclose(f))
		rc = -ENOMEM;
	if (!rc && strlen(text) == len)
		return text;
	free(text);
	return NULL;
}
