// SPDX-License-Identifier: MIT
// The reckoning behind the pictures of a report: what goes where, without a word of markup.
// Only report_*.c include it.
#ifndef CMK_REPORT_CHART_H
#define CMK_REPORT_CHART_H

#include "attr.h"
#include "rehearsal.h"

#include <stddef.h>
#include <stdint.h>

// The distance of round ticks of which at most `most` lie in a span: of time (1, 2, 5 of
// milliseconds; 1, 2, 5, 10, 15, 30 of seconds and minutes; hours), and of anything counted.
uint64_t chart_time_step(uint64_t span_us, unsigned most);
uint64_t chart_count_step(uint64_t span, unsigned most);

// Rates over time, thinned to a width: each bin is the mean of whole slices.
struct chart_bin {
	uint64_t begin_us, end_us;
	double reads, writes, failed; // each second
};
struct chart_bins {
	struct chart_bin *bin; // owned; free() it
	size_t count;
	double most_done, most_failed; // the greatest read or write rate; the greatest failed one
};
// A part of a scenario's time.
struct chart_window {
	uint64_t begin_us, end_us;
};
// All of it; never empty.
struct chart_window chart_whole(const struct played *p);
// The time around the stop, and up to the first good request after it, if all of it is so long that
// nobody could see anything there; else empty.
struct chart_window chart_close_up(const struct played *p);

// At most `most` of them (at least 1), of the slices that lie in the window. 0 or -ENOMEM.
int chart_bins(const struct played *p, struct chart_window w, size_t most,
	struct chart_bins *out) must_use;

// A label that stands to the right of a vertical line at x, in a row above the plot; row 0 is next
// to it.
struct chart_label {
	double x, width;
	unsigned row; // of chart_layout()
};
// Gives each label a row, so that no two overlap and no line runs through a label. They must be in
// order of x. Returns the number of rows.
unsigned chart_layout(struct chart_label *labels, size_t count);

enum chart_state { CHART_ACTIVE, CHART_GRACE, CHART_STOPPED };
struct chart_span {
	uint64_t begin_us, end_us;
	enum chart_state state;
};
// The states that the disk went through in a window, by the marks. Returns how many; never more
// than there are marks, and one. *out is the caller's to free; NULL: no memory.
size_t chart_states(
	const struct played *p, struct chart_window w, struct chart_span **out) must_use;

// Until when I/O may go on at the latest, by the promise "io-ends-in-time": counted from the last
// act before the stop, or from the first failed check where the act's time is not known. 0: nothing
// was promised of that kind.
uint64_t chart_deadline(const struct played *p);

#endif
