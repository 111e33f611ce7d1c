// SPDX-License-Identifier: MIT
// The pictures of a rehearsal's report: round ticks, bins that lose nothing, labels that never
// meet, states without a hole, and a promised end that counts from the right moment.
#include "attr.h"
#include "made_rehearsal.h"
#include "report_chart.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define S UINT64_C(1000000)

static void ticks_are_round_and_not_more_than_asked_for(void **state)
{
	(void)state;
	static const struct {
		uint64_t span, step;
	} times[] = {{S / 2, S / 10}, {9 * S, S}, {26 * S, 5 * S}, {100 * S, 15 * S},
		{299 * S, 30 * S}, {3800 * S, 600 * S}, {86400 * S, 10800 * S}};
	for (size_t i = 0; i < COUNT(times); i++)
		assert_int_equal(chart_time_step(times[i].span, 10), times[i].step);
	for (uint64_t span = 1; span < 400 * 86400 * S; span = span * 3 + 1)
		assert_true(span / chart_time_step(span, 10) <= 10);
	assert_int_equal(chart_count_step(131, 5), 50);
	assert_int_equal(chart_count_step(1, 5), 1);
	assert_int_equal(chart_count_step(120000, 5), 50000);
}

// Any number of slices keeps its requests, whatever it is thinned to.
static void thinned_rates_lose_no_request(void **state)
{
	(void)state;
	struct played p = {.took_us = 10000 * S, .slice_us = S / 4, .slice_count = 3601};
	struct io_slice *slices = calloc(p.slice_count, sizeof(*slices));
	assert_non_null(slices);
	p.slices = slices;
	for (size_t i = 0; i < p.slice_count; i++)
		slices[i] = (struct io_slice){(uint32_t)(i % 7), (uint32_t)(i % 5), 0};
	slices[1234].failed = 1;
	for (size_t most = 1; most < 5000; most = most * 2 + 1) {
		struct chart_bins b;
		double reads = 0, writes = 0, failed = 0;
		assert_int_equal(chart_bins(&p, chart_whole(&p), most, &b), 0);
		assert_true(b.count && b.count <= most);
		for (size_t i = 0; i < b.count; i++) {
			double seconds = (double)(b.bin[i].end_us - b.bin[i].begin_us) / (double)S;
			reads += b.bin[i].reads * seconds;
			writes += b.bin[i].writes * seconds;
			failed += b.bin[i].failed * seconds;
			assert_true(!i || b.bin[i].begin_us == b.bin[i - 1].end_us);
		}
		free(b.bin);
		assert_true(fabs(reads - 10797) < 0.01 && fabs(writes - 7200) < 0.01);
		assert_true(fabs(failed - 1) < 0.01 && b.most_failed > 0);
	}
	free(slices);
}

static void nothing_recorded_makes_no_bins(void **state)
{
	(void)state;
	struct played p = {.took_us = S};
	struct chart_bins b;
	assert_int_equal(chart_bins(&p, chart_whole(&p), 100, &b), 0);
	assert_int_equal(b.count, 0);
}

static bool meet(const struct chart_label *a, const struct chart_label *b)
{
	bool overlap = a->row == b->row && a->x <= b->x + b->width && b->x <= a->x + a->width;
	bool through = b->row > a->row && b->x > a->x && b->x <= a->x + a->width;
	return overlap || through;
}

static void labels_never_meet_each_other_or_a_line(void **state)
{
	(void)state;
	struct chart_label l[40], two[2] = {{10, 50, 0}, {30, 50, 0}};
	assert_true(meet(&two[0], &two[1])); // as they are: so it can be seen
	assert_int_equal(chart_layout(two, 2), 2);
	assert_false(meet(&two[0], &two[1]));
	for (unsigned seed = 1; seed <= 500; seed++) {
		size_t n = 1 + seed % COUNT(l);
		unsigned r = seed, rows;
		double x = 0;
		for (size_t i = 0; i < n; i++) {
			x += rand_r(&r) % 3 ? rand_r(&r) % 60 : 0;
			l[i] = (struct chart_label){x, 10 + rand_r(&r) % 140, 99};
		}
		rows = chart_layout(l, n);
		for (size_t i = 0; i < n; i++) {
			assert_true(l[i].row < rows);
			for (size_t j = 0; j < n; j++)
				if (i != j && meet(&l[i], &l[j]))
					fail_msg("seed %u: labels %zu and %zu", seed, i, j);
		}
	}
}

static void the_states_cover_the_time_without_a_hole(void **state)
{
	(void)state;
	struct rehearsal r scoped(rehearsal_free);
	struct chart_span *s;
	assert_true(made_rehearsal("held", &r));
	struct chart_window w = chart_whole(&r.played[0]);
	assert_int_equal(chart_states(&r.played[0], w, &s), 4);
	static const enum chart_state course[] = {
		CHART_ACTIVE, CHART_GRACE, CHART_STOPPED, CHART_ACTIVE};
	assert_int_equal(s[0].begin_us, 0);
	assert_int_equal(s[3].end_us, w.end_us);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(s[i].state, course[i]);
		assert_true(s[i].end_us > s[i].begin_us);
		assert_true(!i || s[i].begin_us == s[i - 1].end_us);
	}
	assert_int_equal(s[2].begin_us, played_first(&r.played[0], MARK_STOPPED)->at_us);
	free(s);
	// A window that begins in the grace begins with the grace.
	w = (struct chart_window){6 * S, 7 * S};
	assert_int_equal(chart_states(&r.played[0], w, &s), 1);
	assert_int_equal(s[0].state, CHART_GRACE);
	assert_int_equal(s[0].begin_us, 6 * S);
	assert_int_equal(s[0].end_us, 7 * S);
	free(s);
}

static void only_a_long_run_has_its_stop_close_up(void **state)
{
	(void)state;
	struct rehearsal quick scoped(rehearsal_free), hour scoped(rehearsal_free);
	assert_true(made_rehearsal("held", &quick) && made_rehearsal("hour", &hour));
	assert_int_equal(chart_close_up(&quick.played[0]).end_us, 0);
	const struct played *p = &hour.played[0];
	struct chart_window w = chart_close_up(p);
	assert_true(w.begin_us > 0 && w.end_us < p->took_us && w.end_us - w.begin_us < 300 * S);
	assert_true(w.begin_us < played_first(p, MARK_LAST_GOOD)->at_us);
	assert_true(w.end_us > played_first(p, MARK_FIRST_GOOD)->at_us);
	struct chart_bins b;
	assert_int_equal(chart_bins(p, w, 1000, &b), 0);
	assert_true(b.count && b.bin[0].begin_us >= w.begin_us);
	assert_true(b.bin[b.count - 1].end_us <= w.end_us);
	free(b.bin);
}

static void the_promised_end_counts_from_the_last_act_before_the_stop(void **state)
{
	(void)state;
	struct played p = {.policy = {10000, 20000, 1000, 1}};
	assert_int_equal(chart_deadline(&p), 0);
	assert_int_equal(played_mark(&p, MARK_ACTION, 2 * S, "went"), 0);
	assert_int_equal(played_mark(&p, MARK_RESTORED, 3 * S, "came"), 0);
	assert_int_equal(played_mark(&p, MARK_ACTION, 5 * S, "went"), 0);
	assert_int_equal(played_mark(&p, MARK_REFUSED, 6 * S, "refused"), 0);
	assert_int_equal(played_mark(&p, MARK_STOPPED, 15 * S, "stopped"), 0);
	assert_int_equal(played_mark(&p, MARK_ACTION, 17 * S, "again"), 0);
	struct promise *ends = played_promise(&p, "io-ends-in-time", "It ends.");
	assert_non_null(ends);
	assert_int_equal(chart_deadline(&p), 0); // no time was promised
	ends->promised_us = 11100000;
	assert_int_equal(chart_deadline(&p), 16100000);
	// Asked for, and nobody knows when it was done: from what was seen first.
	assert_int_equal(played_mark(&p, MARK_ASKED, 11 * S / 2, "take it away"), 0);
	assert_int_equal(chart_deadline(&p), 17100000);
	struct rehearsal r = {.played = malloc(sizeof(p)), .count = 1};
	assert_non_null(r.played);
	*r.played = p;
	rehearsal_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_are_round_and_not_more_than_asked_for),
		cmocka_unit_test(thinned_rates_lose_no_request),
		cmocka_unit_test(nothing_recorded_makes_no_bins),
		cmocka_unit_test(labels_never_meet_each_other_or_a_line),
		cmocka_unit_test(the_states_cover_the_time_without_a_hole),
		cmocka_unit_test(only_a_long_run_has_its_stop_close_up),
		cmocka_unit_test(the_promised_end_counts_from_the_last_act_before_the_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
