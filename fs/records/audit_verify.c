// SPDX-License-Identifier: MIT
// Follows a chain from line to line. Each line must have its own hash and follow the one before it;
// bytes that are no line are accepted only where the next line, an "audit-gap" of the chain, counts
// them: a daemon found them there, as after a crash.
#include "audit.h"
#include "audit_read.h"
#include "event.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct place {
	const char *file;
	uint64_t line;
};

struct verifier {
	const struct audit_expect *expect;
	struct audit_chain *chain;
	struct errmsg *err;
	struct audit_link at; // sequence 0: before the first line
	bool last_seen;

	struct place rubble; // where bytes begin that are no line
	uint64_t rubble_bytes;
	char rubble_text[AUDIT_RUBBLE_MAX + 1]; // as far as it has room
	enum audit_problem rubble_kind;

	struct audit_reader reader;
};

static const char *const problem_names[] = {
	[AUDIT_SOUND] = "none",
	[AUDIT_ALTERED] = "altered",
	[AUDIT_MISSING] = "missing",
	[AUDIT_OUT_OF_ORDER] = "out-of-order",
	[AUDIT_CUT_OFF] = "cut-off",
	[AUDIT_NO_LINE] = "no-line",
	[AUDIT_NEW_CHAIN] = "new-chain",
	[AUDIT_EMPTY] = "empty",
};

const char *audit_problem_name(enum audit_problem p)
{
	return problem_names[p];
}

static int fault(struct verifier *v, enum audit_problem problem, struct place at, uint64_t sequence,
	const char *why)
{
	char number[40] = "";
	struct audit_chain *c = v->chain;
	c->problem = problem;
	c->file = at.file;
	c->line = at.line;
	c->sequence = sequence;
	if (sequence)
		(void)snprintf(
			number, sizeof(number), " (sequence %llu)", (unsigned long long)sequence);
	return errmsg_set(v->err, EBADMSG, "%s line %llu%s: %s", at.file,
		(unsigned long long)at.line, number, why);
}

static struct place here(const struct verifier *v)
{
	return (struct place){v->reader.file, v->reader.line};
}

// --- Bytes that are no line.

static enum audit_problem kind_of(const struct audit_reader *r)
{
	size_t n = strlen(AUDIT_LINE_BEGIN);
	if (memcmp(r->text, AUDIT_LINE_BEGIN, r->len < n ? r->len : n) != 0 || !r->len)
		return AUDIT_NO_LINE;
	return r->text[r->len - 1] == '}' ? AUDIT_ALTERED : AUDIT_CUT_OFF;
}

static void add_rubble(struct verifier *v)
{
	if (!v->rubble_bytes) {
		v->rubble = here(v);
		v->rubble_kind = kind_of(&v->reader);
	}
	const struct audit_reader *r = &v->reader;
	const uint64_t at = v->rubble_bytes;
	v->rubble_bytes += r->bytes;
	if (v->rubble_bytes > sizeof(v->rubble_text))
		return;
	memcpy(v->rubble_text + at, r->text, r->len);
	if (r->bytes > r->len)
		v->rubble_text[at + r->len] = '\n';
}

static int rubble_fault(struct verifier *v)
{
	if (v->rubble_kind == AUDIT_ALTERED)
		return fault(v, AUDIT_ALTERED, v->rubble, 0,
			"altered: the chain's members at its end are not as they were written");
	if (v->rubble_kind == AUDIT_CUT_OFF)
		return fault(v, AUDIT_CUT_OFF, v->rubble, 0,
			"cut off: its end is not there, and no later line tells that a daemon "
			"found "
			"it so after a crash");
	return fault(v, AUDIT_NO_LINE, v->rubble, 0, "not a line of an audit log");
}

struct content {
	char time[32];
	bool gap;
	int64_t lost, cut;
	char cut_hash[AUDIT_HASH_TEXT];
};

// A line tells exactly of those bytes before it that are no line.
static int check_rubble(struct verifier *v, const struct audit_line *l, const struct content *c)
{
	char hash[AUDIT_HASH_TEXT], why[160];
	const uint64_t cut = (uint64_t)c->cut, there = v->rubble_bytes;
	if (cut && !there) {
		(void)snprintf(why, sizeof(why),
			"missing: the %llu bytes before it that a daemon found to be no line are "
			"not there",
			(unsigned long long)cut);
		return fault(v, AUDIT_MISSING, here(v), l->link.sequence, why);
	}
	if (cut != there || there > sizeof(v->rubble_text))
		return rubble_fault(v);
	if (!there)
		return 0;
	int rc = audit_hash(v->rubble_text, there, hash);
	if (rc)
		return errmsg_set(
			v->err, -rc, "%s: cannot be hashed: %s", v->rubble.file, strerror(-rc));
	if (strcmp(hash, c->cut_hash) != 0)
		return fault(v, AUDIT_ALTERED, v->rubble, 0,
			"altered: it is no line, and not what a daemon found here and told in the "
			"next line");
	return 0;
}

// --- Where a line belongs.

static bool follows(const struct audit_line *l, const struct audit_link *at)
{
	return !strcmp(l->previous, at->hash) &&
	       (!at->sequence || l->link.sequence == at->sequence + 1);
}

static int out_of_order(struct verifier *v, struct place wrong, uint64_t sequence)
{
	char why[400];
	(void)snprintf(why, sizeof(why),
		"out of order: the line that belongs here stands in %.200s line %llu",
		v->reader.file, (unsigned long long)v->reader.line);
	return fault(v, AUDIT_OUT_OF_ORDER, wrong, sequence, why);
}

static int missing(struct verifier *v, struct place wrong, uint64_t sequence)
{
	char why[400];
	unsigned long long from = v->at.sequence + 1, to = sequence - 1;
	const char *more = v->at.sequence ? ""
					  : "; name the older file first, or give the last hash of "
					    "it with --after";
	if (!v->at.sequence && v->expect->after)
		(void)snprintf(why, sizeof(why),
			"missing: lines before it, for it does not follow the one that --after "
			"names");
	else if (from == to)
		(void)snprintf(why, sizeof(why), "missing: line %llu is not there%s", from, more);
	else
		(void)snprintf(why, sizeof(why), "missing: lines %llu to %llu are not there%s",
			from, to, more);
	return fault(v, AUDIT_MISSING, wrong, sequence, why);
}

// The line that should stand here is elsewhere, or gone.
static int look_ahead(struct verifier *v, uint64_t sequence)
{
	struct place wrong = here(v);
	struct audit_line l;
	int rc;
	while ((rc = audit_reader_next(&v->reader, v->err)) > 0)
		if (audit_line_parse(v->reader.text, v->reader.len, &l) && follows(&l, &v->at))
			return out_of_order(v, wrong, sequence);
	return rc ? rc : missing(v, wrong, sequence);
}

static int misplaced(struct verifier *v, const struct audit_line *l)
{
	uint64_t sequence = l->link.sequence;
	bool first = !v->at.sequence;
	if (first && v->expect->after)
		return look_ahead(v, sequence);
	if (sequence > v->at.sequence + 1)
		return look_ahead(v, sequence);
	if (sequence == v->at.sequence + 1)
		return fault(v, AUDIT_ALTERED, here(v), sequence,
			first ? "altered: it does not begin a chain, though it is the first"
			      : "altered: it does not carry the hash of the line before it; one "
				"of the two was replaced");
	if (sequence == 1 && l->previous[strspn(l->previous, "0")] == '\0')
		return fault(v, AUDIT_NEW_CHAIN, here(v), sequence,
			"a new chain begins: the log was empty when its daemon started, or was "
			"emptied; what may be missing before it cannot be told");
	return fault(v, AUDIT_OUT_OF_ORDER, here(v), sequence,
		"out of order: a line of this sequence number was there already");
}

// --- One line.

static int read_content(const struct audit_reader *r, struct content *out)
{
	struct json *j scoped(json_free) = NULL;
	int rc = json_parse(r->text, r->len, &j);
	if (rc)
		return rc;
	const char *time = json_str(j, "time"), *event = json_str(j, "event");
	if (!time || !event || strlen(time) >= sizeof(out->time))
		return -EBADMSG;
	*out = (struct content){.gap = !strcmp(event, event_name(EVENT_AUDIT_GAP))};
	(void)snprintf(out->time, sizeof(out->time), "%s", time);
	if (out->gap) {
		(void)json_int(j, "lost", &out->lost);
		(void)json_int(j, "cutBytes", &out->cut);
		const char *hash = json_str(j, "cutHash");
		(void)snprintf(out->cut_hash, sizeof(out->cut_hash), "%s", hash ? hash : "");
	}
	return out->lost < 0 || out->cut < 0 ? -EBADMSG : 0;
}

static void count(struct verifier *v, const struct audit_line *l, const struct content *content)
{
	struct audit_chain *c = v->chain;
	if (!c->lines++) {
		c->first = l->link.sequence;
		memcpy(c->first_time, content->time, sizeof(c->first_time));
	}
	v->at = l->link;
	c->last = l->link.sequence;
	memcpy(c->last_hash, l->link.hash, sizeof(c->last_hash));
	memcpy(c->last_time, content->time, sizeof(c->last_time));
	c->gaps += content->gap;
	c->lost += (uint64_t)content->lost;
	v->rubble_bytes = 0;
	if (v->expect->last && !strcmp(v->expect->last, l->link.hash))
		v->last_seen = true;
}

static int check_line(struct verifier *v)
{
	const struct audit_reader *r = &v->reader;
	struct audit_line l;
	struct content content;
	if (!audit_line_parse(r->text, r->len, &l)) {
		add_rubble(v);
		return 0;
	}
	bool fits = audit_line_fits(r->text, &l);
	int rc = fits ? read_content(r, &content) : 0;
	if (rc == -ENOMEM)
		return errmsg_set(v->err, ENOMEM, "%s: no memory to read it", r->file);
	// What stands first is told first.
	if (v->rubble_bytes && (!fits || rc))
		return rubble_fault(v);
	if (!fits)
		return fault(v, AUDIT_ALTERED, here(v), l.link.sequence,
			"altered: its hash does not fit");
	if (rc)
		return fault(v, AUDIT_NO_LINE, here(v), l.link.sequence,
			"not a line of an audit log, though its hash fits");
	rc = check_rubble(v, &l, &content);
	if (rc)
		return rc;
	if (!follows(&l, &v->at))
		return misplaced(v, &l);
	count(v, &l, &content);
	return 0;
}

static int check_end(struct verifier *v)
{
	struct place end = {v->reader.file, v->reader.line};
	if (v->rubble_bytes)
		return rubble_fault(v);
	if (v->expect->last && !v->last_seen)
		return fault(v, AUDIT_MISSING, end, v->chain->last,
			"missing: no line has the hash that --last names; lines after this one "
			"are not there, or it is the hash of another log");
	if (!v->chain->lines)
		return fault(v, AUDIT_EMPTY, end, 0,
			"empty: there is no line at all; a log whose daemon has started has one");
	return 0;
}

int audit_verify(char *const *files, size_t file_count, const struct audit_expect *expect,
	struct audit_chain *out, struct errmsg *err)
{
	*out = (struct audit_chain){.lines = 0};
	struct verifier *v autofree = calloc(1, sizeof(*v));
	if (!v)
		return errmsg_set(err, ENOMEM, "no memory to verify an audit log");
	v->expect = expect;
	v->chain = out;
	v->err = err;
	audit_link_start(&v->at);
	if (expect->after)
		(void)snprintf(v->at.hash, sizeof(v->at.hash), "%s", expect->after);
	audit_reader_init(&v->reader, files, file_count);
	int rc = 0;
	while (!rc) {
		int more = audit_reader_next(&v->reader, err);
		if (more <= 0) {
			rc = more ? more : check_end(v);
			break;
		}
		rc = check_line(v);
	}
	audit_reader_close(&v->reader);
	return rc;
}
