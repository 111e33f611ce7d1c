// SPDX-License-Identifier: MIT
// Axes with round ticks, and the legend.
#include "report_svg.h"

#include "report.h"

#include <inttypes.h>

#define S UINT64_C(1000000)
#define MIN (60 * S)

double svg_x(const struct svg_frame *s, uint64_t us)
{
	double span = (double)(s->window.end_us - s->window.begin_us);
	return SVG_LEFT + (SVG_RIGHT - SVG_LEFT) * ((double)us - (double)s->window.begin_us) / span;
}

// "20 s", "0.5 s", "10 min", "1:30", "2 h": all of one axis alike.
static void tick_label(uint64_t at, uint64_t step, uint64_t span, char out[REPORT_NUMBER])
{
	if (step % (60 * MIN) == 0)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 " h", at / (60 * MIN));
	else if (step % MIN == 0)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 " min", at / MIN);
	else if (step % S)
		(void)snprintf(out, REPORT_NUMBER, "%.3g s", (double)at / (double)S);
	else if (span <= 2 * MIN)
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 " s", at / S);
	else
		(void)snprintf(out, REPORT_NUMBER, "%" PRIu64 ":%02" PRIu64, at / MIN, at / S % 60);
}

static void time_axis(FILE *f, const struct svg_frame *s)
{
	char label[REPORT_NUMBER];
	struct chart_window w = s->window;
	uint64_t step = chart_time_step(w.end_us - w.begin_us, 10);
	for (uint64_t at = (w.begin_us + step - 1) / step * step; at <= w.end_us; at += step) {
		double x = svg_x(s, at);
		tick_label(at, step, w.end_us, label);
		(void)fprintf(f,
			"<path class=\"grid\" d=\"M%.1f %.1fV%.1fM%.1f %.1fv4\"/><text "
			"class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
			x, s->plot_top, s->strip_top, x, s->strip_bottom, x, s->strip_bottom + 16,
			label);
	}
	(void)fprintf(f,
		"<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">time since the "
		"scenario began</text>\n",
		(SVG_LEFT + SVG_RIGHT) / 2, s->strip_bottom + 34);
}

static void rate_ticks(
	FILE *f, double top, double bottom, uint64_t most, uint64_t step, const char *title)
{
	char label[REPORT_NUMBER];
	for (uint64_t at = 0; at <= most; at += step) {
		double y = bottom - (bottom - top) * (double)at / (double)most;
		report_count(at, label);
		(void)fprintf(f,
			"<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s"
			"</text>\n",
			at ? "grid" : "base", SVG_LEFT, SVG_RIGHT, y, y, SVG_LEFT - 7, y + 4,
			label);
	}
	(void)fprintf(f,
		"<text class=\"axis\" transform=\"translate(14 %.1f) rotate(-90)\" "
		"text-anchor=\"middle\">%s</text>\n",
		(top + bottom) / 2, title);
}

void svg_axes(FILE *f, const struct svg_frame *s)
{
	time_axis(f, s);
	rate_ticks(
		f, s->plot_top, s->plot_bottom, s->done_top, s->done_step, "requests per second");
	if (s->failed_bottom > s->failed_top_y)
		rate_ticks(f, s->failed_top_y, s->failed_bottom, s->failed_top, s->failed_top,
			"failed/s");
}

// One line of the legend: a swatch of 18 by 10, and its word.
static void entry(FILE *f, double *y, const char *swatch, const char *word)
{
	(void)fprintf(f,
		"<g transform=\"translate(%.1f %.1f)\">%s<text class=\"legend\" x=\"26\" "
		"y=\"9\">%s</text></g>\n",
		SVG_RIGHT + 18, *y, swatch, word);
	*y += 19;
}

void svg_legend(FILE *f, const struct svg_frame *s)
{
	double y = s->plot_top + 8;
	entry(f, &y, "<rect class=\"reads\" width=\"18\" height=\"10\"/>", "reads");
	entry(f, &y, "<path class=\"writes\" d=\"M0 5H18\"/>", "writes");
	if (played_first(s->p, MARK_GRACE))
		entry(f, &y, "<rect class=\"strip-grace\" width=\"18\" height=\"10\"/>", "grace");
	if (played_first(s->p, MARK_STOPPED))
		entry(f, &y, "<rect class=\"strip-stopped\" width=\"18\" height=\"10\"/>",
			"stopped");
	if (s->deadline_us)
		entry(f, &y, "<path class=\"deadline\" d=\"M9 -2V12\"/>", "promised end");
	if (s->failed_bottom > s->failed_top_y) {
		char swatch[128];
		y = s->failed_top_y + 2;
		(void)snprintf(swatch, sizeof(swatch),
			"<rect class=\"failed\" fill=\"url(#hatch-%s)\" width=\"18\" "
			"height=\"10\"/>",
			s->id);
		entry(f, &y, swatch, "failed requests");
	}
}
