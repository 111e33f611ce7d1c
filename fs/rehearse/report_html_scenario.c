// SPDX-License-Identifier: MIT
// One scenario on the page: what was expected, the picture, the promises, the timeline, the counts.
#include "report_html.h"

#include "report.h"
#include "units.h"

#include <string.h>

static void cell(FILE *f, const char *open, const char *text, const char *close)
{
	(void)fputs(open, f);
	report_escape(f, text);
	(void)fputs(close, f);
}

static void promise_row(FILE *f, const struct promise *q)
{
	(void)fprintf(f, "<tr class=\"%s\">", outcome_name(q->outcome));
	cell(f, "<th scope=\"row\">", q->what, "");
	if (q->why[0])
		cell(f, "<span class=\"why\">", q->why, "</span>");
	cell(f, "</th><td class=\"span\">", report_said(q->promised), "</td>");
	cell(f, "<td class=\"span\">", report_said(q->measured), "");
	report_svg_share(f, q);
	(void)fprintf(f, "</td><td>");
	report_badge(f, q->outcome);
	(void)fprintf(f, "</td></tr>\n");
}

static void promises(FILE *f, const struct played *p)
{
	(void)fprintf(f,
		"<div class=\"scroll\"><table class=\"promises\"><caption>Promised and measured"
		"</caption>\n<thead><tr><th scope=\"col\">Promise</th><th scope=\"col\">Promised"
		"</th><th scope=\"col\">Measured</th><th scope=\"col\">Verdict</th></tr></thead>\n"
		"<tbody>\n");
	for (size_t i = 0; i < p->promise_count; i++)
		promise_row(f, &p->promises[i]);
	(void)fprintf(f, "</tbody></table></div>\n");
}

static void timeline(FILE *f, const struct played *p)
{
	(void)fprintf(f,
		"<div class=\"scroll\"><table class=\"timeline\"><caption>Timeline</caption>\n"
		"<thead><tr><th scope=\"col\" class=\"number\">No.</th><th scope=\"col\" "
		"class=\"number\">Since the start</th><th scope=\"col\" class=\"number\">Since the "
		"act</th><th scope=\"col\">What happened</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < p->mark_count; i++) {
		const struct mark *m = &p->marks[i];
		char at[REPORT_NUMBER], after[REPORT_NUMBER];
		report_clock(m->at_us, at);
		report_since_act(p, m, after);
		(void)fprintf(f,
			"<tr><td class=\"number\">%zu</td><td class=\"number\">%s</td><td "
			"class=\"number\">%s</td><td><span class=\"what\">%s</span>",
			i + 1, at, after, report_mark_label(m));
		if (m->text[0])
			cell(f, ": ", m->text, "");
		(void)fprintf(f, "</td></tr>\n");
	}
	(void)fprintf(f, "</tbody></table></div>\n");
	if (report_act_note(p))
		cell(f, "<p class=\"note\">", report_act_note(p), "</p>\n");
}

static void done(FILE *f, const char *name, uint64_t requests, uint64_t bytes)
{
	char count[REPORT_NUMBER], size[32];
	report_count(requests, count);
	format_size(bytes, size, sizeof(size));
	(void)fprintf(f, "<dt>%s</dt><dd>%s requests, ", name, count);
	cell(f, "", size, "</dd>\n");
}

static void io(FILE *f, const struct played *p)
{
	char count[REPORT_NUMBER], verified[32], wrong[32];
	(void)fprintf(f, "<h3>I/O and bytes</h3>\n<dl>\n");
	done(f, "Read", p->reads, p->bytes_read);
	done(f, "Written", p->writes, p->bytes_written);
	report_count(p->failed, count);
	(void)fprintf(f, "<dt>Failed</dt><dd>%s requests", count);
	if (p->errors[0])
		cell(f, " (", p->errors, ")");
	format_size(p->bytes_verified, verified, sizeof(verified));
	format_size(p->bytes_wrong, wrong, sizeof(wrong));
	cell(f, "</dd>\n<dt>Verified</dt><dd>", verified, " read back and compared, ");
	cell(f, "", wrong, " wrong</dd>\n</dl>\n");
}

static void facts(FILE *f, const struct played *p)
{
	char policy[256], when[REPORT_NUMBER], took[REPORT_NUMBER];
	report_policy(&p->policy, policy, sizeof(policy));
	report_wall(p->began_wall_us, when);
	report_took(p->took_us, took);
	(void)fputs("<dl>\n", f);
	if (p->key_url[0])
		cell(f, "<dt>Key</dt><dd><code>", p->key_url, "</code></dd>\n");
	cell(f, "<dt>Key store</dt><dd>", p->provider, "</dd>\n");
	cell(f, "<dt>Policy</dt><dd>", policy, "</dd>\n");
	(void)fprintf(f, "<dt>Played</dt><dd>%s, took ", when);
	cell(f, "", took, "</dd>\n</dl>\n");
}

int report_html_scenario(FILE *f, const struct played *p, size_t number)
{
	int rc = 0;
	(void)fprintf(
		f, "<section id=\"scenario-%zu\">\n<div class=\"title\"><h2>%zu. ", number, number);
	cell(f, "", p->title, "</h2>");
	report_badge(f, p->outcome);
	(void)fprintf(f, "</div>\n");
	if (p->expected)
		cell(f, "<p>", p->expected, "</p>\n");
	if (p->failure[0])
		cell(f, "<p class=\"trouble\"><strong>Not played to its end:</strong> ", p->failure,
			"</p>\n");
	facts(f, p);
	if (p->mark_count || p->slice_count)
		rc = report_svg_io(f, p, number);
	if (p->promise_count)
		promises(f, p);
	if (p->mark_count)
		timeline(f, p);
	if (p->slice_count)
		io(f, p);
	(void)fprintf(f, "</section>\n");
	return rc;
}
