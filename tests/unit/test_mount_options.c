// SPDX-License-Identifier: MIT
// The options of a mount about its records: what is taken, and the sentences of what is not.
#include "mount_options.h"
#include "mount_records.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void warnings_and_margins_are_read(void **state)
{
	(void)state;
	struct mount_options o = {.mode = 0600};
	struct errmsg err;
	warning_plan_default(&o.warnings);
	assert_int_equal(
		mount_options_parse(
			"before-stop=2min,grace-warnings=50%:10min,hook-timeout=5s", &o, &err),
		0);
	assert_int_equal(o.warnings.count, 2);
	assert_int_equal(o.warnings.at[0].percent, 50);
	assert_int_equal(o.warnings.at[1].left_ms, 600000);
	assert_int_equal(o.warnings.before_stop_ms, 120000);
	assert_int_equal(o.hook_timeout_ms, 5000);
	assert_int_equal(mount_options_parse("grace-warnings=off", &o, &err), 0);
	assert_int_equal(o.warnings.count, 0);
	assert_int_equal(o.warnings.before_stop_ms, 120000);
}

static void expect_refused(const char *list, const char *word)
{
	struct mount_options o = {.mode = 0600};
	struct errmsg err = {""};
	assert_int_equal(mount_options_parse(list, &o, &err), -EINVAL);
	assert_non_null(strstr(err.text, word));
}

static void what_is_no_warning_or_time_is_refused(void **state)
{
	(void)state;
	expect_refused("grace-warnings=150%", "grace-warnings");
	expect_refused("grace-warnings=", "grace-warnings");
	expect_refused("before-stop=soon", "before-stop");
	expect_refused("hook-timeout=0", "hook-timeout");
	expect_refused("hook-timeout=2h", "at most 1h");
}

static void a_log_has_one_file_and_may_go_elsewhere_too(void **state)
{
	(void)state;
	struct mount_records r scoped(mount_records_free) = {.audit_file = NULL};
	struct errmsg err = {""};
	assert_int_equal(mount_records_audit(&r, "journal", &err), 0);
	assert_int_equal(mount_records_audit(&r, "/var/log/a", &err), 0);
	assert_int_equal(mount_records_audit(&r, "/var/log/b", &err), -EINVAL);
	assert_non_null(strstr(err.text, "/var/log/a"));
	assert_true(r.config.audit_journal);
	assert_string_equal(r.config.audit_file, "/var/log/a");
	assert_int_equal(mount_records_audit(&r, "-", &err), -EINVAL);
	assert_int_equal(mount_records_audit(&r, "", &err), -EINVAL);
}

static void paths_become_absolute(void **state)
{
	(void)state;
	struct mount_records r scoped(mount_records_free) = {.audit_file = NULL};
	struct errmsg err = {""};
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(mount_records_audit(&r, "a.log", &err), 0);
	assert_int_equal(mount_records_hook(&r, "bin/hook", &err), 0);
	assert_string_equal(r.config.audit_file, "/a.log");
	assert_int_equal(r.config.hook_count, 1);
	assert_string_equal(r.config.hooks[0], "/bin/hook");
}

// Once mounted, the path names something else, and the log would wait for the unmount.
static void a_log_below_the_mount_point_is_refused(void **state)
{
	(void)state;
	const char *const at[] = {"/usr/bin/log", "/usr/bin/../bin/log", "/usr/lib/log"};
	struct errmsg err = {""};
	for (size_t i = 0; i < 3; i++) {
		struct mount_records r scoped(mount_records_free) = {.audit_file = NULL};
		assert_int_equal(mount_records_outside(&r, "/usr/bin", &err), 0);
		assert_int_equal(mount_records_audit(&r, at[i], &err), 0);
		assert_int_equal(mount_records_outside(&r, "/usr/bin", &err), i < 2 ? -EINVAL : 0);
		assert_int_equal(mount_records_outside(&r, "/usr/bi", &err), 0);
		assert_int_equal(mount_records_outside(&r, "/usr", &err), -EINVAL);
	}
}

static void only_so_many_hooks_are_taken(void **state)
{
	(void)state;
	struct mount_records r scoped(mount_records_free) = {.audit_file = NULL};
	struct errmsg err = {""};
	for (int i = 0; i < HOOKS_PROGRAMS_MAX; i++)
		assert_int_equal(mount_records_hook(&r, "/bin/true", &err), 0);
	assert_int_equal(mount_records_hook(&r, "/bin/true", &err), -EINVAL);
	assert_int_equal(r.config.hook_count, HOOKS_PROGRAMS_MAX);
}

static void stderr_is_for_the_foreground(void **state)
{
	(void)state;
	struct mount_records r scoped(mount_records_free) = {.audit_file = NULL};
	struct errmsg err = {""};
	assert_int_equal(mount_records_audit(&r, "stderr", &err), 0);
	assert_int_equal(mount_records_check(&r, true, &err), 0);
	assert_int_equal(mount_records_check(&r, false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "-f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_and_margins_are_read),
		cmocka_unit_test(what_is_no_warning_or_time_is_refused),
		cmocka_unit_test(a_log_has_one_file_and_may_go_elsewhere_too),
		cmocka_unit_test(paths_become_absolute),
		cmocka_unit_test(a_log_below_the_mount_point_is_refused),
		cmocka_unit_test(only_so_many_hooks_are_taken),
		cmocka_unit_test(stderr_is_for_the_foreground),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
