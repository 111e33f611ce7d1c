// SPDX-License-Identifier: MIT
// I/O over time as SVG: rates above, failed requests below, the disk's states as bands, and each
// mark of the timeline as a numbered line whose label stands clear of all others.
#include "report_svg.h"
#include "report_html.h"

#include "report.h"
#include "scope.h"

#include <errno.h>
#include <string.h>

#define BINS_MAX 370 // two units wide each, or more

static uint64_t top_of(double most, uint64_t *step)
{
	uint64_t whole = most < 1 ? 1 : (uint64_t)most + 1;
	*step = chart_count_step(whole, 5);
	return (whole + *step - 1) / *step * *step;
}

static void scales(struct svg_frame *s)
{
	uint64_t unused;
	s->deadline_us = chart_deadline(s->p);
	if (s->deadline_us > s->window.end_us || s->deadline_us < s->window.begin_us)
		s->deadline_us = 0;
	s->done_top = top_of(s->bins.most_done, &s->done_step);
	s->failed_top = top_of(s->bins.most_failed, &unused);
}

static void panels(struct svg_frame *s, unsigned rows)
{
	s->plot_top = 10 + rows * SVG_ROW;
	s->plot_bottom = s->plot_top + 210;
	s->failed_top_y = s->failed_bottom = s->plot_bottom;
	if (s->bins.most_failed > 0) {
		s->failed_top_y = s->plot_bottom + 16;
		s->failed_bottom = s->failed_top_y + 56;
	}
	s->strip_top = s->failed_bottom + 12;
	s->strip_bottom = s->strip_top + 18;
	s->height = s->strip_bottom + 42;
}

static double rate_y(const struct svg_frame *s, double rate)
{
	return s->plot_bottom - (s->plot_bottom - s->plot_top) * rate / (double)s->done_top;
}

static double middle(const struct svg_frame *s, size_t bin)
{
	const struct chart_bin *b = &s->bins.bin[bin];
	return svg_x(s, b->begin_us / 2 + b->end_us / 2);
}

static bool last_is_cut(const struct svg_frame *s)
{
	const struct played *p = s->p;
	return s->bins.bin[s->bins.count - 1].end_us >=
	       p->first_slice_us + p->slice_count * p->slice_us;
}

static void draw_rates(FILE *f, const struct svg_frame *s)
{
	size_t last = s->bins.count - 1;
	// The slice in which the load ended is shorter than the others: its rate would be a fall
	// that nobody saw.
	if (last && last_is_cut(s))
		last--;
	(void)fprintf(f, "<path class=\"reads\" d=\"M%.1f %.1f", middle(s, 0), s->plot_bottom);
	for (size_t i = 0; i <= last; i++)
		(void)fprintf(f, "L%.1f %.1f", middle(s, i), rate_y(s, s->bins.bin[i].reads));
	(void)fprintf(
		f, "L%.1f %.1fZ\"/>\n<path class=\"writes\" d=\"", middle(s, last), s->plot_bottom);
	for (size_t i = 0; i <= last; i++)
		(void)fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', middle(s, i),
			rate_y(s, s->bins.bin[i].writes));
	(void)fprintf(f, "\"/>\n");
}

// One failed request in an hour is still seen.
static void draw_failed(FILE *f, const struct svg_frame *s)
{
	double most = s->failed_bottom - s->failed_top_y;
	for (size_t i = 0; i < s->bins.count; i++) {
		const struct chart_bin *b = &s->bins.bin[i];
		double height = most * b->failed / (double)s->failed_top, x = svg_x(s, b->begin_us),
		       width = svg_x(s, b->end_us) - x;
		if (b->failed <= 0)
			continue;
		height = height < 3 ? 3 : height;
		(void)fprintf(f,
			"<rect class=\"failed\" fill=\"url(#hatch-%s)\" x=\"%.1f\" y=\"%.1f\" "
			"width=\"%.1f\" height=\"%.1f\"/>\n",
			s->id, x, s->failed_bottom - height, width < 2 ? 2 : width, height);
	}
}

static int draw_states(FILE *f, const struct svg_frame *s)
{
	static const char *const names[] = {"active", "grace", "stopped"};
	struct chart_span *spans autofree = NULL;
	size_t n = chart_states(s->p, s->window, &spans);
	if (!n)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *name = names[spans[i].state];
		double x = svg_x(s, spans[i].begin_us), width = svg_x(s, spans[i].end_us) - x;
		(void)fprintf(f,
			"<rect class=\"band-%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\"/><rect class=\"strip-%s\" x=\"%.1f\" y=\"%.1f\" "
			"width=\"%.1f\" height=\"%.1f\"/>\n",
			name, x, s->plot_top, width, s->failed_bottom - s->plot_top, name, x,
			s->strip_top, width, s->strip_bottom - s->strip_top);
		if (width > 12 + SVG_CHAR * (double)strlen(name))
			(void)fprintf(f,
				"<text class=\"state\" x=\"%.1f\" y=\"%.1f\" "
				"text-anchor=\"middle\">%s</text>\n",
				x + width / 2, s->strip_top + 13, name);
	}
	return 0;
}

static void open_svg(FILE *f, const struct svg_frame *s, size_t marks)
{
	(void)fprintf(f,
		"<svg class=\"io\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
		"aria-labelledby=\"svg-title-%s svg-desc-%s\">\n<title id=\"svg-title-%s\">"
		"I/O over time: ",
		SVG_WIDTH, s->height, s->id, s->id, s->id);
	report_escape(f, s->p->title);
	(void)fprintf(f,
		"</title>\n<desc id=\"svg-desc-%s\">Reads and writes each second, failed "
		"requests below them, the states of the disk, and %zu numbered lines for the "
		"marks of the timeline.</desc>\n<defs><pattern id=\"hatch-%s\" width=\"5\" "
		"height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
		"<rect class=\"hatch-ground\" width=\"5\" height=\"5\"/><rect class=\"hatch\" "
		"width=\"2.5\" height=\"5\"/></pattern></defs>\n",
		s->id, marks, s->id);
}

static void caption(FILE *f, const struct svg_frame *s, const char *what)
{
	char each[REPORT_NUMBER];
	(void)fprintf(f, "<figcaption>%s", what);
	if (s->bins.count) {
		report_span((int64_t)(s->bins.bin[0].end_us - s->bins.bin[0].begin_us), each);
		(void)fprintf(f, ", each point the mean of %s", each);
	}
	(void)fprintf(f, ". The numbers are those of the timeline below.</figcaption></figure>\n");
}

static int figure(FILE *f, struct svg_frame *s, const char *what)
{
	int rc = chart_bins(s->p, s->window, BINS_MAX, &s->bins);
	if (rc)
		return rc;
	autofree struct chart_bin *bins = s->bins.bin;
	struct svg_flags flags scoped(svg_flags_free) = {0};
	scales(s);
	rc = svg_flags(s, &flags);
	if (rc)
		return rc;
	panels(s, flags.rows);
	(void)fprintf(f, "<figure><div class=\"scroll\">\n");
	open_svg(f, s, flags.marks);
	rc = draw_states(f, s);
	svg_axes(f, s);
	if (s->bins.count) {
		draw_rates(f, s);
		draw_failed(f, s);
	}
	svg_legend(f, s);
	svg_draw_flags(f, s, &flags);
	(void)fprintf(f, "</svg>\n</div>");
	caption(f, s, what);
	return rc;
}

int report_svg_io(FILE *f, const struct played *p, size_t number)
{
	struct svg_frame whole = {.p = p, .window = chart_whole(p)};
	struct svg_frame close_up = {.p = p, .window = chart_close_up(p)};
	(void)snprintf(whole.id, sizeof(whole.id), "%zu", number);
	(void)snprintf(close_up.id, sizeof(close_up.id), "%zu-stop", number);
	int rc = figure(f, &whole, "I/O over time");
	if (!rc && close_up.window.end_us)
		rc = figure(f, &close_up, "The stop, close up");
	return rc;
}

void report_svg_share(FILE *f, const struct promise *q)
{
	if (q->promised_us <= 0 || q->measured_us < 0)
		return;
	// The promise ends at two thirds of the picture, so that what is broken is seen to be.
	double share = (double)q->measured_us / (double)q->promised_us;
	double width = share > 1.48 ? 148 : share < 0.01 ? 1 : 100 * share;
	(void)fprintf(f,
		"<svg class=\"share\" viewBox=\"0 0 150 18\" role=\"img\" "
		"preserveAspectRatio=\"xMinYMid\"><title>%.3g %% of what was promised</title><rect "
		"class=\"track\" x=\"0.5\" y=\"4\" width=\"149\" height=\"10\"/><rect "
		"class=\"%s\" x=\"1\" y=\"6\" width=\"%.1f\" height=\"6\"/><path "
		"class=\"limit\" d=\"M100 0V18\"/></svg>",
		100 * share, outcome_name(q->outcome), width);
}
