// SPDX-License-Identifier: MIT
// Ticks, bins, rows of labels and states.
#include "report_chart.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define MS UINT64_C(1000)
#define S UINT64_C(1000000)
#define MIN (60 * S)
#define HOUR (60 * MIN)

#define CLOSE_UP_FROM (10 * MIN) // in a shorter run the stop is wide enough to see

uint64_t chart_count_step(uint64_t span, unsigned most)
{
	static const unsigned of[] = {1, 2, 5};
	for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10)
		for (size_t i = 0; i < COUNT(of); i++)
			if (span / (power * of[i]) < most)
				return power * of[i];
	return UINT64_MAX / 10;
}

uint64_t chart_time_step(uint64_t span_us, unsigned most)
{
	static const uint64_t steps[] = {S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S, MIN, 2 * MIN,
		5 * MIN, 10 * MIN, 15 * MIN, 30 * MIN, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR,
		12 * HOUR};
	if (span_us / S < most) {
		uint64_t ms = chart_count_step(span_us / MS, most);
		return ms < 1000 ? ms * MS : S;
	}
	for (size_t i = 0; i < COUNT(steps); i++)
		if (span_us / steps[i] < most)
			return steps[i];
	return chart_count_step(span_us / (24 * HOUR), most) * 24 * HOUR;
}

static struct chart_bin mean(const struct played *p, size_t first, size_t slices)
{
	uint64_t reads = 0, writes = 0, failed = 0;
	for (size_t i = first; i < first + slices; i++) {
		reads += p->slices[i].reads;
		writes += p->slices[i].writes;
		failed += p->slices[i].failed;
	}
	double seconds = (double)(p->slice_us * slices) / (double)S;
	return (struct chart_bin){
		.begin_us = p->first_slice_us + first * p->slice_us,
		.end_us = p->first_slice_us + (first + slices) * p->slice_us,
		.reads = (double)reads / seconds,
		.writes = (double)writes / seconds,
		.failed = (double)failed / seconds,
	};
}

struct chart_window chart_whole(const struct played *p)
{
	struct chart_window w = {0, p->took_us ? p->took_us : 1};
	uint64_t io_end = p->first_slice_us + p->slice_count * p->slice_us;
	if (io_end > w.end_us)
		w.end_us = io_end;
	if (p->mark_count && p->marks[p->mark_count - 1].at_us > w.end_us)
		w.end_us = p->marks[p->mark_count - 1].at_us;
	return w;
}

struct chart_window chart_close_up(const struct played *p)
{
	struct chart_window whole = chart_whole(p);
	const struct mark *stopped = played_first(p, MARK_STOPPED);
	const struct mark *good = played_first(p, MARK_FIRST_GOOD);
	uint64_t margin = whole.end_us / 120;
	if (!stopped || whole.end_us < CLOSE_UP_FROM)
		return (struct chart_window){0};
	uint64_t end = stopped->at_us;
	if (good && good->at_us > end && good->at_us - end < whole.end_us / 10)
		end = good->at_us;
	return (struct chart_window){
		.begin_us = stopped->at_us > margin ? stopped->at_us - margin : 0,
		.end_us = end + margin < whole.end_us ? end + margin : whole.end_us,
	};
}

// The slices that lie in a window as a whole: [*first, *first + result).
static size_t slices_in(const struct played *p, struct chart_window w, size_t *first)
{
	if (!p->slice_us)
		return 0;
	uint64_t skip = w.begin_us > p->first_slice_us ? w.begin_us - p->first_slice_us : 0;
	*first = (size_t)((skip + p->slice_us - 1) / p->slice_us);
	size_t end = w.end_us > p->first_slice_us
			     ? (size_t)((w.end_us - p->first_slice_us) / p->slice_us)
			     : 0;
	end = end < p->slice_count ? end : p->slice_count;
	return end > *first ? end - *first : 0;
}

int chart_bins(const struct played *p, struct chart_window w, size_t most, struct chart_bins *out)
{
	size_t first = 0, slices = slices_in(p, w, &first);
	*out = (struct chart_bins){0};
	if (!slices)
		return 0;
	size_t each = (slices + most - 1) / most;
	out->count = (slices + each - 1) / each;
	out->bin = calloc(out->count, sizeof(*out->bin));
	if (!out->bin)
		return -ENOMEM;
	for (size_t i = 0; i < out->count; i++) {
		size_t left = slices - i * each;
		struct chart_bin b = mean(p, first + i * each, left < each ? left : each);
		double done = b.reads > b.writes ? b.reads : b.writes;
		out->most_done = done > out->most_done ? done : out->most_done;
		out->most_failed = b.failed > out->most_failed ? b.failed : out->most_failed;
		out->bin[i] = b;
	}
	return 0;
}

// The line of a label runs down through all rows below its own. So a label must stand above those
// whose lines begin under it, and then nothing can meet.
unsigned chart_layout(struct chart_label *labels, size_t count)
{
	unsigned rows = 0;
	for (size_t i = count; i-- > 0;) {
		labels[i].row = 0;
		for (size_t j = i + 1; j < count && labels[j].x <= labels[i].x + labels[i].width;
			j++)
			if (labels[j].row >= labels[i].row)
				labels[i].row = labels[j].row + 1;
		if (labels[i].row >= rows)
			rows = labels[i].row + 1;
	}
	return rows;
}

static bool state_after(enum mark_kind k, enum chart_state *state)
{
	switch (k) {
	case MARK_GRACE:
		*state = CHART_GRACE;
		return true;
	case MARK_STOPPED:
		*state = CHART_STOPPED;
		return true;
	case MARK_GRACE_END:
	case MARK_RESUMED:
		*state = CHART_ACTIVE;
		return true;
	default:
		return false;
	}
}

size_t chart_states(const struct played *p, struct chart_window w, struct chart_span **out)
{
	struct chart_span *s = calloc(p->mark_count + 1, sizeof(*s));
	size_t n = 0;
	*out = s;
	if (!s)
		return 0;
	s[0] = (struct chart_span){.begin_us = w.begin_us, .end_us = w.end_us};
	for (size_t i = 0; i < p->mark_count; i++) {
		enum chart_state state;
		uint64_t at = p->marks[i].at_us;
		if (!state_after(p->marks[i].kind, &state) || state == s[n].state || at >= w.end_us)
			continue;
		if (at > s[n].begin_us)
			s[n++].end_us = at;
		s[n] = (struct chart_span){.begin_us = at > w.begin_us ? at : w.begin_us,
			.end_us = w.end_us,
			.state = state};
	}
	return n + 1;
}

uint64_t chart_deadline(const struct played *p)
{
	const struct promise *ends = NULL;
	const struct mark *act = NULL, *stopped = played_first(p, MARK_STOPPED);
	for (size_t i = 0; i < p->promise_count; i++)
		if (!strcmp(p->promises[i].id, "io-ends-in-time") && p->promises[i].promised_us > 0)
			ends = &p->promises[i];
	for (const struct mark *m = p->marks; m < p->marks + p->mark_count && m != stopped; m++)
		if (m->kind == MARK_ASKED)
			act = NULL; // unless its time is told, the first failed check counts
		else if (m->kind == MARK_ACTION || (m->kind == MARK_REFUSED && !act))
			act = m;
	return ends && act ? act->at_us + (uint64_t)ends->promised_us : 0;
}
