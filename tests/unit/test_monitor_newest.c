// SPDX-License-Identifier: MIT
// What the monitor learns of a key beside its proofs: the newest version, dates that come near, and
// attributes that it may not see. On a clock that is moved by hand.
#include "monitor_fixture.h"

#include "log.h"

#include <sys/mman.h>

struct told {
	int times, key;
};

static void note_newer(void *ctx, int key)
{
	struct told *t = ctx;
	t->times++;
	t->key = key;
}

static void build_following(struct fixture *f, int disks, struct told *t)
{
	build(f, disks, &default_policy);
	*t = (struct told){0, -1};
	f->mount.monitor->config.newer = note_newer;
	f->mount.monitor->config.newer_ctx = t;
	f->mount.monitor->keys[0]->source.follows = true;
	f->store.newest = 1;
}

static void rebind(struct fixture *f, int disk, const char *version)
{
	struct move *mv = NULL;
	struct binding b = mount_binding(disk, version);
	struct monitor *m = f->mount.monitor;
	assert_int_equal(rebind_begin(m, disk, f->key, &b, &mv), 0);
	rebind_serve(m->keys[f->key]);
	assert_int_equal(rebind_wait(m, mv, 0, NULL), 0);
}

// How often it was asked in ten minutes.
static int rounds(struct fixture *f)
{
	struct monitor_view v;
	monitor_view(f->mount.monitor, 0, &v);
	uint64_t before = v.checks;
	f->store.unwraps = f->store.describes = f->store.newest_asked = 0;
	run_for(&f->mount, 10 * MINUTE);
	monitor_view(f->mount.monitor, 0, &v);
	return (int)(v.checks - before);
}

static void a_newer_version_is_told_every_round_until_the_disks_are_moved(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	struct monitor_view v;
	build_following(&f, 2, &t);
	assert_true(rounds(&f) > 5);
	assert_int_equal(t.times, 0);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.newest.version, "v1");
	f.store.newest = 2;
	int n = rounds(&f);
	assert_true(n > 5);
	assert_int_equal(t.times, n);
	assert_int_equal(t.key, f.key);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.newest.version, "v2");
	assert_string_equal(v.info.version, "v1");
	rebind(&f, 0, "v2");
	run_for(&f.mount, SECOND);
	t.times = 0;
	n = rounds(&f);
	assert_true(n > 5);
	assert_int_equal(t.times, n); // one is still behind
	rebind(&f, 1, "v2");
	run_for(&f.mount, SECOND);
	t.times = 0;
	assert_true(rounds(&f) > 5);
	assert_int_equal(t.times, 0);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.info.version, "v2");
	finish(&f);
}

static void the_newest_version_serves_for_both_in_one_question(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	build_following(&f, 3, &t);
	int n = rounds(&f);
	assert_int_equal(f.store.unwraps, n);
	assert_int_equal(f.store.describes, n);
	assert_int_equal(f.store.newest_asked, n);
	f.store.newest = 2; // now the bound version is another one
	n = rounds(&f);
	assert_int_equal(f.store.describes, 2 * n);
	assert_int_equal(f.store.newest_asked, n);
	rebind(&f, 0, "v2"); // two versions are bound, and one question tells the newest to both
	run_for(&f.mount, SECOND);
	n = rounds(&f);
	assert_int_equal(f.store.unwraps, 2 * n);
	assert_int_equal(f.store.newest_asked, n);
	assert_int_equal(f.store.describes, 2 * n);
	rebind(&f, 1, "v2");
	rebind(&f, 2, "v2");
	run_for(&f.mount, SECOND);
	n = rounds(&f);
	assert_int_equal(f.store.unwraps, n);
	assert_int_equal(f.store.describes, n);
	finish(&f);
}

static void who_does_not_follow_is_not_told(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	struct monitor_view v;
	build_following(&f, 1, &t);
	f.mount.monitor->keys[0]->source.follows = false;
	f.store.newest = 2;
	assert_true(rounds(&f) > 5);
	assert_int_equal(f.store.newest_asked, 0);
	assert_int_equal(t.times, 0);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.newest.version, "");
	finish(&f);
}

static void a_denied_key_leads_to_no_rotation(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	build_following(&f, 1, &t);
	f.store.newest = 2;
	f.store.unwrap = CMK_DENIED;
	assert_true(rounds(&f) > 5);
	assert_int_equal(t.times, 0);
	finish(&f);
}

struct deadlines {
	struct fixture *f;
	uint64_t at[2];
};

static void note_deadlines(void *ctx)
{
	struct deadlines *d = ctx;
	for (int i = 0; i < 2; i++)
		d->at[i] = seen(d->f->mount.lease[i]).deadline_ns;
}

static void every_version_has_its_grant_before_any_attributes_are_asked_for(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	build_following(&f, 2, &t);
	rebind(&f, 1, "v2");
	run_for(&f.mount, SECOND);
	struct deadlines d = {.f = &f};
	uint64_t before[2] = {
		seen(f.mount.lease[0]).deadline_ns, seen(f.mount.lease[1]).deadline_ns};
	f.store.describe = CMK_UNREACHABLE;
	f.store.describes = 0;
	f.store.on_describe = note_deadlines;
	f.store.on_describe_ctx = &d;
	run_for(&f.mount, 66 * SECOND);
	// A store that does not answer is not asked once for each version.
	assert_int_equal(f.store.describes, 1);
	assert_true(d.at[0] > before[0] && d.at[1] > before[1]);
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	assert_int_equal(seen(f.mount.lease[1]).state, LEASE_ACTIVE);
	finish(&f);
}

static void the_view_says_why_attributes_cannot_be_seen(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	struct monitor_view v;
	build_following(&f, 1, &t);
	run_for(&f.mount, 66 * SECOND);
	monitor_view(f.mount.monitor, 0, &v);
	assert_true(v.attributes_seen);
	assert_string_equal(v.attributes_sentence, "");
	f.store.describe = CMK_DENIED;
	run_for(&f.mount, 66 * SECOND);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.newest.version, "");
	assert_false(v.attributes_seen);
	assert_string_equal(v.attributes_sentence, "no attributes");
	f.store.describe = CMK_GRANTED;
	f.store.newest = 0; // which the store does not tell
	run_for(&f.mount, 66 * SECOND);
	monitor_view(f.mount.monitor, 0, &v);
	assert_false(v.attributes_seen);
	assert_non_null(strstr(v.attributes_sentence, "newest version"));
	f.store.newest = 1;
	run_for(&f.mount, 66 * SECOND);
	monitor_view(f.mount.monitor, 0, &v);
	assert_true(v.attributes_seen);
	assert_string_equal(v.attributes_sentence, "");
	finish(&f);
}

#define DAY_S 86400

static bool near(struct fixture *f)
{
	struct monitor_view v;
	monitor_view(f->mount.monitor, 0, &v);
	return v.near_expiry;
}

static void expiry_comes_near_thirty_days_before(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	build_following(&f, 1, &t);
	run_for(&f.mount, 66 * SECOND);
	assert_false(near(&f)); // no date at all
	f.store.exp = f.mount.time.wall + 30 * DAY_S + 600;
	run_for(&f.mount, 66 * SECOND);
	assert_false(near(&f));
	run_for(&f.mount, 10 * MINUTE);
	assert_true(near(&f));
	assert_int_equal(seen(f.mount.lease[0]).state, LEASE_ACTIVE);
	f.store.exp = f.mount.time.wall + 365 * (int64_t)DAY_S;
	run_for(&f.mount, 66 * SECOND);
	assert_false(near(&f));
	f.store.exp = 0;
	f.mount.monitor->config.near_expiry_s = 3600;
	f.store.exp = f.mount.time.wall + 7200;
	run_for(&f.mount, 66 * SECOND);
	assert_false(near(&f));
	f.store.exp = f.mount.time.wall - 1; // near, and beyond
	run_for(&f.mount, 66 * SECOND);
	assert_true(near(&f));
	finish(&f);
}

static int count_of(const char *text, const char *what)
{
	int n = 0;
	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void each_change_is_logged_once(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	struct logger *log = NULL;
	char text[8192] = "";
	int fd = memfd_create("stderr", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
	build_following(&f, 2, &t);
	assert_true(fd >= 0 && kept >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(logger_new("test", LOG_LEVEL_NOTICE, &log), 0);
	f.mount.monitor->config.log = log;
	run_for(&f.mount, 10 * MINUTE);
	f.store.newest = 2;
	run_for(&f.mount, 10 * MINUTE);
	f.store.describe = CMK_DENIED;
	run_for(&f.mount, 10 * MINUTE);
	f.store.describe = CMK_GRANTED;
	run_for(&f.mount, 10 * MINUTE);
	f.store.exp = f.mount.time.wall + 29 * DAY_S;
	run_for(&f.mount, 10 * MINUTE);
	f.mount.monitor->config.log = NULL;
	logger_free(&log);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	(void)close(fd);
	(void)close(kept);
	print_message("%s", text);
	assert_int_equal(count_of(text, "version v2 is newer than v1"), 1);
	assert_int_equal(count_of(text, "cannot be seen: no attributes"), 1);
	assert_int_equal(count_of(text, "can be seen again"), 1);
	assert_int_equal(count_of(text, "version v1: expires at 20"), 1);
	assert_int_equal(count_of(text, "\n"), 4);
	finish(&f);
}

static void the_first_unlock_tells_the_newest_version_as_well(void **state)
{
	(void)state;
	struct fixture f;
	struct told t;
	struct errmsg err;
	struct monitor_view v;
	build_following(&f, 0, &t);
	(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), 0);
	assert_int_equal(f.store.describes, 1);
	monitor_view(f.mount.monitor, 0, &v);
	assert_string_equal(v.newest.version, "v1");
	assert_string_equal(v.info.version, "v1");
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newer_version_is_told_every_round_until_the_disks_are_moved),
		cmocka_unit_test(the_newest_version_serves_for_both_in_one_question),
		cmocka_unit_test(who_does_not_follow_is_not_told),
		cmocka_unit_test(a_denied_key_leads_to_no_rotation),
		cmocka_unit_test(every_version_has_its_grant_before_any_attributes_are_asked_for),
		cmocka_unit_test(the_view_says_why_attributes_cannot_be_seen),
		cmocka_unit_test(expiry_comes_near_thirty_days_before),
		cmocka_unit_test(each_change_is_logged_once),
		cmocka_unit_test(the_first_unlock_tells_the_newest_version_as_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
