// SPDX-License-Identifier: MIT
// The text form of metrics: Prometheus' text format 0.0.4, or OpenMetrics 1.0. They differ in the
// TYPE and HELP lines of counters and info metrics, which one names with the suffix and the other
// without it: what is right in one is an error in the other.
#ifndef CMK_METRICS_TEXT_H
#define CMK_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO, METRIC_HISTOGRAM };

// A family: its name without the suffix that its kind has (_total, _info).
struct metric_family {
	const char *name;
	enum metric_kind kind;
	const char *help; // one sentence
};

struct metric_label {
	const char *name;
	const char *value; // any text; NULL: this label is left out
};
#define METRIC_LABELS 8
struct metric_labels {
	struct metric_label at[METRIC_LABELS];
	size_t count;
};
// The same with one more.
struct metric_labels metric_label_add(
	const struct metric_labels *l, const char *name, const char *value);

struct exposition {
	FILE *to;
	bool openmetrics;
	const struct metric_family *open; // whose lines are being written
};

// One sample. The samples of a family must follow each other; its HELP and TYPE come before the
// first, so that a family without samples leaves no trace.
void metric_int(struct exposition *x, const struct metric_family *f, const struct metric_labels *l,
	int64_t value);
// value in thousandths.
void metric_milli(struct exposition *x, const struct metric_family *f,
	const struct metric_labels *l, int64_t value);
// A histogram of times. counts has bound_count + 1 entries, one for what is slower than every
// bound; neither they nor the bounds are cumulative sums. All times in ms.
void metric_histogram(struct exposition *x, const struct metric_family *f,
	const struct metric_labels *l, const int64_t *bounds_ms, const int64_t *counts,
	size_t bound_count, int64_t sum_ms);
// The last line.
void metric_end(struct exposition *x);

#endif
