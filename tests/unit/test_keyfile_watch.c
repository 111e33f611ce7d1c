// SPDX-License-Identifier: MIT
// The file provider's watch: whatever may change the key wakes the host, and nothing else does.
// inotify delivers before the system call that causes it returns, so no test here waits.
#include "keyfile_fixture.h"

#include <poll.h>
#include <unistd.h>

static bool woken(struct fixture *f)
{
	struct pollfd p = {.fd = f->prov->watch(f->key), .events = POLLIN};
	assert_true(p.fd >= 0);
	return poll(&p, 1, 0) == 1;
}

// Was it woken, and is it quiet after unwatch()?
static bool woken_once(struct fixture *f)
{
	bool was = woken(f);
	f->prov->unwatch(f->key);
	assert_false(woken(f));
	return was;
}

static void a_disable_wakes_and_a_neighbour_does_not(void **state)
{
	struct fixture *f = *state;
	put_text(f, OCT_SIMPLE);
	assert_false(woken(f));
	for (int i = 0; i < 3; i++) {
		char other[4200];
		(void)snprintf(other, sizeof(other), "%s.neighbour", f->path);
		FILE *out = fopen(other, "w");
		assert_non_null(out);
		(void)fputs("x", out);
		(void)fclose(out);
		assert_int_equal(unlink(other), 0);
		// Reading, as every question does, is no change either.
		struct bundle *b = get_bundle(f);
		assert_false(woken(f));
		b->versions[0].enabled = i % 2;
		put_bundle(f, b, false);
		bundle_free(&b);
		assert_true(woken_once(f));
	}
}

static void every_way_to_take_the_file_away_or_bring_it_back_wakes(void **state)
{
	struct fixture *f = *state;
	char away[4200];
	(void)snprintf(away, sizeof(away), "%s.away", f->path);
	put_text(f, OCT_SIMPLE);
	assert_false(woken(f));
	assert_int_equal(chmod(f->path, 0644), 0);
	assert_true(woken_once(f));
	assert_int_equal(rename(f->path, away), 0);
	assert_true(woken_once(f));
	assert_int_equal(rename(away, f->path), 0);
	assert_true(woken_once(f));
	assert_int_equal(unlink(f->path), 0);
	assert_true(woken_once(f));
	put_text(f, OCT_SIMPLE);
	assert_true(woken_once(f));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_true(woken_once(f));
}

static void the_directory_may_go_and_come_back(void **state)
{
	struct fixture *f = *state;
	char away[4100];
	(void)snprintf(away, sizeof(away), "%s.away", f->dir);
	put_text(f, OCT_SIMPLE);
	assert_false(woken(f));
	assert_int_equal(rename(f->dir, away), 0);
	assert_true(woken_once(f));
	assert_int_equal(rename(away, f->dir), 0);
	assert_true(woken_once(f));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rmdir(f->dir), 0);
	assert_true(woken_once(f));
	assert_int_equal(mkdir(f->dir, 0700), 0);
	assert_true(woken_once(f));
	put_text(f, OCT_SIMPLE);
	assert_true(woken_once(f));
}

static void a_watch_that_begins_before_the_bundle_exists_sees_it_come(void **state)
{
	struct fixture *f = *state;
	assert_false(woken(f));
	put_text(f, OCT_SIMPLE);
	assert_true(woken_once(f));
}

#define T(x) cmocka_unit_test_setup_teardown(x, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_disable_wakes_and_a_neighbour_does_not),
		T(every_way_to_take_the_file_away_or_bring_it_back_wakes),
		T(the_directory_may_go_and_come_back),
		T(a_watch_that_begins_before_the_bundle_exists_sees_it_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
