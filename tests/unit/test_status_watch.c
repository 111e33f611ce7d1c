// SPDX-License-Identifier: MIT
// The lines of `status --watch`: what comes first, what is cut, what counts as a change. The
// terminal itself is in case.status-watch.
#include "json.h"
#include "scope.h"
#include "status_line.h"
#include "status_row.h"

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

#define WALL 1600000000 // 2020-09-13T12:26:40Z

#define MOUNT(at, disks) "{\"ok\":true,\"mountpoint\":\"" at "\",\"disks\":[" disks "]}"
#define ACTIVE(name)                                                                               \
	"{\"name\":\"" name "\",\"state\":\"active\",\"cause\":\"none\",\"secondsSinceGrant\":12," \
	"\"key\":{\"version\":\"0123456789abcdef\"},\"checks\":{\"nextInSeconds\":48}}"
#define GRACE(name, left)                                                             \
	"{\"name\":\"" name                                                           \
	"\",\"state\":\"grace-denied\",\"cause\":\"denied\",\"reason\":\"disabled\"," \
	"\"secondsLeft\":" left ",\"sentence\":\"key is disabled\",\"warned\":0,"     \
	"\"key\":{\"version\":\"0123456789abcdef\"},\"policy\":{\"graceDeniedMs\":3600000}}"
#define STOPPED(name)       \
	"{\"name\":\"" name \
	"\",\"state\":\"stopped\",\"cause\":\"denied\",\"sentence\":\"key is disabled\"}"

static struct status_rows rows_of(
	const char *mounts, const struct status_rows *before, int64_t now_s)
{
	struct json *list scoped(json_free) = NULL;
	struct status_rows rows;
	assert_int_equal(json_parse(mounts, strlen(mounts), &list), 0);
	assert_int_equal(status_rows_of(list, before, now_s, &rows), 0);
	status_rows_sort(&rows);
	return rows;
}

static char *picture(
	const char *mounts, unsigned columns, unsigned lines, bool colour, const char *scope)
{
	struct status_rows rows scoped(status_rows_free) = rows_of(mounts, NULL, 0);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	status_picture(f, &rows, &(struct status_look){columns, lines, colour}, scope, WALL, "\n");
	assert_int_equal(fclose(f), 0);
	return text;
}

static void nothing_that_a_daemon_says_reaches_the_terminal_as_it_is(void **state)
{
	(void)state;
	struct status_rows rows scoped(status_rows_free) = rows_of(
		"[" MOUNT("/m\\u001b[m",
			"{\"name\":\"d\\u001b[1m\",\"state\":\"stopped\",\"cause\":\"\\u001b[2m\","
			"\"reason\":\"\\u001b[3m\",\"sentence\":\"\\u001b[4m\","
			"\"key\":{\"version\":\"\\u001b[5m\"}}") "]",
		NULL, 0);
	assert_int_equal(rows.count, 1);
	const struct status_row *r = &rows.at[0];
	const char *const texts[] = {
		r->mount, r->name, r->state, r->reason, r->version, r->sentence};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strchr(texts[i], '\033') || !strchr(texts[i], '?'))
			fail_msg("text %zu is \"%s\"", i, texts[i]);
}

#define MANY 20000

// Moved one place at a time, so many large rows would take minutes.
static void thousands_of_disks_are_sorted_at_once(void **state)
{
	(void)state;
	struct status_rows rows scoped(status_rows_free) = {
		.at = calloc(MANY, sizeof(*rows.at)), .count = MANY};
	assert_non_null(rows.at);
	for (int i = 0; i < MANY; i++)
		rows.at[i] = (struct status_row){.rank = i % 2 ? ROW_GRACE : ROW_ACTIVE,
			.left_s = MANY - i / 4,
			.gone_s = i};
	struct timespec begun, ended;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	status_rows_sort(&rows);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
	assert_in_range(ended.tv_sec - begun.tv_sec, 0, 5);
	for (int i = 1; i < MANY; i++) {
		const struct status_row *a = &rows.at[i - 1], *b = &rows.at[i];
		assert_true(a->rank <= b->rank);
		if (a->rank == ROW_GRACE && b->rank == ROW_GRACE)
			assert_true(a->left_s <= b->left_s);
		if (a->rank == b->rank && (a->rank == ROW_ACTIVE || a->left_s == b->left_s))
			assert_true(a->gone_s < b->gone_s);
	}
}

static void each_state_has_its_words_countdown_and_bar(void **state)
{
	(void)state;
	char *text autofree =
		picture("[" MOUNT("/m", ACTIVE("a") "," GRACE("b", "1830") "," STOPPED("c")) "]",
			120, 24, false, "/m");
	assert_string_equal(text,
		"2020-09-13T12:26:40Z  /m  1 STOPPED, 1 in grace, 1 active\n"
		"DISK  STATE           STOPS IN  GRACE LEFT    VERSION   WHY\n"
		"c     STOPPED denied            [----------]            key is disabled\n"
		"b     GRACE denied       30:30  [######----]  01234567  disabled: key is "
		"disabled\n"
		"a     active                                  01234567  proved 12s ago, next "
		"check in 48s");
}

#define VAULT "https://contoso.vault.azure.net/keys/disks"

// The last column of a disk with this key that its store told this of.
static void why_is(const char *url, const char *reason, const char *sentence, const char *want)
{
	char *mounts autofree = NULL;
	assert_true(asprintf(&mounts,
			    "[" MOUNT("/m",
				    "{\"name\":\"a\",\"state\":\"stopped\",\"cause\":\"denied\","
				    "\"reason\":\"%s\",\"sentence\":\"%s\","
				    "\"key\":{\"url\":\"%s\",\"version\":\"0a1b\"}}") "]",
			    reason, sentence, url) > 0);
	char *text autofree = picture(mounts, 200, 24, false, "/m");
	const char *why = strstr(text, "0a1b      ");
	assert_non_null(why);
	assert_string_equal(why + 10, want);
}

static void why_begins_with_the_reason_and_leaves_out_the_key(void **state)
{
	(void)state;
	why_is(VAULT, "disabled", VAULT ": unwrapKey: the vault answered 403",
		"disabled: unwrapKey: the vault answered 403");
	why_is(VAULT, "disabled", VAULT "/0a1b: unwrapKey: 403", "disabled: unwrapKey: 403");
	why_is(VAULT "/0a1b", "deleted", VAULT "/0a1b: get: 404", "deleted: get: 404");
	why_is("file:/k/key.json?version=0a1b", "not-permitted", "/k/key.json: may not",
		"not permitted: may not");
	why_is("file:///k/key.json", "identity", "/k/key.json: who?", "identity refused: who?");
	why_is("pkcs11:token=t;object=o", "none", "pkcs11:token=t;object=o: no slot", "no slot");
	// Of another key, or of none: it stands as it is.
	why_is(VAULT, "none", VAULT "2: timed out", VAULT "2: timed out");
	why_is(VAULT, "none", "the key agent did not answer: " VAULT,
		"the key agent did not answer: " VAULT);
	why_is("", "none", ": odd", ": odd");
}

#define ROTATION_FAILED(why)                                                                      \
	"{\"name\":\"a\",\"state\":\"active\",\"key\":{\"url\":\"" VAULT "\",\"version\":\"1\"}," \
	"\"rotation\":{\"error\":{\"message\":\"" why "\"}}}"

static void a_failed_rotation_leaves_out_the_key_too(void **state)
{
	(void)state;
	static const char *const mounts[] = {"[" MOUNT("/m", ROTATION_FAILED(VAULT ": 403")) "]",
		"[" MOUNT("/m", ROTATION_FAILED(VAULT "/2: 403")) "]"};
	for (size_t i = 0; i < 2; i++) {
		char *text autofree = picture(mounts[i], 100, 24, false, "/m");
		assert_non_null(strstr(text, "  rotation failed: 403"));
	}
}

static void more_than_an_hour_has_hours(void **state)
{
	(void)state;
	char *text autofree =
		picture("[" MOUNT("/m", GRACE("a", "86399")) "]", 100, 24, false, "/m");
	assert_non_null(strstr(text, "  23:59:59  "));
}

static void of_several_mounts_each_disk_has_its_path(void **state)
{
	(void)state;
	char *text autofree = picture("[" MOUNT("/m", ACTIVE("a")) "," MOUNT("/n", ACTIVE("a")) "]",
		100, 24, false, NULL);
	assert_non_null(strstr(text, "\n/m/a  active"));
	assert_non_null(strstr(text, "\n/n/a  active"));
}

static void what_stops_first_comes_first_and_equals_stay_in_order(void **state)
{
	(void)state;
	struct status_rows rows scoped(status_rows_free) = rows_of(
		"[" MOUNT("/m", ACTIVE("e") "," GRACE("d", "90") "," GRACE("c", "80") "," ACTIVE(
					"f") "," STOPPED("b")) ","
							       "{\"ok\":false,\"mountpoint\":\"/"
							       "n\",\"errno\":110,\"error\":\"no "
							       "answer\"}]",
		NULL, 0);
	static const char *const order[] = {"", "b", "c", "d", "e", "f"};
	assert_int_equal(rows.count, 6);
	for (size_t i = 0; i < rows.count; i++)
		assert_string_equal(rows.at[i].name, order[i]);
	assert_string_equal(rows.at[0].state, "NO DAEMON");
}

// The longest line, in characters.
static size_t width(const char *text)
{
	size_t most = 0, n = 0;
	for (; *text; text++) {
		n = *text == '\n' ? 0 : n + (((unsigned char)*text & 0xc0) != 0x80);
		most = n > most ? n : most;
	}
	return most;
}

static void it_fits_any_window(void **state)
{
	(void)state;
	static const char mounts[] = "[" MOUNT("/mnt/a-rather-long-mount-point",
		ACTIVE("\xc3\xa4\xc3\xb6\xc3\xbc.img") "," GRACE("b", "1830") "," STOPPED(
			"c") "," ACTIVE("d") "," ACTIVE("e") "," ACTIVE("f") "," ACTIVE("g")) "]";
	for (unsigned lines = 1; lines < 12; lines++) {
		for (unsigned columns = 54; columns < 160; columns++) {
			char *text autofree = picture(mounts, columns, lines, false, NULL);
			size_t n = 1;
			for (const char *at = text; (at = strchr(at, '\n')); at++)
				n++;
			assert_true(n <= lines);
			assert_true(width(text) < columns);
		}
	}
	for (unsigned columns = 1; columns < 54; columns++)
		free(picture(mounts, columns, 24, true, NULL));
}

static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	char *text autofree =
		picture("[" MOUNT("/m", ACTIVE("a") "," ACTIVE("b") "," ACTIVE("c") "," STOPPED(
						"d") "," GRACE("e", "10")) "]",
			100, 5, false, "/m");
	assert_non_null(strstr(text, "\nd "));
	assert_non_null(strstr(text, "\ne "));
	assert_non_null(strstr(text, "\nand 3 more: 3 active"));
	assert_null(strstr(text, "\na "));
	char *whole autofree =
		picture("[" MOUNT("/m", ACTIVE("a") "," ACTIVE("b") "," ACTIVE("c")) "]", 100, 5,
			false, "/m");
	assert_null(strstr(whole, "more"));
}

static void colours_only_where_they_are_wanted(void **state)
{
	(void)state;
	static const char mounts[] =
		"[" MOUNT("/m", ACTIVE("a") "," GRACE("b", "9") "," STOPPED("c")) "]";
	char *plain autofree = picture(mounts, 100, 24, false, "/m"),
		    *coloured autofree = picture(mounts, 100, 24, true, "/m");
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[31mSTOPPED"));
	assert_non_null(strstr(coloured, "\033[33mGRACE"));
	assert_non_null(strstr(coloured, "\na     active"));
}

static void cut_is(const char *text, unsigned columns, const char *want)
{
	char *out autofree = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	assert_non_null(f);
	(void)status_cut(f, text, columns);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(out, want);
}

static void text_is_cut_between_characters(void **state)
{
	(void)state;
	cut_is("abcdef", 6, "abcdef");
	cut_is("abcdef", 5, "abcd\u2026");
	cut_is("\u00e4\u00f6\u00fc\u20ac", 4, "\u00e4\u00f6\u00fc\u20ac");
	cut_is("\u00e4\u00f6\u00fc\u20acx", 3, "\u00e4\u00f6\u2026");
	cut_is("abc", 1, "\u2026");
	cut_is("abc", 0, "");
}

static void controls_in_names_do_not_reach_the_terminal(void **state)
{
	(void)state;
	char *text autofree = picture(
		"[" MOUNT("/m\\u001b[2J", STOPPED("a\\u001bc\\n")) "]", 100, 24, false, NULL);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "/m?[2J/a?c?"));
}

static void a_mount_that_vanishes_is_told_for_a_minute(void **state)
{
	(void)state;
	struct status_rows first scoped(status_rows_free) = rows_of(
		"[" MOUNT("/m", ACTIVE("a") "," ACTIVE("b")) "," MOUNT("/n", ACTIVE("c")) "]", NULL,
		100);
	struct status_rows second scoped(status_rows_free) =
		rows_of("[" MOUNT("/n", ACTIVE("c")) "]", &first, 200);
	assert_int_equal(second.count, 2);
	assert_int_equal(second.at[0].rank, ROW_GONE);
	assert_string_equal(second.at[0].mount, "/m");
	struct status_rows third scoped(status_rows_free) =
		rows_of("[" MOUNT("/n", ACTIVE("c")) "]", &second, 259);
	assert_int_equal(third.count, 2);
	struct status_rows fourth scoped(status_rows_free) =
		rows_of("[" MOUNT("/n", ACTIVE("c")) "]", &third, 260);
	assert_int_equal(fourth.count, 1);
}

static void a_mount_that_comes_back_is_not_gone(void **state)
{
	(void)state;
	struct status_rows first scoped(status_rows_free) =
		rows_of("[" MOUNT("/m", ACTIVE("a")) "]", NULL, 0);
	struct status_rows second scoped(status_rows_free) = rows_of(
		"[{\"ok\":false,\"mountpoint\":\"/m\",\"errno\":110,\"error\":\"no answer\"}]",
		&first, 1);
	assert_int_equal(second.count, 1);
	assert_int_equal(second.at[0].rank, ROW_NO_DAEMON);
	struct status_rows third scoped(status_rows_free) =
		rows_of("[" MOUNT("/m", ACTIVE("a")) "]", &second, 2);
	assert_int_equal(third.count, 1);
	assert_int_equal(third.at[0].rank, ROW_ACTIVE);
}

static bool differ(const char *a, const char *b)
{
	struct status_rows one scoped(status_rows_free) = rows_of(a, NULL, 0);
	struct status_rows two scoped(status_rows_free) = rows_of(b, NULL, 0);
	assert_int_equal(one.count, 1);
	assert_ptr_equal(status_rows_find(&two, &one.at[0]), &two.at[0]);
	return status_row_differs(&one.at[0], &two.at[0]);
}

static void time_alone_is_no_change(void **state)
{
	(void)state;
	assert_false(differ(
		"[" MOUNT("/m", GRACE("a", "90")) "]", "[" MOUNT("/m", GRACE("a", "80")) "]"));
	assert_true(
		differ("[" MOUNT("/m", GRACE("a", "90")) "]", "[" MOUNT("/m", STOPPED("a")) "]"));
	assert_true(
		differ("[" MOUNT("/m", ACTIVE("a")) "]", "[" MOUNT("/m", GRACE("a", "90")) "]"));
	assert_true(differ(
		"[" MOUNT("/m",
			"{\"name\":\"a\",\"state\":\"active\",\"key\":{\"version\":\"1\"}}") "]",
		"[" MOUNT("/m",
			"{\"name\":\"a\",\"state\":\"active\",\"key\":{\"version\":\"2\"}}") "]"));
}

static void a_plain_line_says_when_what_and_why(void **state)
{
	(void)state;
	struct status_rows rows scoped(status_rows_free) =
		rows_of("[" MOUNT("/m", GRACE("a", "1830")) "]", NULL, 0);
	char *out autofree = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	assert_non_null(f);
	status_plain_line(f, &rows.at[0], WALL);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(out,
		"2020-09-13T12:26:40Z /m/a: GRACE denied, stops in 30min 30s (of 1h); "
		"key version 01234567: key is disabled\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_has_its_words_countdown_and_bar),
		cmocka_unit_test(nothing_that_a_daemon_says_reaches_the_terminal_as_it_is),
		cmocka_unit_test(thousands_of_disks_are_sorted_at_once),
		cmocka_unit_test(why_begins_with_the_reason_and_leaves_out_the_key),
		cmocka_unit_test(a_failed_rotation_leaves_out_the_key_too),
		cmocka_unit_test(more_than_an_hour_has_hours),
		cmocka_unit_test(of_several_mounts_each_disk_has_its_path),
		cmocka_unit_test(what_stops_first_comes_first_and_equals_stay_in_order),
		cmocka_unit_test(it_fits_any_window),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(colours_only_where_they_are_wanted),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(controls_in_names_do_not_reach_the_terminal),
		cmocka_unit_test(a_mount_that_vanishes_is_told_for_a_minute),
		cmocka_unit_test(a_mount_that_comes_back_is_not_gone),
		cmocka_unit_test(time_alone_is_no_change),
		cmocka_unit_test(a_plain_line_says_when_what_and_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
