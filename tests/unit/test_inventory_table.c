// SPDX-License-Identifier: MIT
// The table of `cmkdisk report`: one line for each disk, which of them come first, and how wide it
// is.
#include "inventory_fixture.h"
#include "print.h"

#include <stdlib.h>

// Counted, judged and shown.
static char *table(struct inventory *r)
{
	char *text = NULL;
	size_t len = 0;
	assert_int_equal(inventory_count(r), 0);
	for (size_t i = 0; i < r->disk_count; i++)
		inventory_judge(r, &r->disks[i]);
	const struct inventory_disk **order autofree = inventory_order(r);
	FILE *f = open_memstream(&text, &len);
	assert_true(order && f);
	assert_int_equal(inventory_table(r, order, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void a_disk_is_one_line(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	add_set(&r, VAULT);
	r.sets[0].path = "/etc/cmkdisk/set.json";
	r.policy.need_set = true;
	struct inventory_disk *d = add_disk(&r, "/srv/disks/good.img");
	bind(&r, d, VAULT, "0123456789abcdef", 12)->in_use = true;
	d->mountpoint = "/mnt";
	d->state = "grace-denied";
	seen(&r, VAULT, "0123456789abcdef")->info.exp = NOW + 30 * DAY;
	d = add_disk(&r, "/srv/disks/old.img");
	bind(&r, d, "file:/k/key.json", "ffffffffffffffff", 800);
	bind(&r, d, VAULT, "0123456789abcdef", 700);
	add_disk(&r, "/srv/disks/plain.img")->kind = INVENTORY_LUKS2;
	char *text autofree = table(&r);
	assert_string_equal(text,
		"Disks below /srv/disks/\n"
		"disk       state    key            version     set       bound  left  breaches\n"
		"plain.img  luks2    -              -           -         -      -     "
		"no-customer-key\n"
		"old.img    offline  key.json       ffffffff+1  no        800d   -     "
		"other-key,age\n"
		"good.img   grace    contoso/disks  01234567    set.json  12d    30d   -\n");
}

static void breaches_come_first_and_alike_together(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	static const char names[] = "abcdef";
	for (size_t i = 0; i < 6; i++) {
		struct inventory_disk *d = add_disk(&r, (char[]){names[i], 0});
		bind(&r, d, "file:/k", "1", i % 3 == 2 ? 1000 : 1);
		d->policy.grace_denied_ms = i % 3 == 1 ? 2 * HOUR_MS : HOUR_MS;
	}
	char *text autofree = table(&r);
	const char *at = text;
	for (const char *name = "becfad"; *name; name++) {
		at = strchr(at, '\n') + 1;
		assert_int_equal(*at, *name);
	}
}

static void a_copy_is_marked(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 1);
	bind(&r, add_disk(&r, "a"), "file:/k", "1", 1000);
	char *text autofree = table(&r);
	assert_non_null(strstr(text, "1000d  -     age (copy)\n"));
	assert_non_null(strstr(text, "  1d     -     -\n"));
}

static void keys_that_share_a_short_name_are_written_out(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "a"), "file:/one/key.json", "1", 1);
	bind(&r, add_disk(&r, "b"), "file:/two/key.json", "1", 1);
	bind(&r, add_disk(&r, "c"), "file:/two/other.json", "1", 1);
	char *text autofree = table(&r);
	assert_non_null(strstr(text, "  file:/one/key.json  "));
	assert_non_null(strstr(text, "  file:/two/key.json  "));
	assert_non_null(strstr(text, "  other.json  "));
}

#define MANY 1000

// Every line but the one with the long name has its columns where the titles are.
static void of_many_disks_all_columns_stand_in_line(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	char name[256];
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(
			name, sizeof(name), i == 500 ? "/srv/%0200d" : "/srv/d\u00efsk%d", i);
		bind(&r, add_disk(&r, name), VAULT, "0123456789abcdef", i);
	}
	char *text autofree = table(&r), *rest = NULL;
	char *line = strtok_r(text, "\n", &rest), *titles = strtok_r(NULL, "\n", &rest);
	assert_non_null(line);
	assert_non_null(titles);
	size_t at = (size_t)(strstr(titles, "version") - titles), lines = 0, moved = 0;
	while ((line = strtok_r(NULL, "\n", &rest))) {
		const char *version = strstr(line, "01234567");
		assert_non_null(version);
		char before[300] = "";
		(void)snprintf(before, sizeof(before), "%.*s", (int)(version - line), line);
		lines++;
		moved += print_width(before) != at;
		assert_true(print_width(before) != at || print_width(line) <= 80);
	}
	assert_int_equal(lines, MANY);
	assert_int_equal(moved, 1);
}

static void names_do_not_steer_the_terminal(void **state)
{
	(void)state;
	struct inventory r scoped(inventory_free) = begin();
	bind(&r, add_disk(&r, "/a\033[2J\n/b"), "file:/k\033[m", "1\033", 1);
	char *text autofree = table(&r);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "Disks below /a?[2J?/\n"));
	struct inventory none scoped(inventory_free) = begin();
	char *empty autofree = table(&none);
	assert_string_equal(empty, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_one_line),
		cmocka_unit_test(breaches_come_first_and_alike_together),
		cmocka_unit_test(a_copy_is_marked),
		cmocka_unit_test(keys_that_share_a_short_name_are_written_out),
		cmocka_unit_test(of_many_disks_all_columns_stand_in_line),
		cmocka_unit_test(names_do_not_steer_the_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
