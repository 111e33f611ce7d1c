// SPDX-License-Identifier: MIT
// When "not found" is believed, with few versions and with more than there are places for.
#include "azure_fixture.h"

#include "azure_clock.h"
#include "azure_sightings.h"

#define CONFIRM_MS 15000

static struct {
	uint64_t clock;
	struct azure_sightings s;
} world;

uint64_t azure_clock_ms(void)
{
	return world.clock;
}

static int setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.clock = 1000;
	return 0;
}

static const char *name(unsigned i)
{
	static char version[AZURE_VERSION_LEN + 1];
	(void)snprintf(version, sizeof(version), "%032x", i);
	return version;
}

// Each version is asked for in turn, and found missing.
static unsigned believed(unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		n += azure_missed(&world.s, name(i), CONFIRM_MS) == 0;
		world.clock += 10;
	}
	return n;
}

static void a_key_with_many_versions_is_deleted_with_all_of_them(void **state)
{
	static const unsigned counts[] = {1, 8, 9, 20, SIGHTINGS_MAX, SIGHTINGS_MAX + 1, 200};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		(void)setup(state);
		azure_seen(&world.s, name(0));
		for (int round = 0; round < 3; round++) {
			assert_int_equal(believed(counts[i]), 0);
			world.clock += 2000;
		}
		world.clock += CONFIRM_MS;
		assert_int_equal(believed(counts[i]), counts[i]);
		// And it comes back with all of them.
		for (unsigned n = 0; n < counts[i]; n++)
			azure_seen(&world.s, name(n));
		assert_int_equal(believed(counts[i]), 0);
	}
}

static void a_version_that_is_seen_does_not_help_another(void **state)
{
	(void)state;
	azure_seen(&world.s, name(1));
	assert_int_equal(azure_missed(&world.s, name(2), CONFIRM_MS), CONFIRM_MS);
	world.clock += CONFIRM_MS - 1;
	azure_seen(&world.s, name(1));
	assert_int_equal(azure_missed(&world.s, name(2), CONFIRM_MS), 1);
	world.clock++;
	assert_int_equal(azure_missed(&world.s, name(2), CONFIRM_MS), 0);
	assert_int_equal(azure_missed(&world.s, name(1), CONFIRM_MS), CONFIRM_MS);
}

static void versions_that_are_there_need_no_place(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		azure_seen(&world.s, name(i));
	assert_int_equal(azure_missed(&world.s, name(5000), CONFIRM_MS), CONFIRM_MS);
	for (unsigned i = 0; i < 1000; i++)
		azure_seen(&world.s, name(i));
	world.clock += CONFIRM_MS;
	assert_int_equal(azure_missed(&world.s, name(5000), CONFIRM_MS), 0);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_with_many_versions_is_deleted_with_all_of_them),
		TEST(a_version_that_is_seen_does_not_help_another),
		TEST(versions_that_are_there_need_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
