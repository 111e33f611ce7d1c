// SPDX-License-Identifier: MIT
// A backing file of 64 KiB in a folder of its own, for the tests of the file store.
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <stdbool.h>

#define SIZE 65536u

struct store;

struct fixture {
	char dir[64];
	char path[96];
};

// cmocka setup and teardown: *state is the fixture.
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

// These fail the running test. The sentence must name path and hold word.
struct store *open_rw(const char *path);
void assert_refused(const char *path, bool read_only, int want, const char *word);

#endif
