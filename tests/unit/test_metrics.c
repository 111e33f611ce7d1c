// SPDX-License-Identifier: MIT
// What `cmkdisk metrics` makes of status objects: which samples, under which names and labels, and
// what it leaves out. That the text as a whole is well formed is shown by case.metrics.
#include "json.h"
#include "metrics_families.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1000000

// Disks of one mount at /m.
#define MOUNT(disks) \
	"[{\"ok\":true,\"version\":\"9.1\",\"mountpoint\":\"/m\",\"disks\":[" disks "]}]"
#define KEY(url, version) "\"key\":{\"url\":\"" url "\",\"version\":\"" version "\"}"

static char *metrics(const char *status, bool openmetrics)
{
	struct json *mounts scoped(json_free) = NULL;
	char *text = NULL;
	size_t len = 0;
	assert_int_equal(json_parse(status, strlen(status), &mounts), 0);
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	assert_int_equal(metrics_print(f, mounts, openmetrics, NOW), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static size_t lines_with(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

static void expect(const char *status, const char *line)
{
	char *text autofree = metrics(status, false), want[512];
	(void)snprintf(want, sizeof(want), "\n%s\n", line);
	if (!strstr(text, want))
		fail_msg("no line %s in:\n%s", line, text);
}

static void expect_none(const char *status, const char *part)
{
	char *text autofree = metrics(status, false);
	if (strstr(text, part))
		fail_msg("%s is in:\n%s", part, text);
}

static void no_mount_leaves_the_programs_version_alone(void **state)
{
	(void)state;
	char *text autofree = metrics("[]", false);
	assert_string_equal(text, "# HELP cmkdisk_build_info The program that tells, by version.\n"
				  "# TYPE cmkdisk_build_info gauge\n"
				  "cmkdisk_build_info{version=\"" CMKDISK_VERSION "\"} 1\n# EOF\n");
}

static void a_silent_daemon_is_not_up_and_tells_nothing_else(void **state)
{
	(void)state;
	static const char silent[] =
		"[{\"ok\":false,\"mountpoint\":\"/m\",\"errno\":110,\"error\":\"no answer\"}]";
	expect(silent, "cmkdisk_up{mountpoint=\"/m\"} 0");
	expect_none(silent, "cmkdisk_disk");
	expect_none(silent, "cmkdisk_mount_info");
	expect(MOUNT(""), "cmkdisk_up{mountpoint=\"/m\"} 1");
	expect(MOUNT(""), "cmkdisk_mount_info{mountpoint=\"/m\",version=\"9.1\"} 1");
}

static void one_state_is_1_and_the_others_0(void **state)
{
	(void)state;
#define STOPPED MOUNT("{\"name\":\"a\",\"state\":\"stopped\"}")
	char *text autofree = metrics(STOPPED, false);
	assert_int_equal(lines_with(text, "\ncmkdisk_disk_state{"), 4);
	expect(STOPPED, "cmkdisk_disk_state{mountpoint=\"/m\",disk=\"a\",state=\"stopped\"} 1");
	expect(STOPPED, "cmkdisk_disk_state{mountpoint=\"/m\",disk=\"a\",state=\"active\"} 0");
	expect_none(STOPPED, "cmkdisk_disk_left_seconds");
}

static void times_are_seconds(void **state)
{
	(void)state;
	static const char d[] =
		MOUNT("{\"name\":\"a\",\"msLeft\":1234,"
		      "\"policy\":{\"graceDeniedMs\":500,\"graceUnreachableMs\":60000}}");
	expect(d, "cmkdisk_disk_left_seconds{mountpoint=\"/m\",disk=\"a\"} 1.234");
	expect(d,
		"cmkdisk_disk_grace_seconds{mountpoint=\"/m\",disk=\"a\",cause=\"denied\"} 0.500");
	expect(d, "cmkdisk_disk_grace_seconds{mountpoint=\"/m\",disk=\"a\",cause=\"unreachable\"} "
		  "60.000");
}

static void the_expiry_is_told_as_a_date_and_from_now(void **state)
{
	(void)state;
#define EXPIRES(at) \
	MOUNT("{\"name\":\"a\",\"key\":{\"url\":\"k:\",\"version\":\"v\",\"expires\":" at "}}")
#define OF_KEY "{mountpoint=\"/m\",key=\"k:\",version=\"v\"}"
	expect(EXPIRES("1000090"), "cmkdisk_key_expiry_timestamp_seconds" OF_KEY " 1000090");
	expect(EXPIRES("1000090"), "cmkdisk_key_expiry_left_seconds" OF_KEY " 90");
	expect(EXPIRES("999990"), "cmkdisk_key_expiry_left_seconds" OF_KEY " -10");
	expect_none(MOUNT("{\"name\":\"a\"," KEY("k:", "v") "}"), "expiry_left");
}

static void a_key_version_is_told_once_for_all_its_disks(void **state)
{
	(void)state;
#define CHECKED(name, version, n)                                                       \
	"{\"name\":\"" name "\"," KEY("file:/k", version) ",\"checks\":{\"granted\":" n \
							  ",\"agentRestarts\":0}}"
	char *text autofree = metrics(MOUNT(CHECKED("a", "v1", "7") "," CHECKED(
					      "b", "v1", "7") "," CHECKED("c", "v2", "3")),
		false);
	assert_int_equal(lines_with(text, "\ncmkdisk_checks_total{"), 2);
	assert_int_equal(lines_with(text, "\ncmkdisk_agent_restarts_total{"), 2);
	assert_int_equal(lines_with(text, "\ncmkdisk_disk_info{"), 3);
	assert_non_null(strstr(text, "key=\"file:/k\",version=\"v2\",verdict=\"granted\"} 3\n"));
}

static void the_same_key_in_another_mount_is_told_again(void **state)
{
	(void)state;
	char *text autofree =
		metrics("[{\"ok\":true,\"mountpoint\":\"/m\",\"disks\":[" CHECKED("a", "v1",
				"7") "]},"
				     "{\"ok\":true,\"mountpoint\":\"/n\",\"disks\":[" CHECKED(
					     "a", "v1", "8") "]}]",
			false);
	assert_int_equal(lines_with(text, "\ncmkdisk_checks_total{"), 2);
	assert_int_equal(lines_with(text, "# TYPE cmkdisk_checks_total "), 1);
}

static void a_mount_listed_twice_makes_no_series_twice(void **state)
{
	(void)state;
	char *text autofree = metrics("[{\"ok\":false,\"mountpoint\":null,\"error\":\"x\"},"
				      "{\"ok\":false,\"mountpoint\":null,\"error\":\"y\"}]",
		false);
	assert_int_equal(lines_with(text, "\ncmkdisk_up{"), 1);
}

static void what_an_older_daemon_does_not_tell_is_left_out(void **state)
{
	(void)state;
	static const char old[] =
		MOUNT("{\"name\":\"a\",\"checks\":{\"granted\":1,\"denied\":0,\"failed\":2},"
		      "\"rotation\":{\"error\":null}," KEY("k:", "v") "}");
	expect_none(old, "verdict=\"unreachable\"");
	expect_none(old, "cmkdisk_check_duration_seconds");
	expect_none(old, "cmkdisk_audit");
	expect_none(old, "cmkdisk_hook");
	expect(old, "cmkdisk_rotation_failed{mountpoint=\"/m\",disk=\"a\"} 0");
}

static void latencies_are_summed_up_from_bound_to_bound(void **state)
{
	(void)state;
#define LATENCY(counts)                                                                      \
	MOUNT("{\"name\":\"a\"," KEY("k:", "v") ",\"checks\":{\"latency\":{"                 \
						"\"leMs\":[5,1000,10000],\"counts\":" counts \
						",\"sumMs\":12345}}}")
#define BUCKET(le)                                             \
	"cmkdisk_check_duration_seconds_bucket{mountpoint=\"/" \
	"m\",key=\"k:\",version=\"v\",le=\"" le "\"} "
	expect(LATENCY("[2,3,0,4]"), BUCKET("0.005") "2");
	expect(LATENCY("[2,3,0,4]"), BUCKET("1.0") "5");
	expect(LATENCY("[2,3,0,4]"), BUCKET("10.0") "5");
	expect(LATENCY("[2,3,0,4]"), BUCKET("+Inf") "9");
	expect(LATENCY("[2,3,0,4]"), "cmkdisk_check_duration_seconds_sum" OF_KEY " 12.345");
	expect(LATENCY("[2,3,0,4]"), "cmkdisk_check_duration_seconds_count" OF_KEY " 9");
	// Not as many counts as bounds: no histogram at all rather than a wrong one.
	expect_none(LATENCY("[2,3,0]"), "cmkdisk_check_duration_seconds");
}

static void labels_are_escaped(void **state)
{
	(void)state;
	expect(MOUNT("{\"name\":\"a\\\"b\\\\c\\nd\",\"size\":1}"),
		"cmkdisk_disk_size_bytes{mountpoint=\"/m\",disk=\"a\\\"b\\\\c\\nd\"} 1");
}

static void the_records_of_the_mount_are_told(void **state)
{
	(void)state;
#define RECORDS(error)                                                                          \
	"[{\"ok\":true,\"mountpoint\":\"/m\",\"disks\":[],\"audit\":{\"written\":5,\"lost\":1," \
	"\"pending\":2,\"error\":" error                                                        \
	"},\"hooks\":{\"run\":4,\"failed\":3,\"timedOut\":2,\"dropped\":1,\"waiting\":0}}]"
	expect(RECORDS("null"), "cmkdisk_audit_ok{mountpoint=\"/m\"} 1");
	expect(RECORDS("{\"errno\":28}"), "cmkdisk_audit_ok{mountpoint=\"/m\"} 0");
	expect(RECORDS("null"), "cmkdisk_audit_lost_total{mountpoint=\"/m\"} 1");
	expect(RECORDS("null"), "cmkdisk_hook_timeouts_total{mountpoint=\"/m\"} 2");
}

static void the_formats_differ_in_the_names_of_families_only(void **state)
{
	(void)state;
	static const char d[] = MOUNT("{\"name\":\"a\",\"stops\":3}");
	char *open autofree = metrics(d, true);
	expect(d, "# TYPE cmkdisk_disk_stops_total counter");
	expect(d, "# TYPE cmkdisk_build_info gauge");
	expect(d, "cmkdisk_disk_stops_total{mountpoint=\"/m\",disk=\"a\"} 3");
	assert_non_null(strstr(open, "\n# TYPE cmkdisk_disk_stops counter\n"));
	assert_non_null(strstr(open, "\n# TYPE cmkdisk_build info\n"));
	assert_non_null(
		strstr(open, "\ncmkdisk_disk_stops_total{mountpoint=\"/m\",disk=\"a\"} 3\n"));
	assert_string_equal(open + strlen(open) - strlen("\n# EOF\n"), "\n# EOF\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mount_leaves_the_programs_version_alone),
		cmocka_unit_test(a_silent_daemon_is_not_up_and_tells_nothing_else),
		cmocka_unit_test(one_state_is_1_and_the_others_0),
		cmocka_unit_test(times_are_seconds),
		cmocka_unit_test(the_expiry_is_told_as_a_date_and_from_now),
		cmocka_unit_test(a_key_version_is_told_once_for_all_its_disks),
		cmocka_unit_test(the_same_key_in_another_mount_is_told_again),
		cmocka_unit_test(a_mount_listed_twice_makes_no_series_twice),
		cmocka_unit_test(what_an_older_daemon_does_not_tell_is_left_out),
		cmocka_unit_test(latencies_are_summed_up_from_bound_to_bound),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(the_records_of_the_mount_are_told),
		cmocka_unit_test(the_formats_differ_in_the_names_of_families_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
