// SPDX-License-Identifier: MIT
// The frame of the picture of I/O over time: where its panels are, and its axes. Only report_svg*.c
// include it.
#ifndef CMK_REPORT_SVG_H
#define CMK_REPORT_SVG_H

#include "attr.h"
#include "rehearsal.h"
#include "report_chart.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// In units of the view box; y grows downwards.
#define SVG_WIDTH 960.0
#define SVG_LEFT 64.0
#define SVG_RIGHT 804.0 // of the panels; labels of late marks and the legend stand beyond
#define SVG_ROW 15.0	// of labels
#define SVG_CHAR 6.9	// of the widest common sans-serif at 11 units

struct svg_frame {
	const struct played *p;
	char id[32]; // ends each id of this picture
	struct chart_window window;
	uint64_t deadline_us; // 0: none is shown
	struct chart_bins bins;
	uint64_t done_step, done_top, failed_top; // of the scales, requests each second
	double plot_top, plot_bottom;
	double failed_top_y, failed_bottom; // equal: no request failed, no panel
	double strip_top, strip_bottom, height;
};

// What one label names: marks that follow each other so closely that one label is enough, or the
// deadline.
struct svg_flag {
	size_t first, count; // of the timeline; none: the deadline
	uint64_t at_us;	     // of its line above the panels, which close neighbours share
	char label[160];
};
struct svg_flags {
	struct svg_flag *flag;	   // owned, in order of time
	struct chart_label *label; // owned, one each
	size_t count, marks;
	unsigned rows;
};

double svg_x(const struct svg_frame *s, uint64_t us);
// Grid, ticks and titles of all axes.
void svg_axes(FILE *f, const struct svg_frame *s);
void svg_legend(FILE *f, const struct svg_frame *s);

// Names and lays out the marks of the window; nothing of the frame's height is needed. 0 or
// -ENOMEM.
int svg_flags(const struct svg_frame *s, struct svg_flags *out) must_use;
void svg_draw_flags(FILE *f, const struct svg_frame *s, const struct svg_flags *flags);
void svg_flags_free(struct svg_flags *flags); // for scoped()

#endif
