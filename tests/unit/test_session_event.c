// SPDX-License-Identifier: MIT
// What is recorded of a disk: which events follow from a lease's reports, also when several changes
// came as one, with which times and facts; and when the watchman speaks again.
#include "json.h"
#include "session_internal.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define S NS_PER_S
#define US_PER_S 1000000

static struct {
	size_t events, records_only;
	enum event_kind kinds[8];
	uint64_t boot_us[8];
	char *facts[8];
} told;

static void keep(const struct event *e)
{
	assert_int_equal(e->rc, 0);
	assert_true(told.events < 8);
	told.kinds[told.events] = e->kind;
	told.boot_us[told.events] = e->boot_us;
	assert_int_equal(event_text(e, "", &told.facts[told.events]), 0);
	told.events++;
}

static void forget(void)
{
	for (size_t i = 0; i < told.events; i++)
		free(told.facts[i]);
	memset(&told, 0, sizeof(told));
}

// In place of session_event.c and session_event_kinds.c.
void session_event(struct session *s, const struct event *e)
{
	(void)s;
	keep(e);
}

void session_record(struct session *s, const struct event *e)
{
	(void)s;
	told.records_only++;
	keep(e);
}

bool session_events_wanted(struct session *s)
{
	(void)s;
	return true;
}

void session_event_key(struct session_disk *d, struct event *e)
{
	(void)d;
	event_str(e, "keyUrl", "file:/k");
}

size_t session_bound_to(
	struct session *s, const char *key_url, const char *version, const char **name)
{
	(void)s;
	(void)key_url;
	(void)version;
	(void)name;
	return 0;
}

struct binding *session_binding(struct session_disk *d, struct agent **agent)
{
	(void)d;
	(void)agent;
	return NULL;
}

// From "seen" to (state, stops): the events that must follow, in order.
static void expect_steps(struct lease_seen seen, enum lease_state state, uint64_t stops,
	const enum event_kind *want, size_t count)
{
	struct lease_step got[LEASE_STEPS_MAX];
	const struct lease_view v = {.state = state, .stops = stops};
	assert_int_equal(lease_steps(&seen, &v, got), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(got[i].kind, want[i]);
		assert_int_equal(got[i].over, i + 1 < count);
	}
	assert_int_equal(seen.state, state);
	assert_int_equal(seen.stops, stops);
}
#define EXPECT(seen_, state, stops, ...)                                                       \
	expect_steps((struct lease_seen)seen_, state, stops, (enum event_kind[]){__VA_ARGS__}, \
		sizeof((enum event_kind[]){__VA_ARGS__}) / sizeof(enum event_kind))
#define SEEN(...)           \
	{                   \
		__VA_ARGS__ \
	}

static void each_change_of_a_lease_is_one_event(void **state)
{
	(void)state;
	EXPECT(SEEN(LEASE_STOPPED, 0, false), LEASE_ACTIVE, 0, EVENT_UNLOCKED);
	EXPECT(SEEN(LEASE_ACTIVE, 0, true), LEASE_GRACE_DENIED, 0, EVENT_GRACE_BEGIN);
	EXPECT(SEEN(LEASE_ACTIVE, 0, true), LEASE_GRACE_UNREACHABLE, 0, EVENT_GRACE_BEGIN);
	EXPECT(SEEN(LEASE_GRACE_UNREACHABLE, 0, true), LEASE_GRACE_DENIED, 0, EVENT_GRACE_BEGIN);
	EXPECT(SEEN(LEASE_GRACE_DENIED, 0, true), LEASE_ACTIVE, 0, EVENT_GRACE_END);
	EXPECT(SEEN(LEASE_GRACE_DENIED, 0, true), LEASE_STOPPED, 1, EVENT_STOPPED);
	EXPECT(SEEN(LEASE_ACTIVE, 0, true), LEASE_STOPPED, 1, EVENT_STOPPED);
	EXPECT(SEEN(LEASE_STOPPED, 1, true), LEASE_ACTIVE, 1, EVENT_RESUMED);
}

static void changes_that_came_as_one_are_told_apart(void **state)
{
	(void)state;
	EXPECT(SEEN(LEASE_ACTIVE, 0, true), LEASE_ACTIVE, 1, EVENT_STOPPED, EVENT_RESUMED);
	EXPECT(SEEN(LEASE_GRACE_DENIED, 2, true), LEASE_GRACE_UNREACHABLE, 3, EVENT_STOPPED,
		EVENT_RESUMED, EVENT_GRACE_BEGIN);
	EXPECT(SEEN(LEASE_STOPPED, 1, true), LEASE_STOPPED, 2, EVENT_RESUMED, EVENT_STOPPED);
	EXPECT(SEEN(LEASE_STOPPED, 1, true), LEASE_GRACE_DENIED, 2, EVENT_RESUMED, EVENT_STOPPED,
		EVENT_RESUMED, EVENT_GRACE_BEGIN);
	EXPECT(SEEN(LEASE_STOPPED, 0, false), LEASE_GRACE_DENIED, 0, EVENT_UNLOCKED,
		EVENT_GRACE_BEGIN);
}

static void no_change_is_no_event(void **state)
{
	(void)state;
	struct lease_step got[LEASE_STEPS_MAX];
	struct lease_seen seen = {LEASE_ACTIVE, 4, true};
	const struct lease_view v = {.state = LEASE_ACTIVE, .stops = 4};
	assert_int_equal(lease_steps(&seen, &v, got), 0);
}

static struct session *stage(void)
{
	struct session *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->disks = calloc(1, sizeof(*s->disks));
	assert_non_null(s->disks);
	s->disks[0] = (struct session_disk){
		.session = s, .name = strdup("d"), .seen = {LEASE_ACTIVE, 0, true}};
	s->watchman.waker = (struct waker){-1, -1};
	return s;
}

static void unstage(struct session *s)
{
	forget();
	free(s->disks[0].name);
	free(s->disks);
	free(s);
}

static int64_t fact(size_t i, const char *member)
{
	struct json *o = NULL;
	int64_t n = -1;
	assert_int_equal(json_parse(told.facts[i], strlen(told.facts[i]), &o), 0);
	assert_true(json_int(o, member, &n));
	json_free(&o);
	return n;
}

static void a_grace_says_how_long_it_is_and_when_it_ends(void **state)
{
	(void)state;
	struct session *s = stage();
	const struct lease_view v = {.state = LEASE_GRACE_DENIED,
		.cause = LEASE_CAUSE_DENIED,
		.since_ns = 103 * S,
		.last_grant_ns = 100 * S,
		.deadline_ns = 110 * S};
	session_event_lease(&s->disks[0], &v, 104 * S);
	assert_int_equal(told.events, 1);
	assert_int_equal(told.boot_us[0], 103 * US_PER_S);
	assert_int_equal(fact(0, "secondsLeft"), 7);
	assert_int_equal(fact(0, "msLeft"), 7000);
	assert_int_equal(fact(0, "secondsOfGrace"), 10);
	assert_int_equal(fact(0, "deadlineMicros"), 110 * US_PER_S);
	assert_int_equal(fact(0, "lastGrantMicros"), 100 * US_PER_S);
	assert_non_null(strstr(told.facts[0], "\"state\":\"grace-denied\""));
	assert_non_null(strstr(told.facts[0], "\"from\":\"active\""));
	unstage(s);
}

static void a_stop_is_told_at_the_time_when_its_key_was_gone(void **state)
{
	(void)state;
	struct session *s = stage();
	const struct lease_view v = {
		.state = LEASE_STOPPED, .stops = 1, .since_ns = 103 * S, .last_grant_ns = 100 * S};
	session_event_lease(&s->disks[0], &v, 104 * S);
	assert_int_equal(told.boot_us[0], 104 * US_PER_S);
	assert_int_equal(fact(0, "refusingSinceMicros"), 103 * US_PER_S);
	unstage(s);
}

static void a_stop_by_an_unmount_that_was_asked_for_runs_no_hook(void **state)
{
	(void)state;
	struct session *s = stage();
	struct lease_view v = {.state = LEASE_STOPPED, .stops = 1, .cause = LEASE_CAUSE_LOCKED};
	session_event_lease(&s->disks[0], &v, S);
	assert_int_equal(told.records_only, 0);
	atomic_store(&s->leaving, true);
	s->disks[0].seen = (struct lease_seen){LEASE_ACTIVE, 0, true};
	session_event_lease(&s->disks[0], &v, S);
	assert_int_equal(told.records_only, 1);
	v.cause = LEASE_CAUSE_DENIED;
	s->disks[0].seen = (struct lease_seen){LEASE_ACTIVE, 0, true};
	session_event_lease(&s->disks[0], &v, S);
	assert_int_equal(told.records_only, 1);
	unstage(s);
}

static void a_near_expiry_is_told_once_a_day_and_when_its_date_changes(void **state)
{
	(void)state;
	struct expiry_told t = {.version = "v"};
	assert_true(expiry_due(&t, 5000, 1000));
	t.exp = 5000;
	t.told_s = 1000;
	assert_false(expiry_due(&t, 5000, 1000));
	assert_false(expiry_due(&t, 5000, 1000 + 86399));
	assert_true(expiry_due(&t, 5000, 1000 + 86400));
	assert_true(expiry_due(&t, 5001, 1001));
	assert_true(expiry_due(&t, 5000, 999)); // the clock was set back
}

static void use_of_a_key_outside_its_dates_is_told_once_for_each_date(void **state)
{
	(void)state;
	struct session *s = stage();
	struct session_disk *d = &s->disks[0];
	struct cmk_key_info info = {.nbf = 1000, .exp = 2000};
	session_tell_ignored(d, &info, 1500);
	assert_int_equal(told.events, 0);
	session_tell_ignored(d, &info, 999);
	session_tell_ignored(d, &info, 999);
	assert_int_equal(told.events, 1);
	assert_int_equal(told.kinds[0], EVENT_POLICY);
	assert_non_null(strstr(told.facts[0], "\"decision\":\"use-of-key-not-yet-valid\""));
	assert_int_equal(fact(0, "notBefore"), 1000);
	session_tell_ignored(d, &info, 2000);
	session_tell_ignored(d, &info, 2001);
	assert_int_equal(told.events, 2);
	assert_non_null(strstr(told.facts[1], "\"decision\":\"use-of-expired-key\""));
	assert_int_equal(fact(1, "expires"), 2000);
	info.nbf = 3000;
	session_tell_ignored(d, &info, 1999);
	assert_int_equal(told.events, 3);
	assert_int_equal(fact(2, "notBefore"), 3000);
	unstage(s);
}

static void store_errors_are_told_at_once_and_then_once_a_minute(void **state)
{
	(void)state;
	struct disk_watch w = {.errors_told = 0};
	uint64_t next = UINT64_MAX;
	assert_false(store_errors_due(&w, 0, 10 * S, &next));
	assert_true(store_errors_due(&w, 3, 10 * S, &next));
	assert_int_equal(next, UINT64_MAX);
	w.errors_told = 3;
	w.errors_quiet_ns = 70 * S;
	assert_false(store_errors_due(&w, 4, 11 * S, &next));
	assert_int_equal(next, 70 * S);
	assert_true(store_errors_due(&w, 4, 70 * S, &next));
}

static bool is_rung(const struct session *s)
{
	return poll(&(struct pollfd){.fd = s->watchman.waker.bell, .events = POLLIN}, 1, 0) == 1;
}

// A store that fails each request must not keep the watchman busy.
static void a_store_error_in_the_quiet_minute_wakes_nobody_before_it_is_over(void **state)
{
	(void)state;
	struct session *s = stage();
	struct session_disk *d = &s->disks[0];
	const uint64_t now = clock_boot_ns(clock_real());
	uint64_t next = UINT64_MAX;
	assert_int_equal(waker_open(&s->watchman.waker), 0);
	d->watch.errors_quiet_ns = now + 60 * S;
	session_store_failed(d);
	assert_false(is_rung(s));
	// Nobody tells of the next one: so that is looked for.
	assert_false(store_errors_due(&d->watch, 0, now, &next));
	assert_int_equal(next, now + 60 * S);
	d->watch.errors_quiet_ns = now;
	session_store_failed(d);
	assert_true(is_rung(s));
	waker_close(&s->watchman.waker);
	unstage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_of_a_lease_is_one_event),
		cmocka_unit_test(changes_that_came_as_one_are_told_apart),
		cmocka_unit_test(no_change_is_no_event),
		cmocka_unit_test(a_grace_says_how_long_it_is_and_when_it_ends),
		cmocka_unit_test(a_stop_is_told_at_the_time_when_its_key_was_gone),
		cmocka_unit_test(a_stop_by_an_unmount_that_was_asked_for_runs_no_hook),
		cmocka_unit_test(a_near_expiry_is_told_once_a_day_and_when_its_date_changes),
		cmocka_unit_test(use_of_a_key_outside_its_dates_is_told_once_for_each_date),
		cmocka_unit_test(store_errors_are_told_at_once_and_then_once_a_minute),
		cmocka_unit_test(a_store_error_in_the_quiet_minute_wakes_nobody_before_it_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
