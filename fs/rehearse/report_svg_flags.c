// SPDX-License-Identifier: MIT
// The marks of the timeline in the picture: each a line of its own, with labels that stand clear of
// all others. Where several come at once they share a line above the panels, and a label if it
// stays short.
#include "report_html.h"
#include "report_svg.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 4.0	 // units within which marks share a line above the panels
#define JOINED_MAX 250.0 // of a label for several of them
#define FULL_ROWS_MAX 16 // of labels in words; where that is not enough, numbers alone

static void name_flag(const struct svg_frame *s, struct svg_flag *f, bool full)
{
	size_t used = 0;
	for (size_t i = f->first; i < f->first + f->count && used < sizeof(f->label); i++) {
		int n = snprintf(f->label + used, sizeof(f->label) - used, "%s%zu%s%s",
			i > f->first ? ", " : "", i + 1, full ? " " : "",
			full ? report_mark_label(&s->p->marks[i]) : "");
		used += n > 0 ? (size_t)n : 0;
	}
	if (!f->count)
		(void)snprintf(f->label, sizeof(f->label), "promised end");
}

static struct chart_label room_of(const struct svg_frame *s, const struct svg_flag *f)
{
	return (struct chart_label){
		.x = svg_x(s, f->at_us), .width = 8 + SVG_CHAR * (double)strlen(f->label)};
}

// One more mark on a flag, if that still is one glance.
static bool joins(const struct svg_frame *s, struct svg_flag *f, bool full)
{
	f->count++;
	name_flag(s, f, full);
	struct chart_label l = room_of(s, f);
	if (l.width <= JOINED_MAX && l.x + l.width <= SVG_WIDTH)
		return true;
	f->count--;
	name_flag(s, f, full);
	return false;
}

// The marks of the window, and the deadline among them, in order of time. Returns how many flags.
static size_t flags_of(const struct svg_frame *s, bool full, struct svg_flag *flags)
{
	size_t n = 0;
	bool deadline = s->deadline_us, near = false;
	for (size_t i = 0; i <= s->p->mark_count; i++) {
		const struct mark *m = i < s->p->mark_count ? &s->p->marks[i] : NULL;
		if (deadline && (!m || m->at_us > s->deadline_us)) {
			flags[n] = (struct svg_flag){.at_us = s->deadline_us};
			name_flag(s, &flags[n++], full);
			deadline = near = false;
		}
		if (!m)
			break;
		if (m->at_us < s->window.begin_us || m->at_us > s->window.end_us)
			continue;
		near = near && svg_x(s, m->at_us) - svg_x(s, flags[n - 1].at_us) < NEAR;
		if (near && joins(s, &flags[n - 1], full))
			continue;
		flags[n] = (struct svg_flag){
			.first = i, .count = 1, .at_us = near ? flags[n - 1].at_us : m->at_us};
		name_flag(s, &flags[n++], full);
		near = true;
	}
	return n;
}

static void lay_out(const struct svg_frame *s, bool full, struct svg_flags *out)
{
	out->count = flags_of(s, full, out->flag);
	out->marks = 0;
	for (size_t i = 0; i < out->count; i++) {
		out->label[i] = room_of(s, &out->flag[i]);
		out->marks += out->flag[i].count;
	}
	out->rows = chart_layout(out->label, out->count);
}

int svg_flags(const struct svg_frame *s, struct svg_flags *out)
{
	size_t room = s->p->mark_count + 1;
	out->flag = calloc(room, sizeof(*out->flag));
	out->label = calloc(room, sizeof(*out->label));
	if (!out->flag || !out->label)
		return -ENOMEM;
	lay_out(s, true, out);
	if (out->rows > FULL_ROWS_MAX)
		lay_out(s, false, out);
	return 0;
}

void svg_flags_free(struct svg_flags *flags)
{
	free(flags->flag);
	free(flags->label);
}

static void draw_line(FILE *f, const char *class, double x, double from, double to)
{
	(void)fprintf(f, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
		class, x, x, from, to);
}

// A mark's own line within the panels; its words are those of its flag.
static void draw_mark(FILE *f, const struct svg_frame *s, const struct mark *m)
{
	char at[REPORT_NUMBER];
	report_clock(m->at_us, at);
	(void)fprintf(f, "<g class=\"mark mark-%s\"><title>%s (%s)%s", mark_name(m->kind),
		report_mark_label(m), at, m->text[0] ? ": " : "");
	report_escape(f, m->text);
	(void)fputs("</title>", f);
	draw_line(f, "stem", svg_x(s, m->at_us), s->plot_top, s->strip_top);
	(void)fputs("</g>\n", f);
}

static void draw_flag(
	FILE *f, const struct svg_frame *s, const struct svg_flag *flag, double x, double y)
{
	char at[REPORT_NUMBER];
	if (flag->count) {
		(void)fputs("<g class=\"flag\">", f);
		draw_line(f, "stem", x, y - 9, s->plot_top);
	} else {
		report_clock(s->deadline_us, at);
		(void)fprintf(
			f, "<g class=\"promised\"><title>promised end of I/O (%s)</title>", at);
		draw_line(f, "deadline", x, y - 9, s->strip_top);
	}
	(void)fprintf(f, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n", x + 4, y,
		flag->label);
	for (size_t i = 0; i < flag->count; i++)
		draw_mark(f, s, &s->p->marks[flag->first + i]);
}

void svg_draw_flags(FILE *f, const struct svg_frame *s, const struct svg_flags *flags)
{
	for (size_t i = 0; i < flags->count; i++)
		draw_flag(f, s, &flags->flag[i], flags->label[i].x,
			s->plot_top - 6 - flags->label[i].row * SVG_ROW);
}
