// SPDX-License-Identifier: MIT
// A key store that follows a script, disks that open with its answers, and a mount of them.
#ifndef CMK_MONITOR_FIXTURE_H
#define CMK_MONITOR_FIXTURE_H

#include "lease_fixture.h"

#include "monitor_internal.h"
#include "secret.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DISKS_MAX 100

struct script {
	_Atomic enum cmk_verdict unwrap; // what it answers
	_Atomic enum cmk_verdict describe;
	_Atomic int64_t exp;
	_Atomic uint32_t retry_after_ms;
	_Atomic uint32_t took_ms;
	atomic_int busy;      // so many unwraps get no answer first
	atomic_int bad_token; // this binding is answered by "bad blob"; -1 none
	atomic_bool all_bad;
	atomic_bool hung; // unwrap does not come back while this stands
	atomic_bool in_unwrap;
	atomic_int unwraps, describes;
	atomic_int asked_of[10]; // unwraps by version: v0 to v9
	atomic_int newest;	 // the newest version is v1 to v9; 0: not told
	atomic_int newest_asked;
	int bell; // eventfd: news
	void (*on_describe)(void *ctx);
	void *on_describe_ctx;
};

static inline void script_unwrap(
	void *ctx, const struct binding *b, struct secret **plain, struct agent_answer *answer)
{
	struct script *s = ctx;
	s->unwraps++;
	s->asked_of[(b->key_version[1] - '0') % 10]++;
	s->in_unwrap = true;
	while (s->hung)
		(void)sched_yield();
	s->in_unwrap = false;
	answer->verdict = s->all_bad || b->token == s->bad_token ? CMK_BAD_BLOB : s->unwrap;
	answer->reason = answer->verdict == CMK_DENIED ? CMK_REASON_DISABLED : CMK_REASON_NONE;
	if (s->busy > 0) {
		s->busy--;
		answer->verdict = CMK_UNREACHABLE;
	}
	answer->retry_after_ms = s->retry_after_ms;
	answer->took_ms = s->took_ms;
	if (answer->verdict == CMK_GRANTED)
		assert_int_equal(secret_new(SLOT_SECRET_LEN, plain), 0);
	else
		(void)snprintf(answer->sentence, sizeof(answer->sentence), "the store says %d",
			(int)answer->verdict);
}

static inline void script_describe(
	void *ctx, const char *version, struct cmk_key_info *out, struct agent_answer *answer)
{
	struct script *s = ctx;
	s->describes++;
	if (s->on_describe)
		s->on_describe(s->on_describe_ctx);
	answer->verdict = s->describe;
	if (answer->verdict != CMK_GRANTED)
		(void)snprintf(answer->sentence, sizeof(answer->sentence), "no attributes");
	(void)snprintf(out->version, sizeof(out->version), "%s", version);
	if (!*version) {
		s->newest_asked++;
		if (s->newest)
			(void)snprintf(out->version, sizeof(out->version), "v%d", (int)s->newest);
	}
	out->exp = s->exp;
	out->enabled = 1;
}

static inline int script_poll_fd(void *ctx)
{
	return ((struct script *)ctx)->bell;
}

static inline bool script_drain(void *ctx)
{
	uint64_t n;
	return read(((struct script *)ctx)->bell, &n, sizeof(n)) == sizeof(n);
}

static inline void script_news(struct script *s)
{
	uint64_t one = 1;
	assert_int_equal(write(s->bell, &one, sizeof(one)), sizeof(one));
}

static inline void script_init(struct script *s)
{
	memset(s, 0, sizeof(*s));
	s->bad_token = -1;
	s->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(s->bell >= 0);
}

static inline struct key_source script_source(struct script *s)
{
	return (struct key_source){.unwrap = script_unwrap,
		.describe = script_describe,
		.poll_fd = script_poll_fd,
		.drain = script_drain,
		.ctx = s};
}

struct mount {
	struct fake_time time;
	const struct clock_source *clock;
	struct monitor *monitor;
	struct lease *lease[DISKS_MAX];
	struct fake_key key[DISKS_MAX];
	int disks;
	_Atomic uint64_t gone_ns[DISKS_MAX]; // when its stop was reported
	int opener_error;
	atomic_int opened;
	atomic_int hung_token; // the backing store of this disk hangs; -1 none
	atomic_bool in_open;
	atomic_int opened_version; // of the binding that opened last
	const char *name[DISKS_MAX];
	atomic_int refusals, refused_with; // how often a disk stayed stopped; the last reason
};

static inline void mount_refused(void *ctx, int error, const char *sentence)
{
	struct mount *m = ctx;
	assert_true(sentence[0] != '\0');
	m->refusals++;
	m->refused_with = error;
}

static inline int mount_open(void *ctx, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err)
{
	struct mount *m = ctx;
	assert_non_null(slot_secret);
	m->in_open = true;
	while (m->hung_token == b->token)
		(void)sched_yield();
	m->in_open = false;
	if (m->opener_error)
		return errmsg_set(
			err, -m->opener_error, "token %d: another disk than before", b->token);
	m->opened++;
	m->opened_version = b->key_version[1] - '0';
	return secret_new(64, dek);
}

static inline void mount_init(
	struct mount *m, const struct clock_source *clock, uint64_t interval_ms)
{
	memset(m, 0, sizeof(*m));
	m->hung_token = -1;
	fake_time_init(&m->time);
	m->clock = clock ? clock : &m->time.source;
	struct monitor_config c = {.clock = m->clock, .interval_ms = interval_ms};
	assert_int_equal(monitor_new(&c, &m->monitor), 0);
}

static inline void mount_changed(void *ctx, const struct lease_view *view)
{
	if (view->state == LEASE_STOPPED)
		*(_Atomic uint64_t *)ctx = clock_boot_ns(clock_real());
}

// The binding of a disk under another version of a key.
static inline struct binding mount_binding(int disk, const char *version)
{
	struct binding b = {.token = disk, .key_url = "https://vault.example/keys/k"};
	(void)snprintf(b.key_version, sizeof(b.key_version), "%s", version);
	return b;
}

static inline int mount_add(
	struct mount *m, int key, const char *version, const struct lease_policy *policy)
{
	int i = m->disks++;
	struct lease_key_ops ops = fake_ops(&m->key[i]);
	struct disk_opener opener = {
		.unlock = mount_open, .refused = mount_refused, .ctx = m, .name = m->name[i]};
	struct binding b = mount_binding(i, version);
	assert_int_equal(
		lease_new(m->clock, policy, &ops, mount_changed, &m->gone_ns[i], &m->lease[i]), 0);
	assert_int_equal(monitor_add_disk(m->monitor, key, &b, m->lease[i], &opener), i);
	return i;
}

static inline void mount_unlock(struct mount *m)
{
	struct errmsg err;
	for (int i = 0; i < m->disks; i++)
		assert_int_equal(monitor_first_unlock(m->monitor, i, &err), 0);
}

static inline void mount_free(struct mount *m)
{
	assert_int_equal(monitor_free(&m->monitor), 0);
	for (int i = 0; i < m->disks; i++) {
		assert_int_equal(keys_live(&m->key[i]), 0);
		lease_free(&m->lease[i]);
	}
}

// Moves the fake clock from one due time to the next until `end`, doing what the threads would do.
static inline void run_until(struct mount *m, uint64_t end)
{
	for (;;) {
		uint64_t next = timekeeper_step(m->monitor);
		for (size_t i = 0; i < m->monitor->key_count; i++) {
			uint64_t due = asker_step(m->monitor->keys[i]);
			next = due < next ? due : next;
		}
		uint64_t tick = timekeeper_step(m->monitor);
		next = tick < next ? tick : next;
		if (next > end)
			break;
		if (next > m->time.boot)
			pass(&m->time, next - m->time.boot);
	}
	if (end > m->time.boot)
		pass(&m->time, end - m->time.boot);
}

static inline void run_for(struct mount *m, uint64_t ns)
{
	run_until(m, m->time.boot + ns);
}

static const struct lease_policy default_policy = {
	.grace_denied_ms = HOUR_MS,
	.grace_unreachable_ms = 24 * HOUR_MS,
	.expiry_stops = true,
	.resume_auto = true,
};

#define MINUTE (60 * SECOND)

// One key and its disks on the fake clock, unlocked.
struct fixture {
	struct script store;
	struct mount mount;
	int key;
};

static inline void build(struct fixture *f, int disks, const struct lease_policy *p)
{
	script_init(&f->store);
	mount_init(&f->mount, NULL, 60000);
	struct key_source source = script_source(&f->store);
	f->key = monitor_add_key(f->mount.monitor, &source);
	assert_int_equal(f->key, 0);
	for (int i = 0; i < disks; i++)
		(void)mount_add(&f->mount, f->key, "v1", p);
	mount_unlock(&f->mount);
	f->store.unwraps = f->store.describes = 0;
	for (int i = 0; i < 10; i++)
		f->store.asked_of[i] = 0;
}

static inline void finish(struct fixture *f)
{
	mount_free(&f->mount);
	(void)close(f->store.bell);
}

static inline int alive(struct fixture *f)
{
	int n = 0;
	for (int i = 0; i < f->mount.disks; i++)
		n += enters(f->mount.lease[i]);
	return n;
}

#endif
