// SPDX-License-Identifier: MIT
// The report as a page that loads nothing: its frame, its first screen, and its last words.
#include "report_html.h"

#include "report.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void report_escape(FILE *f, const char *text)
{
	char clean[1024];
	report_clean(text, clean, sizeof(clean));
	for (const char *c = clean; *c; c++)
		switch (*c) {
		case ' ':
			(void)fputs(report_bound(clean, c) ? "&#160;" : " ", f);
			break;
		case '&':
			(void)fputs("&amp;", f);
			break;
		case '<':
			(void)fputs("&lt;", f);
			break;
		case '>':
			(void)fputs("&gt;", f);
			break;
		case '"':
			(void)fputs("&quot;", f);
			break;
		case '\'':
			(void)fputs("&#39;", f);
			break;
		default:
			(void)fputc(*c, f);
		}
}

void report_shape(FILE *f, enum outcome o)
{
	static const char *const shapes[] = {
		[OUTCOME_HELD] = "<circle cx=\"8\" cy=\"8\" r=\"7\"/>"
				 "<path d=\"M4.8 8.2l2.3 2.3 4.2-4.8\"/>",
		[OUTCOME_BROKEN] = "<path d=\"M5 1h6l4 4v6l-4 4H5l-4-4V5z\"/>"
				   "<path d=\"M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2\"/>",
		[OUTCOME_NOT_SHOWN] = "<path d=\"M8 1l7 7-7 7-7-7z\"/><path d=\"M5 8h6\"/>",
	};
	(void)fprintf(f, "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">%s</svg>", shapes[o]);
}

void report_badge(FILE *f, enum outcome o)
{
	static const char *const words[] = {"held", "broken", "not shown"};
	(void)fprintf(f, "<span class=\"badge %s\">", outcome_name(o));
	report_shape(f, o);
	(void)fprintf(f, "%s</span>", words[o]);
}

static void fact(FILE *f, const char *name, const char *value)
{
	(void)fprintf(f, "<dt>%s</dt><dd>", name);
	report_escape(f, value);
	(void)fprintf(f, "</dd>\n");
}

static bool same_key(const struct played *a, const struct played *b)
{
	return !strcmp(a->key_url, b->key_url);
}

static bool same_policy(const struct played *a, const struct played *b)
{
	return a->policy.grace_denied_ms == b->policy.grace_denied_ms &&
	       a->policy.grace_unreachable_ms == b->policy.grace_unreachable_ms &&
	       a->policy.interval_ms == b->policy.interval_ms &&
	       a->policy.time_scale == b->policy.time_scale;
}

// What all scenarios have in common belongs on the first screen.
static bool all_alike(
	const struct rehearsal *r, bool (*same)(const struct played *, const struct played *))
{
	for (size_t i = 1; i < r->count; i++)
		if (!same(&r->played[0], &r->played[i]))
			return false;
	return r->count;
}

static void facts(FILE *f, const struct rehearsal *r)
{
	char when[REPORT_NUMBER], took[REPORT_NUMBER], line[384];
	report_wall(r->began_wall_us, when);
	report_took(r->took_us, took);
	(void)snprintf(line, sizeof(line), "%s, took %s", when, took);
	(void)fprintf(f, "<dl>\n");
	fact(f, "When", line);
	(void)snprintf(line, sizeof(line), "%s, cmkdisk %s", r->host, r->version);
	fact(f, "Where", line);
	fact(f, "Key",
		r->own_key ? "made for the rehearsal, in a key store of its own"
			   : "the operator's, and changed by the operator alone");
	if (all_alike(r, same_key) && r->played[0].key_url[0]) {
		(void)fprintf(f, "<dt>Key URL</dt><dd><code>");
		report_escape(f, r->played[0].key_url);
		(void)fprintf(f, "</code></dd>\n");
	}
	if (all_alike(r, same_policy)) {
		report_policy(&r->played[0].policy, line, sizeof(line));
		fact(f, "Policy", line);
	}
	(void)snprintf(line, sizeof(line), "%s, on %s", r->load, r->on);
	fact(f, "Load", line);
	(void)fprintf(f, "</dl>\n");
}

static void overview_row(FILE *f, const struct played *p, size_t number)
{
	char failed[REPORT_NUMBER], took[REPORT_NUMBER], size[32];
	size_t held = 0;
	for (size_t i = 0; i < p->promise_count; i++)
		held += p->promises[i].outcome == OUTCOME_HELD;
	report_count(p->failed, failed);
	report_took(p->took_us, took);
	format_size(p->bytes_verified, size, sizeof(size));
	(void)fprintf(f, "<tr><th scope=\"row\"><a href=\"#scenario-%zu\">%zu. ", number, number);
	report_escape(f, p->title);
	(void)fprintf(f,
		"</a></th><td class=\"number\">%zu of %zu</td><td class=\"number\">%s</td><td "
		"class=\"number\">%s</td><td class=\"number\">%s</td><td>",
		held, p->promise_count, failed, size, took);
	report_badge(f, p->outcome);
	(void)fprintf(f, "</td></tr>\n");
}

void report_html_head(FILE *f, const struct rehearsal *r)
{
	static const char *const words[] = {
		"All promises held", "Promises were broken", "Not every promise was shown"};
	char summary[160];
	report_summary(r, summary, sizeof(summary));
	(void)fprintf(f,
		"<header>\n<div class=\"hero %s\">\n<p class=\"kind\">Rehearsal: what happens to "
		"the data when the key is lost</p>\n<h1 class=\"badge %s\">",
		outcome_name(r->outcome), outcome_name(r->outcome));
	report_shape(f, r->outcome);
	(void)fprintf(f, "%s</h1>\n<p class=\"lede\">%s</p>\n</div>\n", words[r->outcome], summary);
	facts(f, r);
	(void)fprintf(f,
		"<div class=\"scroll\"><table class=\"overview\"><caption>Scenarios</caption>\n"
		"<thead><tr><th scope=\"col\">Scenario</th><th scope=\"col\" class=\"number\">"
		"Promises held</th><th scope=\"col\" class=\"number\">Failed requests</th><th "
		"scope=\"col\" class=\"number\">Verified</th><th scope=\"col\" "
		"class=\"number\">Took</th><th scope=\"col\">Verdict</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < r->count; i++)
		overview_row(f, &r->played[i], i + 1);
	(void)fprintf(f, "</tbody></table></div>\n</header>\n");
}

static const char closing[] =
	"<footer>\n<p><strong>Held</strong>: measured as promised. <strong>Broken</strong>: "
	"measured otherwise. <strong>Not shown</strong>: the rehearsal did not come so far, or "
	"could not measure it; nothing is known. Times are of the clock that goes on while a "
	"machine sleeps; requests are counted where they were made, above the disk.</p>\n"
	"<p>What it means: cmkdisk-rehearsal(7). The same as data: report.json. This page needs "
	"no network.</p>\n</footer>\n</main>\n</body>\n</html>\n";

int report_html(const struct rehearsal *r, FILE *f)
{
	char when[REPORT_NUMBER];
	int rc = 0;
	report_wall(r->began_wall_us, when);
	(void)fprintf(f,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<meta name=\"generator\" content=\"cmkdisk ");
	report_escape(f, r->version);
	(void)fprintf(f,
		"\">\n<title>cmkdisk rehearsal of %s: %s</title>\n<style>\n%s</style>\n</head>\n"
		"<body>\n<main>\n",
		when, outcome_name(r->outcome), report_style);
	report_html_head(f, r);
	for (size_t i = 0; !rc && i < r->count; i++)
		rc = report_html_scenario(f, &r->played[i], i + 1);
	(void)fputs(closing, f);
	if (rc)
		return rc;
	return fflush(f) || ferror(f) ? -EIO : 0;
}
