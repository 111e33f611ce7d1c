// SPDX-License-Identifier: MIT
// The status object. Members are only ever added; their meaning is in cmkdisk-status(1).
#include "status_json.h"
#include "clock.h"
#include "json_build.h"
#include "keyguard.h"
#include "scope.h"
#include "session_internal.h"
#include "status_records.h"
#include "verdict.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint64_t seconds_until(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns > now_ns ? (then_ns - now_ns + NS_PER_S - 1) / NS_PER_S : 0;
}

static void add_lease(struct builder *b, struct session_disk *d, uint64_t now)
{
	struct lease_view v;
	lease_view(d->lease, &v);
	str(b, "state", lease_state_name(v.state));
	str(b, "cause", lease_cause_name(v.cause));
	str(b, "reason", reason_name((int)v.reason));
	str(b, "sentence", v.sentence[0] ? v.sentence : NULL);
	if (v.state != LEASE_STOPPED) {
		num(b, "secondsLeft", seconds_until(v.deadline_ns, now));
		num(b, "msLeft", v.deadline_ns > now ? (v.deadline_ns - now) / NS_PER_MS : 0);
	}
	if (v.last_grant_ns)
		num(b, "secondsSinceGrant",
			now > v.last_grant_ns ? (now - v.last_grant_ns) / NS_PER_S : 0);
	num(b, "secondsInState",
		v.since_ns && now > v.since_ns ? (now - v.since_ns) / NS_PER_S : 0);
	num(b, "stops", v.stops);
	num(b, "warned", atomic_load(&d->watch.warned));
	yes(b, "keyPresent", v.key_present);
	yes(b, "resumesItself", lease_resumes_itself(d->lease));
}

static void add_rotation(struct builder *b, struct session_disk *d, const struct monitor_view *m)
{
	struct rotation_view v;
	session_rotation(d, &v);
	const char *newest = m->newest.version[0] ? m->newest.version : NULL;
	bool pending = newest && strcmp(newest, v.version) != 0;
	struct builder r = child(b, "rotation");
	yes(&r, "enabled", v.enabled);
	str(&r, "newestVersion", newest);
	yes(&r, "pending", pending);
	num(&r, "lastRotation", (uint64_t)v.bound);
	// What the store had against another version does not matter once there is none.
	if (v.code && !(v.store_refused && newest && !pending && m->attributes_seen)) {
		struct builder e = child(&r, "error");
		str(&e, "code", v.code);
		str(&e, "message", v.message);
		end(&r, &e);
	} else {
		str(&r, "error", NULL);
	}
	end(b, &r);
}

static void add_latency(struct builder *b, const struct monitor_view *m)
{
	struct builder l = child(b, "latency");
	struct builder bounds = list_in(&l, "leMs");
	for (size_t i = 0; i < MONITOR_LATENCIES; i++)
		item(&bounds, monitor_latency_ms[i]);
	end(&l, &bounds);
	struct builder counts = list_in(&l, "counts");
	for (size_t i = 0; i <= MONITOR_LATENCIES; i++)
		item(&counts, m->took[i]);
	end(&l, &counts);
	num(&l, "sumMs", m->took_sum_ms);
	end(b, &l);
}

static void add_key(struct builder *b, struct session_disk *d, uint64_t now)
{
	struct monitor_view m;
	struct agent *agent = NULL;
	struct binding *in_use autofree = session_binding(d, &agent);
	monitor_view(d->session->monitor, d->monitored, &m);
	struct builder k = child(b, "key");
	if (!in_use) {
		k.rc = -ENOMEM;
		end(b, &k);
		return;
	}
	str(&k, "url", in_use->key_url);
	str(&k, "version", in_use->key_version);
	str(&k, "alg", in_use->alg);
	str(&k, "type", m.info.kty[0] ? m.info.kty : NULL);
	if (m.info.nbf)
		num(&k, "notBefore", (uint64_t)m.info.nbf);
	if (m.info.exp) {
		num(&k, "expires", (uint64_t)m.info.exp);
		num(&k, "daysLeft",
			(uint64_t)keyguard_days_left(m.info.exp, clock_wall_s(clock_real())));
	}
	yes(&k, "nearExpiry", m.near_expiry);
	yes(&k, "attributesSeen", m.attributes_seen);
	str(&k, "attributesSentence", m.attributes_sentence[0] ? m.attributes_sentence : NULL);
	end(b, &k);
	struct builder c = child(b, "checks");
	num(&c, "total", m.checks);
	num(&c, "granted", m.grants);
	num(&c, "denied", m.denials);
	num(&c, "failed", m.failures);
	num(&c, "unreachable", m.unreachable);
	num(&c, "misconfigured", m.misconfigured);
	num(&c, "badBlob", m.bad_blob);
	num(&c, "lastTookMs", m.last_took_ms);
	num(&c, "nextInSeconds", seconds_until(m.next_check_ns, now));
	num(&c, "intervalMs", m.interval_ns / NS_PER_MS);
	struct agent_stats a;
	agent_stats(agent, &a);
	num(&c, "agentPid", (uint64_t)a.pid);
	num(&c, "agentRestarts", a.restarts);
	num(&c, "agentTimeouts", a.timeouts);
	num(&c, "agentCrashes", a.crashes);
	add_latency(&c, &m);
	end(b, &c);
	add_rotation(b, d, &m);
}

static void add_policy(struct builder *b, const struct session_disk *d)
{
	struct builder p = child(b, "policy");
	num(&p, "graceDeniedMs", d->policy.grace_denied_ms);
	num(&p, "graceUnreachableMs", d->policy.grace_unreachable_ms);
	str(&p, "onExpiry", d->policy.expiry_stops ? "stop" : "ignore");
	str(&p, "resume", d->policy.resume_auto ? "auto" : "manual");
	end(b, &p);
}

static void add_io(struct builder *b, struct session_disk *d)
{
	struct disk_counters c;
	disk_counters(d->disk, &c);
	struct builder io = child(b, "io");
	num(&io, "reads", c.reads);
	num(&io, "writes", c.writes);
	num(&io, "flushes", c.flushes);
	num(&io, "bytesRead", c.bytes_read);
	num(&io, "bytesWritten", c.bytes_written);
	num(&io, "refused", c.refused);
	num(&io, "storeErrors", c.store_errors);
	num(&io, "lastStoreErrno", (uint64_t)c.last_store_error);
	end(b, &io);
}

static int disk_json(struct session_disk *d, struct json *list, uint64_t now)
{
	struct builder b = {NULL, 0};
	b.rc = json_object(&b.o);
	if (!b.rc)
		b.rc = json_push(list, b.o);
	const struct volume_info *info = &d->info;
	str(&b, "name", d->name);
	str(&b, "backing", d->backing);
	str(&b, "uuid", info->uuid);
	num(&b, "size", info->policy.size);
	num(&b, "sectorSize", info->sector_size);
	yes(&b, "readOnly", d->session->options.read_only);
	yes(&b, "thin", info->policy.thin);
	add_lease(&b, d, now);
	add_key(&b, d, now);
	add_policy(&b, d);
	add_io(&b, d);
	return b.rc;
}

int status_json(struct session *s, struct json **out)
{
	struct builder b = {NULL, 0};
	b.rc = json_object(&b.o);
	if (b.rc)
		return b.rc;
	*out = b.o; // freed by the caller, also when a later step fails
	yes(&b, "ok", true);
	str(&b, "version", CMKDISK_VERSION);
	str(&b, "mountpoint", s->mountpoint);
	num(&b, "pid", (uint64_t)getpid());
	uint64_t now = clock_boot_ns(clock_real());
	num(&b, "bootMicros", now / 1000);
	yes(&b, "memoryLocked", s->memory_locked);
	if (!b.rc)
		b.rc = status_records(s, b.o);
	struct json *list = NULL;
	if (!b.rc)
		b.rc = json_array(&list);
	if (!b.rc)
		b.rc = json_add(b.o, "disks", list);
	for (size_t i = 0; !b.rc && i < s->disk_count; i++)
		b.rc = disk_json(&s->disks[i], list, now);
	if (b.rc)
		json_free(out);
	return b.rc;
}
