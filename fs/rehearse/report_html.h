// SPDX-License-Identifier: MIT
// The parts of the HTML report. Only report_html*.c, report_svg*.c and report_style.c include it.
// All of it is written with fprintf whose failures are left to ferror() at the end.
#ifndef CMK_REPORT_HTML_H
#define CMK_REPORT_HTML_H

#include "attr.h"
#include "rehearsal.h"

#include <stddef.h>
#include <stdio.h>

// The page's style sheet: light, dark on screens that ask for it, and paper.
extern const char report_style[];

// Text from anywhere, for an element or a quoted attribute: markup escaped, control characters and
// broken UTF-8 replaced.
void report_escape(FILE *f, const char *text);
// The verdict as a shape, and as a shape and a word.
void report_shape(FILE *f, enum outcome o);
void report_badge(FILE *f, enum outcome o);
// Head and facts of the page, and one scenario; number counts from 1.
void report_html_head(FILE *f, const struct rehearsal *r);
int report_html_scenario(FILE *f, const struct played *p, size_t number) must_use; // -ENOMEM

// The figure of I/O over time with the marks of the timeline, and in a long run another one of the
// stop, close up; number makes their ids different from those of other pictures. -ENOMEM.
int report_svg_io(FILE *f, const struct played *p, size_t number) must_use;
// What was measured as a share of what was promised.
void report_svg_share(FILE *f, const struct promise *q);

#endif
