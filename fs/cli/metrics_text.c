// SPDX-License-Identifier: MIT
// See metrics_text.h.
#include "metrics_text.h"

#include <inttypes.h>

static const struct {
	const char *type, *openmetrics_type, *suffix;
} kinds[] = {
	[METRIC_GAUGE] = {"gauge", "gauge", ""},
	[METRIC_COUNTER] = {"counter", "counter", "_total"},
	[METRIC_INFO] = {"gauge", "info", "_info"},
	[METRIC_HISTOGRAM] = {"histogram", "histogram", ""},
};

struct metric_labels metric_label_add(
	const struct metric_labels *l, const char *name, const char *value)
{
	struct metric_labels more = *l;
	if (value && more.count < METRIC_LABELS)
		more.at[more.count++] = (struct metric_label){name, value};
	return more;
}

static void put_head(struct exposition *x, const struct metric_family *f)
{
	const char *suffix = x->openmetrics ? "" : kinds[f->kind].suffix;
	if (x->open == f)
		return;
	x->open = f;
	fprintf(x->to, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, suffix, f->help, f->name,
		suffix, x->openmetrics ? kinds[f->kind].openmetrics_type : kinds[f->kind].type);
}

static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", to);
		else if (*text == '\\' || *text == '"')
			fprintf(to, "\\%c", *text);
		else
			fputc(*text, to);
	}
}

// The name and the labels of a sample, and the blank before its value.
static void put_series(struct exposition *x, const struct metric_family *f, const char *suffix,
	const struct metric_labels *l)
{
	fprintf(x->to, "%s%s", f->name, suffix);
	for (size_t i = 0; i < l->count; i++) {
		fprintf(x->to, "%s%s=\"", i ? "," : "{", l->at[i].name);
		put_escaped(x->to, l->at[i].value);
		fputc('"', x->to);
	}
	fputs(l->count ? "} " : " ", x->to);
}

static void format_milli(int64_t value, char *out, size_t room)
{
	int64_t size = value < 0 ? -value : value;
	(void)snprintf(out, room, "%s%" PRId64 ".%03d", value < 0 ? "-" : "", size / 1000,
		(int)(size % 1000));
}

void metric_int(struct exposition *x, const struct metric_family *f, const struct metric_labels *l,
	int64_t value)
{
	put_head(x, f);
	put_series(x, f, kinds[f->kind].suffix, l);
	fprintf(x->to, "%" PRId64 "\n", value);
}

void metric_milli(struct exposition *x, const struct metric_family *f,
	const struct metric_labels *l, int64_t value)
{
	char text[32];
	put_head(x, f);
	put_series(x, f, kinds[f->kind].suffix, l);
	format_milli(value, text, sizeof(text));
	fprintf(x->to, "%s\n", text);
}

// Bounds are label values, which are compared as text: without zeros at the end, but for one.
static void format_bound(int64_t ms, char *out, size_t room)
{
	format_milli(ms, out, room);
	char *end = out;
	while (end[1])
		end++;
	while (*end == '0' && end[-1] != '.')
		*end-- = '\0';
}

void metric_histogram(struct exposition *x, const struct metric_family *f,
	const struct metric_labels *l, const int64_t *bounds_ms, const int64_t *counts,
	size_t bound_count, int64_t sum_ms)
{
	char text[32] = "+Inf";
	int64_t sum = 0;
	put_head(x, f);
	for (size_t i = 0; i <= bound_count; i++) {
		sum += counts[i];
		if (i < bound_count)
			format_bound(bounds_ms[i], text, sizeof(text));
		else
			(void)snprintf(text, sizeof(text), "+Inf");
		struct metric_labels bucket = metric_label_add(l, "le", text);
		put_series(x, f, "_bucket", &bucket);
		fprintf(x->to, "%" PRId64 "\n", sum);
	}
	format_milli(sum_ms, text, sizeof(text));
	put_series(x, f, "_sum", l);
	fprintf(x->to, "%s\n", text);
	put_series(x, f, "_count", l);
	fprintf(x->to, "%" PRId64 "\n", sum);
}

void metric_end(struct exposition *x)
{
	fputs("# EOF\n", x->to);
}
