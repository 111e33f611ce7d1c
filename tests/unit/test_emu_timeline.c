// SPDX-License-Identifier: MIT
// Timelines and the durations in them: read whole or refused, taken in the order of their time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu_time.h"
#include "timeline.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

struct seen {
	char text[256];
	sem_t more;
};

static int check(void *ctx, const struct kp_json *args, struct kp_err *err)
{
	const char *action = kp_json_str(args, "do");
	(void)ctx;
	return action && strncmp(action, "key.", 4) == 0
		       ? 0
		       : kp_fail(err, EINVAL, "%s: no such thing", action ? action : "nothing");
}

static void run(void *ctx, int64_t at_ms, const char *action, const struct kp_json *args)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);
	const char *key = kp_json_str(args, "key");
	(void)snprintf(s->text + n, sizeof(s->text) - n, "%lld:%s:%s ", (long long)at_ms, action,
		key ? key : "");
	(void)sem_post(&s->more);
}

static int open_text(const char *text, struct seen *s, struct timeline **out, struct kp_err *err)
{
	char path[] = "/tmp/emu-timeline.XXXXXX";
	int fd = mkstemp(path);
	const struct timeline_host host = {.check = check, .run = run, .ctx = s};
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	int ret = timeline_open(path, &host, out, err);
	(void)unlink(path);
	return ret;
}

#define ARRAY                                                                                    \
	"[{\"at\":\"2s\",\"do\":\"key.enable\",\"key\":\"a-name-longer-than-24-characters\"},\n" \
	" {\"at\":\"500ms\",\"do\":\"key.disable\"},{\"at\":2,\"do\":\"key.delete\",\"key\":"    \
	"\"b\"}]\n"
#define LINES                                                                                    \
	"{\"at\":\"2s\",\"do\":\"key.enable\",\"key\":\"a-name-longer-than-24-characters\"}\n\n" \
	"  "                                                                                     \
	"{\"at\":\"500ms\",\"do\":\"key.disable\"}\n{\"at\":2,\"do\":\"key.delete\",\"key\":"    \
	"\"b\"}"

static void steps_are_taken_in_the_order_of_their_time(void **state)
{
	(void)state;
	static const char *const texts[] = {ARRAY, LINES};
	for (size_t i = 0; i < 2; i++) {
		struct seen s = {.text = ""};
		struct kp_err err = {""};
		scoped(timeline_free) struct timeline *t = NULL;
		if (open_text(texts[i], &s, &t, &err))
			fail_msg("%s", err.text);
		assert_int_equal(timeline_due(t, 0), 500);
		assert_string_equal(s.text, "");
		assert_int_equal(timeline_due(t, 500), 2000);
		assert_string_equal(s.text, "500:key.disable: ");
		assert_int_equal(timeline_due(t, 1999), 2000);
		assert_int_equal(timeline_due(t, 60000), -ENOENT);
		assert_string_equal(s.text, "500:key.disable: "
					    "2000:key.enable:a-name-longer-than-24-characters "
					    "2000:key.delete:b ");
		assert_int_equal(timeline_due(t, 70000), -ENOENT); // once only
	}
}

static void a_started_timeline_runs_by_itself(void **state)
{
	(void)state;
	struct seen s = {.text = ""};
	struct timespec end;
	scoped(timeline_free) struct timeline *t = NULL;
	assert_int_equal(sem_init(&s.more, 0, 0), 0);
	assert_int_equal(
		open_text("[{\"at\":\"50ms\",\"do\":\"key.x\"},{\"at\":\"1h\",\"do\":\"key.y\"}]",
			&s, &t, NULL),
		0);
	assert_int_equal(timeline_start(t), 0);
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	assert_int_equal(sem_timedwait(&s.more, &end), 0);
	timeline_free(&t); // does not wait for the hour
	assert_string_equal(s.text, "50:key.x: ");
	(void)sem_destroy(&s.more);
}

static void an_empty_timeline_has_nothing_to_do(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "[]", "\n\n"};
	for (size_t i = 0; i < 3; i++) {
		struct seen s = {.text = ""};
		scoped(timeline_free) struct timeline *t = NULL;
		assert_int_equal(open_text(texts[i], &s, &t, NULL), 0);
		assert_int_equal(timeline_due(t, 1), -ENOENT);
	}
}

static void a_wrong_step_refuses_the_whole(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
		int ret;
	} bad[] = {{"[{\"at\":\"1s\"}]", "step 1: nothing: no such thing", -EINVAL},
		{"{\"at\":\"1s\",\"do\":\"key.a\"}\n{\"do\":\"key.b\"}", "step 2", -EINVAL},
		{"[{\"at\":\"soon\",\"do\":\"key.a\"}]", "duration", -EINVAL},
		{"[{\"at\":\"1s\",\"do\":\"lock.pick\"}]", "lock.pick", -EINVAL},
		{"{\"at\":\"1s\",\"do\":\"key.a\"}\n{\"at\":", ":2:", -EBADMSG},
		{"[{\"at\":\"1s\",\"do\":\"key.a\"}", ":1:", -EBADMSG}, {"7", "step 1", -EINVAL}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct seen s = {.text = ""};
		struct kp_err err = {""};
		scoped(timeline_free) struct timeline *t = NULL;
		int ret = open_text(bad[i].text, &s, &t, &err);
		if (ret != bad[i].ret || !strstr(err.text, bad[i].says))
			fail_msg("%s: %d %s", bad[i].text, ret, err.text);
	}
	const struct timeline_host host = {.check = check, .run = run};
	struct timeline *t = NULL;
	assert_int_equal(timeline_open("/nowhere/at/all", &host, &t, NULL), -ENOENT);
}

static void durations_are_systemds(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"0", 0}, {"2", 2000}, {"2s", 2000}, {"500ms", 500}, {"15min", 900000},
		{"1h 30min", 5400000}, {"1h30min", 5400000}, {"31d", 2678400000}, {"1w", 604800000},
		{"2 days", 172800000}};
	static const char *const bad[] = {
		"", " ", "s", "-1s", "1.5s", "1x", "99999999999999999999", "2000y", "1s x"};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		int64_t ms = -1;
		assert_int_equal(emu_duration_ms(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int64_t ms = -1;
		if (emu_duration_ms(bad[i], &ms) != -EINVAL)
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_taken_in_the_order_of_their_time),
		cmocka_unit_test(a_started_timeline_runs_by_itself),
		cmocka_unit_test(an_empty_timeline_has_nothing_to_do),
		cmocka_unit_test(a_wrong_step_refuses_the_whole),
		cmocka_unit_test(durations_are_systemds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
