// SPDX-License-Identifier: MIT
// Which directory the emulator takes for its state: its own alone, and only one emulator at a time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	char top[64], dir[96];
	struct kp_err err;
};

// The settings name ports; where they are kept is not about them.
const char *app_port_name(enum emu_port port)
{
	(void)port;
	return "tls";
}

static int begin(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	assert_non_null(g);
	(void)snprintf(g->top, sizeof(g->top), "/tmp/emu-state.XXXXXX");
	assert_non_null(mkdtemp(g->top));
	(void)snprintf(g->dir, sizeof(g->dir), "%s/a/b", g->top);
	*state = g;
	return 0;
}

static int end(void **state)
{
	struct rig *g = *state;
	char command[100];
	(void)snprintf(command, sizeof(command), "rm -r %s", g->top);
	assert_int_equal(system(command), 0);
	free(g);
	return 0;
}

static int take(struct rig *g)
{
	int lock = -1, ret = app_state_lock(g->dir, &lock, &g->err);
	if (!ret)
		(void)close(lock);
	return ret;
}

static void it_is_made_for_us_alone(void **state)
{
	struct rig *g = *state;
	struct stat st;
	assert_int_equal(take(g), 0);
	assert_int_equal(stat(g->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(take(g), 0); // it is there already
}

static void one_that_others_can_look_into_is_refused_and_left_as_it_is(void **state)
{
	struct rig *g = *state;
	struct stat st;
	static const mode_t bad[] = {0755, 0750, 0711, 0770, 0707, 0701, 0720};
	assert_int_equal(take(g), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(chmod(g->dir, bad[i]), 0);
		assert_int_equal(take(g), -EPERM);
		assert_non_null(strstr(g->err.text, "chmod 0700 it"));
		assert_int_equal(stat(g->dir, &st), 0);
		assert_int_equal(st.st_mode & 07777, bad[i]);
	}
	assert_int_equal(chmod(g->dir, 0700), 0);
	assert_int_equal(take(g), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(g->dir, 65534, (gid_t)-1), 0);
	assert_int_equal(take(g), -EPERM);
	assert_non_null(strstr(g->err.text, "another user"));
}

static void it_has_one_emulator(void **state)
{
	struct rig *g = *state;
	int lock = -1;
	assert_int_equal(app_state_lock(g->dir, &lock, &g->err), 0);
	assert_int_equal(take(g), -EBUSY);
	(void)close(lock);
	assert_int_equal(take(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_made_for_us_alone, begin, end),
		cmocka_unit_test_setup_teardown(
			one_that_others_can_look_into_is_refused_and_left_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(it_has_one_emulator, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
