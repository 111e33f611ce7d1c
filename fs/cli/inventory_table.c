// SPDX-License-Identifier: MIT
// The table of a report: one line for each disk, those that break the policy first.
#include "inventory.h"
#include "keyguard.h"
#include "keyurl.h"
#include "print.h"
#include "scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// A longer name moves the rest of its own line, not of all.
#define WIDEST 48
#define VERSION_SHOWN 8
#define CELL_MAX 4097

enum column { DISK, STATE, KEY, VERSION, SET, BOUND, LEFT, PADDED, BREACHES = PADDED, COLUMNS };

static const char *const titles[COLUMNS] = {
	"disk", "state", "key", "version", "set", "bound", "left", "breaches"};

struct table {
	const struct inventory *r;
	char (*names)[BINDING_URL_MAX]; // of the keys
	size_t strip;			// what all paths begin with: a directory and its slash
	unsigned width[PADDED];
};

static size_t rank(const struct inventory_disk *d)
{
	return d->breach_count ? (size_t)d->breaches[0].kind : BREACH_COUNT;
}

static int by_breach(const void *one, const void *other)
{
	const struct inventory_disk *a = *(const struct inventory_disk *const *)one,
				    *b = *(const struct inventory_disk *const *)other;
	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? -1 : 1;
	return a < b ? -1 : a > b; // as they were named
}

const struct inventory_disk **inventory_order(const struct inventory *r)
{
	const struct inventory_disk **order = calloc(r->disk_count + 1, sizeof(*order));
	for (size_t i = 0; order && i < r->disk_count; i++)
		order[i] = &r->disks[i];
	if (order)
		qsort(order, r->disk_count, sizeof(*order), by_breach);
	return order;
}

const char *inventory_state(const struct inventory_disk *d)
{
	if (d->kind != INVENTORY_CMKDISK)
		return inventory_kind_name(d->kind);
	if (!d->mountpoint)
		return "offline";
	return d->state && !strncmp(d->state, "grace", 5) ? "grace" : d->state ? d->state : "-";
}

// Short ones, but for keys that would share it.
static int name_keys(struct table *t)
{
	const struct inventory *r = t->r;
	char(*shorts)[KEY_URL_SHORT_MAX] autofree = calloc(r->key_count + 1, sizeof(*shorts));
	t->names = calloc(r->key_count + 1, sizeof(*t->names));
	if (!shorts || !t->names)
		return -ENOMEM;
	for (size_t i = 0; i < r->key_count; i++)
		key_url_short(r->keys[i].url, shorts[i]);
	for (size_t i = 0; i < r->key_count; i++) {
		bool shared = false;
		for (size_t j = 0; !shared && j < r->key_count; j++)
			shared = j != i && !strcmp(shorts[i], shorts[j]);
		(void)snprintf(t->names[i], sizeof(t->names[i]), "%s",
			shared ? r->keys[i].url : shorts[i]);
	}
	return 0;
}

static size_t common_directory(const struct inventory *r)
{
	const char *first = r->disk_count ? r->disks[0].backing : "";
	size_t len = strlen(first);
	for (size_t i = 1; i < r->disk_count; i++) {
		size_t n = 0;
		while (n < len && first[n] == r->disks[i].backing[n])
			n++;
		len = n;
	}
	while (len && first[len - 1] != '/')
		len--;
	return len > 1 ? len : 0;
}

static void set_cell(const struct inventory *r, size_t set, char *out)
{
	const char *path = set == INVENTORY_NONE ? NULL : r->sets[set].path;
	const char *slash = path ? strrchr(path, '/') : NULL;
	(void)snprintf(out, CELL_MAX, "%s",
		slash  ? slash + 1
		: path ? path
		       : (r->set_count ? "no" : "-"));
}

static void key_cell(const struct table *t, const struct inventory_disk *d,
	const struct inventory_binding *b, enum column c, char *out)
{
	const struct inventory *r = t->r;
	const struct inventory_version *v = &r->keys[b->key].versions[b->version];
	if (c == KEY)
		(void)snprintf(out, CELL_MAX, "%s", t->names[b->key]);
	else if (c == VERSION && d->binding_count > 1)
		(void)snprintf(out, CELL_MAX, "%.*s+%zu", VERSION_SHOWN, v->info.version,
			d->binding_count - 1);
	else if (c == VERSION)
		(void)snprintf(out, CELL_MAX, "%.*s", VERSION_SHOWN, v->info.version);
	else if (c == SET)
		set_cell(r, b->set, out);
	else if (c == BOUND && b->created)
		(void)snprintf(out, CELL_MAX, "%" PRId64 "d", inventory_days(r, b->created));
	else if (c == LEFT && v->seen && v->info.exp)
		(void)snprintf(
			out, CELL_MAX, "%" PRId64 "d", keyguard_days_left(v->info.exp, r->now));
}

static void breaches_cell(const struct inventory_disk *d, char *out)
{
	size_t used = d->breach_count ? 0 : (size_t)snprintf(out, CELL_MAX, "-");
	for (size_t i = 0; i < d->breach_count; i++)
		used += (size_t)snprintf(out + used, CELL_MAX - used, "%s%s", i ? "," : "",
			inventory_breach_name(d->breaches[i].kind));
	(void)snprintf(out + used, CELL_MAX - used, "%s", d->copy ? " (copy)" : "");
}

static void cell(
	const struct table *t, const struct inventory_disk *d, enum column c, char out[CELL_MAX])
{
	const struct inventory_binding *b = inventory_main_binding(d);
	(void)snprintf(out, CELL_MAX, "-");
	if (c == DISK)
		(void)snprintf(out, CELL_MAX, "%s", d->backing + t->strip);
	else if (c == STATE)
		(void)snprintf(out, CELL_MAX, "%s", inventory_state(d));
	else if (c == BREACHES)
		breaches_cell(d, out);
	else if (b)
		key_cell(t, d, b, c, out);
	text_sanitise(out);
}

static void measure(struct table *t)
{
	char text[CELL_MAX];
	for (enum column c = 0; c < PADDED; c++) {
		t->width[c] = print_width(titles[c]);
		for (size_t i = 0; i < t->r->disk_count; i++) {
			cell(t, &t->r->disks[i], c, text);
			unsigned n = print_width(text);
			if (n > t->width[c] && n <= WIDEST)
				t->width[c] = n;
		}
	}
}

static void put(FILE *to, const struct table *t, enum column c, const char *text)
{
	(void)fputs(text, to);
	for (unsigned n = print_width(text); c < PADDED && n < t->width[c]; n++)
		(void)fputc(' ', to);
	(void)fputs(c < PADDED ? "  " : "\n", to);
}

int inventory_table(const struct inventory *r, const struct inventory_disk *const *order, FILE *to)
{
	char text[CELL_MAX];
	struct table t = {.r = r, .strip = common_directory(r)};
	int rc = name_keys(&t);
	char(*names)[BINDING_URL_MAX] autofree = t.names;
	if (rc || !names || !r->disk_count)
		return rc;
	measure(&t);
	if (t.strip) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)t.strip, r->disks[0].backing);
		text_sanitise(text);
		(void)fprintf(to, "Disks below %s\n", text);
	}
	for (enum column c = 0; c < COLUMNS; c++)
		put(to, &t, c, titles[c]);
	for (size_t i = 0; i < r->disk_count; i++)
		for (enum column c = 0; c < COLUMNS; c++) {
			cell(&t, order[i], c, text);
			put(to, &t, c, text);
		}
	return 0;
}
