// SPDX-License-Identifier: MIT
// What a rehearsal makes of the lines of the mount's audit log, from lines that no mount wrote.
#include "play_internal.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACTED (100 * US_PER_S)
#define RESTORED (110 * US_PER_S)
#define STOPPED                                                                                    \
	"{\"event\":\"stopped\",\"cause\":\"denied\",\"reason\":\"disabled\",\"bootMicros\":%llu}" \
	"\n"
#define GAP "{\"event\":\"audit-gap\",\"lost\":%d,\"bootMicros\":101000000}\n"

static const struct scenario scenario = {.name = "made"};

struct told {
	struct played played;
	struct game game;
};

static void forget(struct told *t)
{
	free(t->played.marks);
	free(t->played.promises);
}

// Reads one line as if it came from the mount of a rehearsal that was acted on and undone.
static void tell(struct told *t, enum course course, const char *line)
{
	char path[] = "/tmp/play-notes-XXXXXX";
	struct watch *w scoped(watch_free) = NULL;
	struct errmsg err = {{0}};
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	(void)close(fd);
	*t = (struct told){.played = {.scenario = "made"}};
	t->game = (struct game){.scenario = &scenario,
		.out = &t->played,
		.act_begun_us = ACTED,
		.undo_begun_us = RESTORED,
		.facts = {.course = course}};
	assert_int_equal(watch_new(path, &w, &err), 0);
	assert_int_equal(watch_read(w, game_told, &t->game, &err), 0);
	assert_int_equal(t->game.rc, 0);
	(void)unlink(path);
}

static void tell_stop(struct told *t, enum course course, uint64_t at_us)
{
	char line[160];
	(void)snprintf(line, sizeof(line), STOPPED, (unsigned long long)at_us);
	tell(t, course, line);
}

// Who gives the key back ends what is promised of a stop, and nothing of what is to go on.
static void a_stop_after_the_end_counts_where_none_may_come(void **state)
{
	(void)state;
	static const struct {
		enum course course;
		unsigned late;
	} courses[] = {
		{COURSE_STOPS, 0}, {COURSE_FLAPS, 0}, {COURSE_SURVIVES, 1}, {COURSE_ROTATES, 1}};
	for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
		struct told away scoped(forget) = {.game = {.rc = 0}};
		tell_stop(&away, courses[i].course, RESTORED - 1);
		assert_int_equal(away.game.facts.stops, 1);
		struct told back scoped(forget) = {.game = {.rc = 0}};
		tell_stop(&back, courses[i].course, RESTORED + 1);
		assert_int_equal(back.game.facts.stops, courses[i].late);
		assert_int_equal(back.game.facts.stopped_us, RESTORED + 1);
	}
}

// What is not in the log is not known: nothing is held then.
static void lines_that_were_lost_leave_it_not_shown(void **state)
{
	(void)state;
	char line[160];
	(void)snprintf(line, sizeof(line), GAP, 3);
	struct told t scoped(forget) = {.game = {.rc = 0}};
	tell(&t, COURSE_SURVIVES, line);
	assert_string_equal(t.played.failure,
		"the mount could not write 3 events to its audit log, so what happened then is "
		"not known; is the disk of --dir full?");
	assert_int_equal(t.played.mark_count, 1);
	assert_int_equal(t.played.marks[0].kind, MARK_NOTE);
	t.game.facts = (struct facts){.course = COURSE_SURVIVES,
		.followed = true,
		.grace_us = US_PER_S,
		.interval_us = US_PER_S};
	t.played.bytes_verified = 4096;
	assert_int_equal(judge(&t.game.facts, &t.played), 0);
	assert_int_equal(t.played.outcome, OUTCOME_NOT_SHOWN);
}

static void a_gap_of_bytes_loses_nothing(void **state)
{
	(void)state;
	char line[160];
	(void)snprintf(line, sizeof(line), GAP, 0);
	struct told t scoped(forget) = {.game = {.rc = 0}};
	tell(&t, COURSE_SURVIVES, line);
	assert_string_equal(t.played.failure, "");
	assert_int_equal(t.played.mark_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_after_the_end_counts_where_none_may_come),
		cmocka_unit_test(lines_that_were_lost_leave_it_not_shown),
		cmocka_unit_test(a_gap_of_bytes_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
