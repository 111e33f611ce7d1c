// SPDX-License-Identifier: MIT
// What follows from a lease's change holds nobody up: neither the log nor another disk's store. The
// front and the log are stand-ins that hang on request; their symbols win over those of the
// libraries.
#include "session_internal.h"

#include "log.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DISKS 3

static struct {
	atomic_bool store_hangs[DISKS], log_hangs;
	atomic_int forgets[DISKS], lines;
	atomic_bool in_forget, records_hang;
	atomic_int events;
	atomic_uint_fast64_t stops_told[DISKS];
} stage;

static void nap(void)
{
	(void)nanosleep(&(struct timespec){0, 1000000}, NULL);
}

#define EVENTUALLY(what)                                               \
	do {                                                           \
		for (int naps_ = 0; naps_ < 20000 && !(what); naps_++) \
			nap();                                         \
		assert_true(what);                                     \
	} while (0)

void front_forget(struct front *f, size_t i)
{
	(void)f;
	stage.in_forget = true;
	while (stage.store_hangs[i])
		nap();
	stage.forgets[i]++;
}

void log_msg(struct logger *log, enum log_level level, const char *fmt, ...)
{
	(void)log;
	(void)level;
	(void)fmt;
	while (stage.log_hangs)
		nap();
	stage.lines++;
}

void session_event_lease(struct session_disk *d, const struct lease_view *v, uint64_t told_ns)
{
	(void)told_ns;
	while (stage.records_hang)
		nap();
	stage.events++;
	stage.stops_told[d->index] = v->stops;
}

static struct session *begin(void)
{
	struct session *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	memset(&stage, 0, sizeof(stage));
	s->disk_count = DISKS;
	s->disks = calloc(DISKS, sizeof(*s->disks));
	assert_non_null(s->disks);
	for (size_t i = 0; i < DISKS; i++)
		s->disks[i] = (struct session_disk){
			.session = s, .index = i, .name = (char[]){'d', '\0'}};
	assert_int_equal(session_report_init(s), 0);
	assert_int_equal(session_report_start(s), 0);
	return s;
}

static void end(struct session *s)
{
	session_report_end(s);
	session_report_destroy(s);
	free(s->disks);
	free(s);
}

static void stop(struct session *s, size_t disk, uint64_t stops)
{
	session_report(&s->disks[disk], &(struct lease_view){.state = LEASE_STOPPED,
						.cause = LEASE_CAUSE_LOCKED,
						.stops = stops,
						.sentence = "by hand"});
}

static void a_store_that_hangs_keeps_no_other_disks_plaintext(void **state)
{
	(void)state;
	struct session *s = begin();
	stage.store_hangs[0] = true;
	stop(s, 0, 1);
	EVENTUALLY(stage.in_forget);
	stop(s, 1, 1);
	stop(s, 2, 1);
	EVENTUALLY(stage.forgets[1] == 1 && stage.forgets[2] == 1);
	assert_int_equal(stage.forgets[0], 0);
	// A stop while the former is still being forgotten is not lost.
	stop(s, 0, 2);
	stage.store_hangs[0] = false;
	EVENTUALLY(stage.forgets[0] == 2);
	// What is no new stop asks for nothing.
	stop(s, 0, 2);
	stop(s, 1, 2);
	EVENTUALLY(stage.forgets[1] == 2);
	assert_int_equal(stage.forgets[0], 2);
	end(s);
}

static void a_log_that_hangs_holds_up_neither_reports_nor_forgetting(void **state)
{
	(void)state;
	struct session *s = begin();
	stage.log_hangs = true;
	for (uint64_t i = 1; i <= 200; i++)
		stop(s, 1, i); // comes back: this is the thread that keeps the time
	stop(s, 2, 1);
	EVENTUALLY(stage.forgets[1] > 0 && stage.forgets[2] == 1);
	// Nor the records, and the hooks that depend on them.
	EVENTUALLY(stage.stops_told[1] == 200 && stage.stops_told[2] == 1);
	assert_int_equal(stage.lines, 0);
	stage.log_hangs = false;
	end(s);
	// Some are told as one, and that there were more.
	assert_in_range(stage.lines, REPORTS_MAX, REPORTS_MAX + 2 * DISKS + 2);
}

static void records_that_hang_learn_how_it_ended(void **state)
{
	(void)state;
	struct session *s = begin();
	stage.records_hang = true;
	for (uint64_t i = 1; i <= 200; i++)
		stop(s, 1, i);
	stop(s, 2, 1);
	stop(s, 0, 7);
	stage.records_hang = false;
	end(s);
	assert_int_equal(stage.stops_told[0], 7);
	assert_int_equal(stage.stops_told[1], 200);
	assert_int_equal(stage.stops_told[2], 1);
	assert_in_range(stage.events, REPORTS_MAX, REPORTS_MAX + DISKS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_that_hangs_keeps_no_other_disks_plaintext),
		cmocka_unit_test(a_log_that_hangs_holds_up_neither_reports_nor_forgetting),
		cmocka_unit_test(records_that_hang_learn_how_it_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
