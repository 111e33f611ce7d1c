// SPDX-License-Identifier: MIT
// See status_line.h.
#include "status_line.h"
#include "bytes.h"
#include "errmsg.h"
#include "print.h"
#include "status_row.h"
#include "status_why.h"

#include <inttypes.h>
#include <string.h>

#define BAR 10
#define LEFT 8	  // "23:59:59"
#define VERSION 8 // of a key version
// What else a line must have room for, or a column is left out: the bar, the version.
#define BESIDE_BAR 12
#define BESIDE_VERSION 20

static const char *skip(const char *text, unsigned count)
{
	for (; count && *text; count--) {
		size_t n = utf8_sequence((const uint8_t *)text, strlen(text));
		text += n ? n : 1;
	}
	return text;
}

unsigned status_cut(FILE *to, const char *text, unsigned columns)
{
	unsigned all = print_width(text), kept = all <= columns ? all : columns - 1;
	if (!columns)
		return 0;
	const char *end = skip(text, kept);
	(void)fwrite(text, 1, (size_t)(end - text), to);
	if (all > columns)
		(void)fputs("\u2026", to);
	return all > columns ? columns : all;
}

static void cell(FILE *to, const char *text, unsigned columns)
{
	for (unsigned n = status_cut(to, text, columns); n < columns; n++)
		(void)fputc(' ', to);
}

// Of a path the end tells more than the beginning.
static void path_cell(FILE *to, const char *path, unsigned columns)
{
	unsigned all = print_width(path);
	if (columns && all > columns) {
		(void)fputs("\u2026", to);
		path = skip(path, all - columns + 1);
		columns--;
	}
	cell(to, path, columns);
}

// Widths of the columns; 0: left out.
struct table {
	unsigned disk, state, bar, version, sentence;
	bool with_mount;
};

static void name_of(const struct status_row *r, bool with_mount, char *out, size_t room)
{
	if (!r->name[0] || with_mount)
		(void)snprintf(out, room, "%s%s%s", r->mount[0] ? r->mount : "(unknown mount)",
			r->name[0] ? "/" : "", r->name);
	else
		(void)snprintf(out, room, "%s", r->name);
}

static struct table table_for(
	const struct status_rows *rows, const struct status_look *look, bool one_mount)
{
	struct table t = {.disk = 4, .state = 5, .with_mount = !one_mount};
	unsigned width = look->columns - 1, used;
	char name[4096 + 512];
	for (size_t i = 0; i < rows->count; i++) {
		name_of(&rows->at[i], t.with_mount, name, sizeof(name));
		if (print_width(name) > t.disk)
			t.disk = print_width(name);
		if (print_width(rows->at[i].state) > t.state)
			t.state = print_width(rows->at[i].state);
	}
	t.disk = t.disk < width / 3 ? t.disk : width / 3;
	t.state = t.state < width * 2 / 5 ? t.state : width * 2 / 5;
	used = t.disk + 2 + t.state + 2 + LEFT + 2;
	t.bar = used + BAR + 4 + BESIDE_BAR <= width ? BAR + 2 : 0;
	used += t.bar ? t.bar + 2 : 0;
	t.version = used + VERSION + 2 + BESIDE_VERSION <= width ? VERSION : 0;
	used += t.version ? t.version + 2 : 0;
	t.sentence = used < width ? width - used : 0;
	return t;
}

static void format_left(const struct status_row *r, char *out, size_t room)
{
	int64_t s = r->left_s;
	out[0] = '\0';
	if (r->rank == ROW_GRACE && s >= 3600)
		(void)snprintf(out, room, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60),
			(int)(s % 60));
	else if (r->rank == ROW_GRACE)
		(void)snprintf(out, room, "%02d:%02d", (int)(s / 60), (int)(s % 60));
}

// What is left of the grace: "[######----]"; nothing of it when stopped, no bar when active.
static void format_bar(const struct status_row *r, char out[BAR + 3])
{
	int64_t whole = r->grace_s > 0 ? r->grace_s : 1,
		left = r->rank == ROW_GRACE ? r->left_s : 0;
	out[0] = '\0';
	if (r->rank != ROW_GRACE && r->rank != ROW_STOPPED)
		return;
	for (int i = 0; i < BAR; i++)
		out[1 + i] = left * BAR > i * whole ? '#' : '-';
	out[0] = '[';
	memcpy(out + 1 + BAR, "]", 2);
}

static const char *colour_of(const struct status_row *r)
{
	if (r->rank == ROW_GRACE)
		return "\033[33m";
	return r->rank == ROW_STOPPED || r->rank == ROW_NO_DAEMON ? "\033[31m" : "";
}

static void put_row(FILE *to, const struct status_row *r, const struct table *t, bool coloured)
{
	char name[4096 + 512], left[32], bar[BAR + 3], why[sizeof(r->sentence) + 32];
	const char *colour = coloured ? colour_of(r) : "";
	name_of(r, t->with_mount, name, sizeof(name));
	format_left(r, left, sizeof(left));
	format_bar(r, bar);
	path_cell(to, name, t->disk);
	(void)fprintf(to, "  %s", colour);
	cell(to, r->state, t->state);
	(void)fprintf(to, "  %*s  ", LEFT, left);
	if (t->bar) {
		cell(to, bar, t->bar);
		(void)fputs("  ", to);
	}
	(void)fputs(*colour ? "\033[0m" : "", to);
	if (t->version) {
		cell(to, r->version, t->version);
		(void)fputs("  ", to);
	}
	bool lost = r->rank == ROW_GRACE || r->rank == ROW_STOPPED;
	const char *words = lost ? status_why_words(r->reason) : "";
	(void)snprintf(
		why, sizeof(why), "%s%s%s", words, *words ? ": " : "", r->sentence + r->why_at);
	(void)status_cut(to, why, t->sentence);
}

static void put_titles(FILE *to, const struct table *t)
{
	cell(to, "DISK", t->disk);
	(void)fputs("  ", to);
	cell(to, "STATE", t->state);
	(void)fprintf(to, "  %*s  ", LEFT, "STOPS IN");
	if (t->bar)
		(void)fprintf(to, "%-*s  ", (int)t->bar, "GRACE LEFT");
	if (t->version)
		(void)fprintf(to, "%-*s  ", VERSION, "VERSION");
	(void)status_cut(to, "WHY", t->sentence);
}

// "1 STOPPED, 2 active", from the first'th row on.
static void format_sum(const struct status_rows *rows, size_t first, char *out, size_t room)
{
	static const char *const words[ROW_RANKS] = {
		"without a daemon", "STOPPED", "in grace", "gone", "active"};
	size_t counts[ROW_RANKS] = {0}, used = 0;
	for (size_t i = first; i < rows->count; i++)
		counts[rows->at[i].rank]++;
	out[0] = '\0';
	for (size_t i = 0; i < ROW_RANKS; i++)
		if (counts[i] && used < room)
			used += (size_t)snprintf(out + used, room - used, "%s%zu %s",
				used ? ", " : "", counts[i], words[i]);
}

static void put_sum(FILE *to, const struct status_rows *rows, const struct status_look *look,
	const char *scope, int64_t wall_s)
{
	char sum[160], now[32], line[4096 + 256];
	format_time(wall_s, now, sizeof(now));
	format_sum(rows, 0, sum, sizeof(sum));
	(void)snprintf(line, sizeof(line), "%s  %s%s%s", now, scope ? scope : "", scope ? "  " : "",
		rows->count ? sum : "no cmkdisk mounts");
	text_sanitise(line);
	(void)status_cut(to, line, look->columns - 1);
}

void status_picture(FILE *to, const struct status_rows *rows, const struct status_look *look,
	const char *scope, int64_t wall_s, const char *between)
{
	struct table t = table_for(rows, look, scope != NULL);
	bool heads = look->lines >= 5;
	size_t room = look->lines - (heads ? 2 : 0), shown = rows->count;
	if (shown > room)
		shown = room - 1;
	if (heads) {
		put_sum(to, rows, look, scope, wall_s);
		(void)fputs(between, to);
		put_titles(to, &t);
	}
	for (size_t i = 0; i < shown; i++) {
		(void)fputs(heads || i ? between : "", to);
		put_row(to, &rows->at[i], &t, look->colour);
	}
	if (shown < rows->count) {
		char rest[160], more[200];
		format_sum(rows, shown, rest, sizeof(rest));
		(void)snprintf(more, sizeof(more), "and %zu more: %s", rows->count - shown, rest);
		(void)fputs(heads || shown ? between : "", to);
		(void)status_cut(to, more, look->columns - 1);
	}
}

void status_plain_line(FILE *to, const struct status_row *r, int64_t wall_s)
{
	char now[32], name[4096 + 512], left[32], grace[32];
	format_time(wall_s, now, sizeof(now));
	name_of(r, true, name, sizeof(name));
	format_seconds(r->left_s, left, sizeof(left));
	format_seconds(r->grace_s, grace, sizeof(grace));
	(void)fprintf(to, "%s %s: %s", now, name, r->state);
	if (r->rank == ROW_GRACE)
		(void)fprintf(to, ", stops in %s (of %s)", left, grace);
	if (r->version[0])
		(void)fprintf(to, "; key version %s", r->version);
	(void)fprintf(to, "%s%s\n", r->sentence[0] ? ": " : "", r->sentence);
}
