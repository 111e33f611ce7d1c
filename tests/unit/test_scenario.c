// SPDX-License-Identifier: MIT
// The table of scenarios, what is chosen from it, and what the stages of a rehearsal's own can do.
#include "scenario.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <string.h>

static bool can_disable(enum act a)
{
	return a == ACT_DISABLE || a == ACT_ENABLE;
}

static const struct stage_ops small = {.provider = "small", .can = can_disable};

static void every_scenario_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; scenario_at(i); i++) {
		const struct scenario *s = scenario_at(i);
		assert_ptr_equal(scenario_named(s->name), s); // no two of one name
		assert_true(s->title[0] && s->expected[0]);
		assert_true(s->act != ACT_NONE && s->undo != ACT_NONE && s->act != s->undo);
		bool stops = s->course == COURSE_STOPS || s->course == COURSE_FLAPS;
		assert_int_equal(stops, s->open_errno != 0);
		assert_int_equal(stops, s->hold == HOLD_NONE);
		// Only an outage leaves it open why: no key, for all that is known.
		assert_int_equal(stops && s->limit == LIMIT_UNREACHABLE, s->open_errno == ENOKEY);
	}
}

static void every_act_has_its_words(void **state)
{
	(void)state;
	for (int a = ACT_NONE; a < ACTS; a++)
		assert_non_null(act_text((enum act)a));
}

// A scenario that no stage can play is one that nobody can rehearse.
static void every_scenario_has_a_stage(void **state)
{
	(void)state;
	for (size_t i = 0; scenario_at(i); i++) {
		const struct scenario *s = scenario_at(i);
		if (!scenario_fits(s, &stage_azure) && !scenario_fits(s, &stage_file) &&
			!scenario_fits(s, &stage_pkcs11))
			fail_msg("%s: no stage can play it", s->name);
	}
}

static void what_was_promised_can_be_played(void **state)
{
	(void)state;
	static const char *const azure[] = {"disabled", "deleted", "purged", "expired",
		"not-yet-valid", "permission-removed", "identity-removed", "old-version-disabled",
		"rotation-ungranted", "outage-short", "outage-long", "throttled", "slow",
		"flapping"};
	static const char *const file[] = {"disabled", "deleted", "expired", "file-removed",
		"old-version-disabled", "outage-short", "outage-long", "flapping"};
	static const char *const token[] = {"object-destroyed", "token-pulled"};
	for (size_t i = 0; i < sizeof(azure) / sizeof(azure[0]); i++)
		assert_true(scenario_fits(scenario_named(azure[i]), &stage_azure));
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		assert_true(scenario_fits(scenario_named(file[i]), &stage_file));
	for (size_t i = 0; i < sizeof(token) / sizeof(token[0]); i++)
		assert_true(scenario_fits(scenario_named(token[i]), &stage_pkcs11));
	assert_false(scenario_fits(scenario_named("file-removed"), &stage_azure));
	assert_false(scenario_fits(scenario_named("purged"), &stage_file));
}

static void a_list_keeps_its_order(void **state)
{
	(void)state;
	struct scenario_list l scoped(scenario_list_free) = {NULL, 0};
	struct errmsg err = {{0}};
	assert_int_equal(scenario_choose("expired,disabled", &stage_file, &l, &err), 0);
	assert_int_equal(l.count, 2);
	assert_string_equal(l.at[0]->name, "expired");
	assert_string_equal(l.at[1]->name, "disabled");
}

static void all_is_all_that_the_stage_can(void **state)
{
	(void)state;
	struct scenario_list l scoped(scenario_list_free) = {NULL, 0};
	struct errmsg err = {{0}};
	assert_int_equal(scenario_choose("all", &small, &l, &err), 0);
	assert_int_equal(l.count, 2);
	assert_string_equal(l.at[0]->name, "disabled");
	assert_string_equal(l.at[1]->name, "flapping");
}

static void what_cannot_be_played_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *names, *says;
	} refused[] = {{"disabld", "no scenario \"disabld\""}, {"", "no scenario \"\""},
		{"disabled,", "no scenario \"\""}, {"disabled,all", "no scenario \"all\""},
		{"purged", "purged: cannot be rehearsed with the small provider; say --provider "
			   "azure"},
		{"disabled,disabled", "disabled: named twice"}};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct scenario_list l scoped(scenario_list_free) = {NULL, 0};
		struct errmsg err = {{0}};
		assert_int_equal(scenario_choose(refused[i].names, &small, &l, &err), -EINVAL);
		assert_non_null(strstr(err.text, refused[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scenario_is_whole),
		cmocka_unit_test(every_act_has_its_words),
		cmocka_unit_test(every_scenario_has_a_stage),
		cmocka_unit_test(what_was_promised_can_be_played),
		cmocka_unit_test(a_list_keeps_its_order),
		cmocka_unit_test(all_is_all_that_the_stage_can),
		cmocka_unit_test(what_cannot_be_played_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
