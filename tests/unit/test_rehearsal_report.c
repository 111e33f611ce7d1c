// SPDX-License-Identifier: MIT
// A rehearsal's report as text, JSON and HTML: nothing is left out, nothing from outside steers the
// reader's terminal or browser, and no report is written over another or left half done.
#include "attr.h"
#include "json.h"
#include "made_rehearsal.h"
#include "report.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

// The caller frees it.
static char *printed(const char *name, int (*form)(const struct rehearsal *, FILE *))
{
	char *text = made_printed(name, form);
	assert_non_null(text);
	return text;
}

// Each mark, promise and scenario; the last line is the verdict.
static void the_text_leaves_nothing_out_and_fits_a_terminal(void **state)
{
	(void)state;
	autofree char *text = printed("held", report_text);
	assert_int_equal(occurrences(text, "  HELD"), 9 + 2); // promises, and the list at the end
	assert_non_null(strstr(text, "\n1. The key is disabled (disabled): HELD\n"));
	assert_non_null(
		strstr(text, "15.201         10.201  first EIO: EIO at a write of block 77"));
	assert_non_null(strstr(text, "https://rehearsal.vault.localhost:8443/keys/disk-key/"
				     "6f1c0c9e2b3d4f5a8e7d6c5b4a392817\n"));
	const char *end = "\nHELD: All 9 promises held, in 2 scenarios.\n";
	assert_string_equal(text + strlen(text) - strlen(end), end);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (strlen(line) > 100 && !strstr(line, "https://"))
			fail_msg("%zu columns: %s", strlen(line), line);
}

static void the_text_steers_no_terminal(void **state)
{
	(void)state;
	autofree char *text = printed("broken", report_text);
	assert_non_null(strstr(text, "<script>alert(1)</script>&\"'?[31m?"));
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= ' ');
	assert_non_null(strstr(text, "->  a read put 25 s after the act succeeded"));
	assert_non_null(strstr(text, "failure    the vault could not be started"));
}

static int64_t number(const struct json *o, const char *member)
{
	int64_t n = -1;
	assert_true(json_int(o, member, &n));
	return n;
}

static void json_holds_all_of_it(void **state)
{
	(void)state;
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct json *made scoped(json_free) = NULL, *j scoped(json_free) = NULL;
	autofree char *text = NULL;
	assert_true(made_rehearsal("broken", &r));
	assert_int_equal(report_json(&r, &made), 0);
	assert_int_equal(json_print(made, true, &text), 0);
	assert_int_equal(json_parse(text, strlen(text), &j), 0);
	assert_string_equal(json_str(j, "verdict"), "broken");
	bool key_made = false;
	assert_true(json_bool(j, "keyMade", &key_made) && key_made);
	assert_string_equal(json_str(j, "began"), "2026-11-22T14:03:04.000000Z");
	const struct json *list = json_get(j, "scenarios");
	assert_int_equal(json_array_len(list), r.count);
	for (size_t i = 0; i < r.count; i++) {
		const struct json *o = json_array_at(list, i), *io = json_get(o, "io");
		const struct played *p = &r.played[i];
		assert_string_equal(json_str(o, "scenario"), p->scenario);
		assert_int_equal(number(o, "tookMicros"), p->took_us);
		assert_int_equal(json_array_len(json_get(o, "timeline")), p->mark_count);
		assert_int_equal(json_array_len(json_get(o, "promises")), p->promise_count);
		assert_int_equal(json_array_len(json_get(io, "slices")), p->slice_count);
		assert_int_equal(number(io, "failed"), p->failed);
		assert_int_equal(number(io, "bytesWrong"), p->bytes_wrong);
		assert_int_equal(!!json_str(o, "failure"), p->failure[0] != 0);
	}
	const struct json *first = json_array_at(list, 0);
	assert_int_equal(number(json_get(first, "policy"), "timeScale"), 360);
	const struct json *late = json_array_at(json_get(first, "promises"), 2);
	assert_string_equal(json_str(late, "id"), "io-ends-in-time");
	assert_string_equal(json_str(late, "verdict"), "broken");
	assert_int_equal(number(late, "measuredMicros"), 25000000);
	assert_true(json_is_null(
		json_get(json_array_at(json_get(first, "promises"), 1), "measuredMicros")));
	assert_string_equal(
		json_str(json_array_at(json_get(first, "timeline"), 7), "mark"), "last-good-io");
	int64_t failed = 0;
	const struct json *slices = json_get(json_get(first, "io"), "slices");
	assert_true(json_as_int(json_array_at(json_array_at(slices, 160), 2), &failed));
	assert_int_equal(failed, r.played[0].slices[160].failed);
}

static void the_page_shows_each_scenario_mark_and_promise(void **state)
{
	(void)state;
	autofree char *held = printed("held", report_html), *hour = printed("hour", report_html);
	assert_non_null(strstr(held, "All promises held</h1>"));
	assert_int_equal(occurrences(held, "<section "), 2);
	assert_int_equal(occurrences(held, "<svg class=\"io\""), 2);
	assert_int_equal(occurrences(held, "<g class=\"mark "), 15 + 6);
	assert_int_equal(occurrences(held, "<g class=\"promised\""), 1);
	assert_int_equal(occurrences(held, "<tr class=\"held\">"), 9);
	assert_int_equal(occurrences(held, "<svg class=\"share\""), 5);
	assert_int_equal(occurrences(held, "<caption>"), 1 + 2 * 2);
	// An hour, and its stop close up; thinned to the width.
	assert_int_equal(occurrences(hour, "<svg class=\"io\""), 2);
	assert_non_null(strstr(hour, "id=\"svg-title-1-stop\""));
	assert_true(strlen(hour) < 60000);
}

// A tower of labels for what came at once would hide that it did.
static void the_picture_names_what_came_to_be_and_no_more(void **state)
{
	(void)state;
	autofree char *held = printed("held", report_html),
		      *broken = printed("broken", report_html);
	assert_non_null(strstr(held, ">9 first EIO, 10 key wiped</text>"));
	assert_non_null(strstr(held, ">12 first granted check, 13 resumed</text>"));
	assert_non_null(strstr(held, ">11 key back</text>")); // alone
	assert_true(occurrences(held, "class=\"label\"") < 15 + 6);
	// What did not come to be has no entry in the legend: the second scenario never stops.
	assert_int_equal(occurrences(held, ">grace</text></g>"), 2);
	assert_int_equal(occurrences(held, ">stopped</text></g>"), 1);
	// Too many for words: each number is still there.
	assert_non_null(strstr(broken, ">31</text>"));
	assert_null(strstr(broken, ">31 key back</text>"));
}

// Whatever a browser could take for markup, a script or an address to load.
static void the_page_runs_nothing_and_loads_nothing(void **state)
{
	(void)state;
	static const char *const never[] = {"<script", "javascript:", " src=", "<link", "<img",
		"<iframe", "@import", "@font-face", "href=\"http", "style=", "onload", "\x1b",
		"\xff", "url(http", "<base", "<form"};
	autofree char *page = printed("broken", report_html);
	assert_true(occurrences(page,
			    "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;?[31m") > 5);
	assert_non_null(strstr(page, "http-equiv=\"Content-Security-Policy\" content=\"default-src "
				     "'none'"));
	for (size_t i = 0; i < COUNT(never); i++)
		if (strstr(page, never[i]))
			fail_msg("the page holds %s", never[i]);
	assert_non_null(strstr(page, "Promises were broken</h1>"));
	assert_non_null(strstr(page, "Not played to its end:"));
	static const char *const pairs[] = {"section", "table", "figure", "svg", "dl", "tr", "td",
		"th", "g", "header", "footer", "main", "div", "span", "thead", "tbody"};
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char open[16], open_class[16], close[16];
		(void)snprintf(open, sizeof(open), "<%s>", pairs[i]);
		(void)snprintf(open_class, sizeof(open_class), "<%s ", pairs[i]);
		(void)snprintf(close, sizeof(close), "</%s>", pairs[i]);
		assert_int_equal(occurrences(page, open) + occurrences(page, open_class),
			occurrences(page, close));
	}
}

struct place {
	char dir[32], report[48];
};

static struct place new_place(void)
{
	struct place p = {.dir = "/tmp/report-XXXXXX"};
	assert_non_null(mkdtemp(p.dir));
	(void)snprintf(p.report, sizeof(p.report), "%s/new", p.dir);
	return p;
}

static void remove_place(const struct place *p)
{
	static const char *const names[] = {
		"new/report.txt", "new/report.json", "new/report.html", "new", "."};
	char path[80];
	for (size_t i = 0; i < COUNT(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		(void)remove(path);
	}
	(void)rmdir(p->dir);
}

static bool is_there(const struct place *p, const char *name)
{
	char path[80];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/%s", p->report, name);
	return !stat(path, &st) && st.st_size > 1000;
}

static void a_report_is_written_once_and_never_over_another(void **state)
{
	(void)state;
	struct place p = new_place();
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct errmsg err;
	assert_true(made_rehearsal("held", &r));
	assert_int_equal(report_files_check(p.report, &err), 0); // makes it
	assert_int_equal(report_files_check(p.report, &err), 0);
	assert_int_equal(report_files(&r, p.report, &err), 0);
	assert_true(is_there(&p, "report.txt") && is_there(&p, "report.json") &&
		    is_there(&p, "report.html"));
	assert_int_equal(report_files(&r, p.report, &err), -EEXIST);
	assert_non_null(strstr(err.text, "there is a report already (report.txt)"));
	assert_int_equal(report_files_check(p.report, &err), -EEXIST);
	remove_place(&p);
}

static void a_place_that_cannot_be_is_told_beforehand(void **state)
{
	(void)state;
	struct errmsg err;
	assert_int_equal(report_files_check("/proc/nothing/here", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/proc/nothing/here: cannot make this directory"));
	assert_int_equal(report_files_check("/dev/null", &err), -ENOTDIR);
}

static void a_form_that_cannot_be_written_is_not_left_behind(void **state)
{
	(void)state;
	struct place p = new_place();
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct rlimit before, small;
	struct errmsg err;
	assert_true(made_rehearsal("held", &r));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){6000, before.rlim_max}; // the text fits, the JSON does not
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = report_files(&r, p.report, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(rc < 0);
	assert_non_null(strstr(err.text, "report.json: cannot be written"));
	assert_true(is_there(&p, "report.txt"));
	assert_false(is_there(&p, "report.json") || is_there(&p, "report.html"));
	remove_place(&p);
	FILE *full autofclose = fopen("/dev/full", "w");
	assert_non_null(full);
	assert_int_equal(report_text(&r, full), -EIO);
	assert_int_equal(report_html(&r, full), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_leaves_nothing_out_and_fits_a_terminal),
		cmocka_unit_test(the_text_steers_no_terminal),
		cmocka_unit_test(json_holds_all_of_it),
		cmocka_unit_test(the_page_shows_each_scenario_mark_and_promise),
		cmocka_unit_test(the_picture_names_what_came_to_be_and_no_more),
		cmocka_unit_test(the_page_runs_nothing_and_loads_nothing),
		cmocka_unit_test(a_report_is_written_once_and_never_over_another),
		cmocka_unit_test(a_place_that_cannot_be_is_told_beforehand),
		cmocka_unit_test(a_form_that_cannot_be_written_is_not_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
