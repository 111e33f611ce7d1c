// SPDX-License-Identifier: MIT
// The report for a terminal: 96 columns, no colour, cells that wrap.
#include "report.h"

#include "scope.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COLUMNS_MAX 4
#define PAGE_WIDTH 96

struct column {
	int width;
	bool right;
};

// Columns that UTF-8 takes: one for each code point.
static size_t columns_of(const char *s, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

// Bytes of s that fit into width columns, broken at a blank only: a URL stays in one piece, and a
// number with its unit.
static size_t fitting(const char *s, size_t width)
{
	size_t n = 0, blank = 0, columns = 0;
	for (; s[n]; n++) {
		columns += ((unsigned char)s[n] & 0xc0) != 0x80;
		if (columns > width && blank)
			return blank;
		if (s[n] == ' ' && !report_bound(s, s + n))
			blank = n;
		if (columns > width && blank)
			return blank;
	}
	return n;
}

static void pad(FILE *f, size_t blanks)
{
	(void)fprintf(f, "%*s", (int)blanks, "");
}

// Takes one line out of a cell; false if nothing is left of it.
static bool cell_line(FILE *f, const struct column *c, const char **rest, size_t *owed)
{
	size_t n = fitting(*rest, (size_t)c->width), columns = columns_of(*rest, n);
	size_t spare = (size_t)c->width > columns ? (size_t)c->width - columns : 0;
	if (n) {
		pad(f, *owed + (c->right ? spare : 0));
		(void)fprintf(f, "%.*s", (int)n, *rest);
		*owed = c->right ? 0 : spare;
	} else {
		*owed += (size_t)c->width;
	}
	*rest += n;
	*rest += strspn(*rest, " ");
	return **rest != 0;
}

// A row of a table; cells wrap within their columns, two blanks between them.
static void row(FILE *f, const struct column *c, size_t count, const char *const *cells)
{
	const char *rest[COLUMNS_MAX];
	bool more = true;
	for (size_t i = 0; i < count; i++)
		rest[i] = cells[i];
	while (more) {
		size_t owed = 0; // blanks that are printed only if something follows
		more = false;
		for (size_t i = 0; i < count; i++) {
			owed += 2;
			more |= cell_line(f, &c[i], &rest[i], &owed);
		}
		(void)fprintf(f, "\n");
	}
}

// "name   value", wrapped.
static void fact(FILE *f, const char *name, const char *value)
{
	static const struct column two[] = {{9, false}, {PAGE_WIDTH - 13, false}};
	char clean[1024];
	row(f, two, 2, (const char *const[]){name, report_clean(value, clean, sizeof(clean))});
}

static void paragraph(FILE *f, const char *text)
{
	static const struct column one[] = {{PAGE_WIDTH - 2, false}};
	char clean[1024];
	row(f, one, 1, (const char *const[]){report_clean(text, clean, sizeof(clean))});
}

static void timeline(const struct played *p, FILE *f)
{
	static const struct column three[] = {{13, true}, {13, true}, {64, false}};
	row(f, three, 3, (const char *const[]){"since start", "since the act", "what happened"});
	for (size_t i = 0; i < p->mark_count; i++) {
		const struct mark *m = &p->marks[i];
		char at[REPORT_NUMBER], after[REPORT_NUMBER], clean[sizeof(m->text)],
			line[sizeof(m->text) + 64];
		report_clock(m->at_us, at);
		report_since_act(p, m, after);
		(void)snprintf(line, sizeof(line), "%s%s%s", report_mark_label(m),
			m->text[0] ? ": " : "", report_clean(m->text, clean, sizeof(clean)));
		row(f, three, 3, (const char *const[]){at, after, line});
	}
	if (report_act_note(p))
		paragraph(f, report_act_note(p));
	(void)fprintf(f, "\n");
}

static void promises(const struct played *p, FILE *f)
{
	static const struct column four[] = {{42, false}, {19, false}, {18, false}, {9, false}};
	char promised[96], measured[96], why[256];
	row(f, four, 4, (const char *const[]){"promise", "promised", "measured", "verdict"});
	for (size_t i = 0; i < p->promise_count; i++) {
		const struct promise *q = &p->promises[i];
		row(f, four, 4,
			(const char *const[]){q->what,
				report_clean(report_said(q->promised), promised, sizeof(promised)),
				report_clean(report_said(q->measured), measured, sizeof(measured)),
				report_verdict(q->outcome)});
		if (q->why[0]) {
			static const struct column below[] = {{2, false}, {PAGE_WIDTH - 6, false}};
			row(f, below, 2,
				(const char *const[]){
					"->", report_clean(q->why, why, sizeof(why))});
		}
	}
	(void)fprintf(f, "\n");
}

static void io(const struct played *p, FILE *f)
{
	char reads[REPORT_NUMBER], writes[REPORT_NUMBER], failed[REPORT_NUMBER], in[32], out[32],
		line[384];
	report_count(p->reads, reads);
	report_count(p->writes, writes);
	report_count(p->failed, failed);
	format_size(p->bytes_read, in, sizeof(in));
	format_size(p->bytes_written, out, sizeof(out));
	(void)snprintf(line, sizeof(line), "%s reads (%s), %s writes (%s), %s failed%s%s%s", reads,
		in, writes, out, failed, p->errors[0] ? " (" : "", p->errors,
		p->errors[0] ? ")" : "");
	fact(f, "I/O", line);
	format_size(p->bytes_verified, in, sizeof(in));
	format_size(p->bytes_wrong, out, sizeof(out));
	(void)snprintf(line, sizeof(line), "%s read back and compared, %s wrong", in, out);
	fact(f, "verified", line);
}

static void scenario(const struct played *p, size_t number, FILE *f)
{
	char policy[256], when[REPORT_NUMBER], took[REPORT_NUMBER], line[80];
	(void)fprintf(f, "\n%zu. %s (%s): %s\n\n", number, p->title, p->scenario,
		report_verdict(p->outcome));
	if (p->expected) {
		paragraph(f, p->expected);
		(void)fprintf(f, "\n");
	}
	if (p->key_url[0])
		fact(f, "key", p->key_url);
	fact(f, "provider", p->provider);
	report_policy(&p->policy, policy, sizeof(policy));
	fact(f, "policy", policy);
	report_wall(p->began_wall_us, when);
	report_took(p->took_us, took);
	(void)snprintf(line, sizeof(line), "%s, took %s", when, took);
	fact(f, "played", line);
	if (p->failure[0])
		fact(f, "failure", p->failure);
	(void)fprintf(f, "\n");
	if (p->mark_count)
		timeline(p, f);
	if (p->promise_count)
		promises(p, f);
	if (p->slice_count)
		io(p, f);
}

static void head(const struct rehearsal *r, FILE *f)
{
	char when[REPORT_NUMBER], took[REPORT_NUMBER], line[384];
	(void)fprintf(f, "Rehearsal: %s\n\n", report_verdict(r->outcome));
	report_wall(r->began_wall_us, when);
	report_took(r->took_us, took);
	(void)snprintf(line, sizeof(line), "%s, took %s", when, took);
	fact(f, "when", line);
	(void)snprintf(line, sizeof(line), "%s, with cmkdisk %s", r->host, r->version);
	fact(f, "where", line);
	fact(f, "key",
		r->own_key ? "made for the rehearsal, in a key store of its own"
			   : "the operator's, and changed by the operator alone");
	(void)snprintf(line, sizeof(line), "%s, on %s", r->load, r->on);
	fact(f, "load", line);
}

int report_text(const struct rehearsal *r, FILE *f)
{
	char summary[160];
	head(r, f);
	for (size_t i = 0; i < r->count; i++)
		scenario(&r->played[i], i + 1, f);
	(void)fprintf(f, "\n");
	static const struct column two[] = {{9, false}, {PAGE_WIDTH - 13, false}};
	for (size_t i = 0; i < r->count; i++)
		row(f, two, 2,
			(const char *const[]){
				report_verdict(r->played[i].outcome), r->played[i].title});
	report_summary(r, summary, sizeof(summary));
	(void)fprintf(f, "\n%s: %s\n", report_verdict(r->outcome), summary);
	return fflush(f) || ferror(f) ? -EIO : 0;
}
