// SPDX-License-Identifier: MIT
// Moves that broke off: the header tells what is to go, and whoever opens it with the new binding
// ends it.
#include "rebind_fixture.h"

static int commit_to(struct world *w, struct agent *a, const char *version,
	const struct binding *present, struct rebind **r)
{
	assert_int_equal(prepare(w, a, version, r), 0);
	return rebind_commit(w->v, w->dek, present, *r, &w->err);
}

// The binding of the header that this one names.
static struct binding there(const struct world *w, const struct binding *b)
{
	for (size_t i = 0; i < bindings(w); i++)
		if (binding_same(&volume_info(w->v)->bindings[i], b))
			return volume_info(w->v)->bindings[i];
	fail_msg("not in the header");
	return *b;
}

static const struct binding *left(const struct world *w, const struct binding *b)
{
	return rebind_left(b, volume_info(w->v)->bindings, bindings(w));
}

// Whoever opens it with the new binding needs nothing but the header to end the move.
static void the_header_tells_how_a_move_to_another_key_ends(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r = NULL;
	assert_int_equal(commit_to(&w, &w.other, "v1", &w.rig.binding, &r), 0);
	struct binding new = r->binding;
	rebind_free(&r);
	volume_close(&w.v);
	assert_int_equal(volume_open(w.rig.path, true, &w.v, &w.err), 0);
	new = there(&w, &new);
	assert_non_null(left(&w, &new));
	assert_int_equal(opens(&w, &w.other, &new), 0);
	assert_int_equal(rebind_finish(w.v, w.dek, &new, &w.removed, &w.err), 0);
	assert_int_equal(w.removed, 1);
	assert_int_equal(bindings(&w), 1);
	assert_string_equal(volume_info(w.v)->bindings[0].key_url, OTHER);
	assert_null(left(&w, &new));
	assert_int_equal(opens(&w, &w.other, &volume_info(w.v)->bindings[0]), 0);
}

static void finishing_takes_nothing_that_is_not_listed(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct binding second = add_on_purpose(&w, &w.other);
	assert_int_equal(rebind_finish(w.v, w.dek, &second, &w.removed, &w.err), 0);
	assert_int_equal(rebind_finish(w.v, w.dek, &w.rig.binding, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 2);
	second.created++;
	assert_int_equal(rebind_finish(w.v, w.dek, &second, &w.removed, &w.err), -EAGAIN);
}

static void a_binding_that_stands_is_told_what_it_replaces(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL;
	struct binding second = add_on_purpose(&w, &w.other);
	assert_null(left(&w, &second));
	assert_int_equal(commit_to(&w, &w.other, "v1", &w.rig.binding, &r), 0);
	assert_true(binding_same(&r->binding, &second));
	volume_close(&w.v);
	assert_int_equal(volume_open(w.rig.path, true, &w.v, &w.err), 0);
	second = there(&w, &second);
	assert_non_null(left(&w, &second));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(opens(&w, i ? &w.other : &w.key,
					 i ? &second : &volume_info(w.v)->bindings[0]),
			0);
}

// Rekeyed, broken off, and then the new key has a newer version: the first key still goes.
static void a_further_move_takes_over_what_the_former_had_to_end(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL, *next scoped(rebind_free) = NULL;
	assert_int_equal(commit_to(&w, &w.other, "v1", &w.rig.binding, &r), 0);
	w.other.newest = 2;
	assert_int_equal(commit_to(&w, &w.other, "v2", &r->binding, &next), 0);
	assert_int_equal(next->binding.replaces_count, 2);
	assert_int_equal(rebind_retire(w.v, w.dek, next, &w.removed, &w.err), 0);
	assert_int_equal(bindings(&w), 1);
	assert_int_equal(opens(&w, &w.other, &next->binding), 0);
}

// Back to the first key, whose binding is one that was to go: a new one is made, so that no two
// bindings ever replace each other.
static void a_move_back_replaces_both(void **state)
{
	(void)state;
	AUTO_WORLD(w);
	struct rebind *r scoped(rebind_free) = NULL, *back scoped(rebind_free) = NULL;
	w.key.newest = 1;
	assert_int_equal(commit_to(&w, &w.other, "v1", &w.rig.binding, &r), 0);
	const struct binding *all = volume_info(w.v)->bindings;
	struct binding present = there(&w, &w.rig.binding);
	assert_non_null(rebind_successor(&present, all, 2));
	assert_int_equal(rebind_refuse_unfinished("disk", &present, all, 2, &w.err), -EBUSY);
	assert_non_null(strstr(w.err.text, OTHER));
	assert_int_equal(rebind_refuse_unfinished("disk", &r->binding, all, 2, &w.err), 0);
	assert_int_equal(commit_to(&w, &w.key, "v1", &w.rig.binding, &back), 0);
	assert_int_equal(bindings(&w), 3);
	assert_int_equal(rebind_retire(w.v, w.dek, back, &w.removed, &w.err), 0);
	assert_int_equal(w.removed, 2);
	assert_int_equal(bindings(&w), 1);
	assert_int_equal(opens(&w, &w.key, &volume_info(w.v)->bindings[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_tells_how_a_move_to_another_key_ends),
		cmocka_unit_test(finishing_takes_nothing_that_is_not_listed),
		cmocka_unit_test(a_binding_that_stands_is_told_what_it_replaces),
		cmocka_unit_test(a_further_move_takes_over_what_the_former_had_to_end),
		cmocka_unit_test(a_move_back_replaces_both),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
