// SPDX-License-Identifier: MIT
// The table, and the JSON object; members of the latter are only ever added.
#include "keyset_show.h"
#include "clock.h"
#include "json_build.h"
#include "keyset.h"
#include "keyset_probe.h"
#include "print.h"
#include "scope.h"
#include "verdict.h"

#include <inttypes.h>
#include <stdio.h>

#define CELLS "%-34s %-9s %-9s %-9s"

static const char *cell(const struct probe_try *t)
{
	static const char *const words[] = {[CMK_GRANTED] = "ok",
		[CMK_DENIED] = "refused",
		[CMK_UNREACHABLE] = "no answer",
		[CMK_MISCONFIGURED] = "set-up",
		[CMK_BAD_BLOB] = "wrong"};
	int v = (int)t->answer.verdict;
	if (!t->asked)
		return "not tried";
	return v >= 0 && v < (int)(sizeof(words) / sizeof(words[0])) ? words[v] : "no answer";
}

static void print_attributes(const struct probe_row *row)
{
	const struct cmk_key_info *i = &row->info;
	char when[32], date[96] = "no date of expiry", bits[24] = "";
	int64_t now = clock_wall_s(clock_real());
	format_time(i->exp, when, sizeof(when));
	if (i->exp && i->exp <= now)
		(void)snprintf(date, sizeof(date), "expired %s", when);
	else if (i->exp)
		(void)snprintf(date, sizeof(date), "expires %s (in %" PRId64 " days)", when,
			keyguard_days_left(i->exp, now));
	if (i->bits)
		(void)snprintf(bits, sizeof(bits), ", %" PRIu32 " bits", i->bits);
	print_line("  %s%s%s%s, %s, recovery level %s", i->kty[0] ? i->kty : "key of unknown type",
		row->alg[0] ? ", " : "", row->alg, bits, date,
		i->recovery_level[0] ? i->recovery_level : "unknown");
}

// What was answered, once for all that failed alike. What only get was answered stands in the
// warning that nothing can be seen.
static void print_failures(const struct probe_row *row)
{
	for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
		char names[64] = "", sentence[PROBE_SENTENCE_MAX];
		size_t used = 0, alike = 0;
		bool told = false;
		for (enum permission q = 0; q < PERMISSION_COUNT; q++) {
			if (!probe_fails_alike(row, p, q))
				continue;
			told |= q < p;
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
				alike++ ? ", " : "", permission_names[q]);
		}
		if (!alike || told || (p == PERMISSION_GET && alike == 1))
			continue;
		probe_sentence(&row->tries[p], sentence);
		print_line("  %s: %s", names, sentence);
	}
}

static void print_row(const struct probe_row *row)
{
	print_line(CELLS "%s%s%s", row->version[0] ? row->version : "(unknown)",
		cell(&row->tries[PERMISSION_GET]), cell(&row->tries[PERMISSION_WRAP]),
		cell(&row->tries[PERMISSION_UNWRAP]), row->newest ? " newest" : "",
		row->named ? " named" : "", row->used ? " used" : "");
	if (row->tries[PERMISSION_GET].answer.verdict == CMK_GRANTED)
		print_attributes(row);
	print_failures(row);
	if (row->dates)
		print_line("  %s", row->dates_sentence.text);
	for (size_t i = 0; i < row->warnings.count; i++)
		print_line("  warning: %s", row->warnings.text[i]);
}

void keyset_show_text(const struct keyset *k, const struct probe *p)
{
	print_line("%s", k->key_url);
	print_line(CELLS, "version", permission_names[PERMISSION_GET],
		permission_names[PERMISSION_WRAP], permission_names[PERMISSION_UNWRAP]);
	for (size_t i = 0; i < p->count; i++)
		print_row(&p->rows[i]);
}

static void attributes(struct builder *b, const struct keyset *k, const struct probe_row *row)
{
	const struct cmk_key_info *i = &row->info;
	int64_t now = clock_wall_s(clock_real());
	text(b, "type", i->kty);
	text(b, "recoveryLevel", i->recovery_level);
	if (i->bits)
		num(b, "bits", (uint64_t)i->bits);
	if (i->enabled >= 0)
		yes(b, "enabled", i->enabled);
	if (i->created)
		num(b, "created", (uint64_t)i->created);
	if (i->nbf)
		num(b, "notBefore", (uint64_t)i->nbf);
	if (i->exp) {
		num(b, "expires", (uint64_t)i->exp);
		num(b, "daysLeft", (uint64_t)keyguard_days_left(i->exp, now));
	}
	yes(b, "nearExpiry", keyguard_near_expiry(i, k->near_expiry_s, now));
	yes(b, "purgeable", keyguard_purgeable(i));
}

static void permission_json(struct builder *list, const char *name, const struct probe_try *t)
{
	struct builder b = element(list);
	text(&b, "permission", name);
	text(&b, "verdict", t->asked ? verdict_name((int)t->answer.verdict) : NULL);
	text(&b, "reason", t->asked ? reason_name((int)t->answer.reason) : NULL);
	text(&b, "sentence", t->asked ? t->answer.sentence : NULL);
	text(&b, "requestId", t->asked ? t->answer.request_id : NULL);
	end(list, &b);
}

static void row_json(struct builder *rows, const struct keyset *k, const struct probe_row *row)
{
	struct builder b = element(rows);
	text(&b, "version", row->version);
	yes(&b, "newest", row->newest);
	yes(&b, "named", row->named);
	yes(&b, "used", row->used);
	text(&b, "alg", row->alg);
	attributes(&b, k, row);
	struct builder permissions = list_in(&b, "permissions");
	for (enum permission p = 0; p < PERMISSION_COUNT; p++)
		permission_json(&permissions, permission_names[p], &row->tries[p]);
	end(&b, &permissions);
	struct builder warnings = list_in(&b, "warnings");
	if (row->dates)
		item_str(&warnings, row->dates_sentence.text);
	for (size_t i = 0; i < row->warnings.count; i++)
		item_str(&warnings, row->warnings.text[i]);
	end(&b, &warnings);
	end(rows, &b);
}

int keyset_show_json(const struct keyset *k, const struct probe *p)
{
	struct builder b = object(0);
	struct json *root scoped(json_free) = b.o;
	text(&b, "keyUrl", k->key_url);
	text(&b, "encryptionType", k->encryption_type);
	if (k->rotation != KEYSET_ROTATION_UNSET)
		yes(&b, "rotationToLatestKeyVersionEnabled", k->rotation == KEYSET_ROTATION_ON);
	yes(&b, "usable", !p->rc);
	struct builder rows = list_in(&b, "versions");
	for (size_t i = 0; i < p->count; i++)
		row_json(&rows, k, &p->rows[i]);
	end(&b, &rows);
	return b.rc ? b.rc : print_json_value(root);
}
