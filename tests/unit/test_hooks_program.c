// SPDX-License-Identifier: MIT
// Which programs are taken as hooks, at the mount and again before each run: none that others may
// change.
#include "hooks_internal.h"
#include "hooks_rig.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_refused(const char *path, int rc, const char *text)
{
	struct hooks *h = NULL;
	struct errmsg err = {""};
	char *programs[] = {(char *)(uintptr_t)path};
	assert_int_equal(
		hooks_new(&(struct hooks_config){.programs = programs, .count = 1}, &h, &err), rc);
	assert_null(h);
	print_message("%s\n", err.text);
	if (!strstr(err.text, text) || !strstr(err.text, "hook "))
		fail_msg("no \"%s\" in \"%s\"", text, err.text);
}

static void what_is_no_program_is_refused(void **state)
{
	(void)state;
	const char *hook = rig_script("hook", ":");
	expect_refused("hook", -EINVAL, "expected an absolute path");
	expect_refused(rig_path("absent"), -ENOENT, "No such file");
	expect_refused(rig_dir, -EISDIR, "not a regular file");
	expect_refused("/dev/null", -EINVAL, "not a regular file");
	assert_int_equal(chmod(hook, 0644), 0);
	expect_refused(hook, -EACCES, "chmod +x");
	char *many[HOOKS_PROGRAMS_MAX + 1];
	struct hooks *h = NULL;
	struct errmsg err = {""};
	assert_int_equal(chmod(hook, 0755), 0);
	for (size_t i = 0; i <= HOOKS_PROGRAMS_MAX; i++)
		many[i] = (char *)(uintptr_t)hook;
	struct hooks_config c = {.programs = many, .count = HOOKS_PROGRAMS_MAX + 1};
	assert_int_equal(hooks_new(&c, &h, &err), -E2BIG);
	c.count--;
	assert_int_equal(hooks_new(&c, &h, &err), 0);
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void only_what_nobody_else_can_change_is_run(void **state)
{
	(void)state;
	const char *hook = rig_script("hook", ":");
	char *path autofree = NULL;
	assert_int_equal(hook_program_find(hook, &path, NULL), 0);
	assert_int_equal(hook_program_check(path, NULL), 0);
	assert_int_equal(chmod(hook, 0775), 0);
	expect_refused(hook, -EPERM, "chmod go-w");
	assert_int_equal(chmod(hook, 0757), 0);
	expect_refused(hook, -EPERM, "chmod go-w");
	assert_int_equal(chmod(hook, 0755), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(hook, 65534, 0), 0);
	expect_refused(hook, -EPERM, "belongs to user 65534");
	assert_int_equal(chown(hook, 0, 65534), 0);
	assert_int_equal(hook_program_check(path, NULL), 0);
	assert_int_equal(chmod(rig_dir, 0757), 0);
	expect_refused(hook, -EPERM, "may write to /tmp/cmkdisk-hooks-");
	// The sticky bit keeps nobody from adding a file, and from linking to one, in it.
	assert_int_equal(chmod(rig_dir, 01757), 0);
	expect_refused(hook, -EPERM, "may write to /tmp/cmkdisk-hooks-");
	assert_int_equal(chmod(rig_dir, 0700), 0);
	assert_int_equal(chown(rig_dir, 65534, 0), 0);
	expect_refused(hook, -EPERM, "belongs to user 65534");
	assert_int_equal(chown(rig_dir, 0, 0), 0);
	assert_int_equal(hook_program_check(path, NULL), 0);
}

#define NOBODY 65534
#define ANOTHER 65533

static void a_user_runs_roots_programs_and_their_own(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return;
	const char *hook = rig_script("hook", ":");
	assert_int_equal(chmod(rig_dir, 0755), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	int of_root = hook_program_check(hook, NULL);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(of_root, 0);
	// Others could put what they like into the place of these.
	assert_int_equal(chmod(hook, 0777), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	expect_refused(hook, -EPERM, "others than root or user 65534 may write");
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(hook, 0755), 0);
	assert_int_equal(chown(hook, NOBODY, 0), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	int own = hook_program_check(hook, NULL);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(own, 0);
	assert_int_equal(chown(hook, ANOTHER, 0), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	expect_refused(hook, -EPERM, "belongs to user 65533");
	assert_int_equal(seteuid(0), 0);
}

// /tmp itself is such a directory, and is not refused: see above.
static void directories_farther_up_count_too(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return;
	char dir[128], hook[160];
	(void)snprintf(dir, sizeof(dir), "%s/sub", rig_dir);
	(void)snprintf(hook, sizeof(hook), "%s/hook", dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(rename(rig_script("hook", ":"), hook), 0);
	assert_int_equal(hook_program_check(hook, NULL), 0);
	assert_int_equal(chmod(rig_dir, 0777), 0);
	assert_int_equal(hook_program_check(hook, NULL), -EPERM);
	assert_int_equal(chmod(rig_dir, 01777), 0);
	assert_int_equal(hook_program_check(hook, NULL), 0);
	assert_int_equal(unlink(hook), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void links_are_followed_once_at_the_mount(void **state)
{
	(void)state;
	const char *link = rig_path("link");
	assert_int_equal(symlink(rig_script("first", "touch $D/first-ran"), link), 0);
	struct hooks *h = rig_hooks(link, NULL, 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(rig_script("second", "touch $D/second-ran"), link), 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	const struct rig_result *r = rig_wait(1);
	assert_string_equal(r->program, link); // as it was named
	assert_string_equal(r->sentence, "");
	assert_true(rig_exists("first-ran"));
	assert_false(rig_exists("second-ran"));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void it_is_looked_at_again_before_each_run(void **state)
{
	(void)state;
	const char *hook = rig_script("hook", "touch $D/ran");
	struct hooks *h = rig_hooks(hook, NULL, 0);
	assert_int_equal(chmod(hook, 0777), 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	assert_non_null(strstr(rig_wait(1)->sentence, "chmod go-w"));
	assert_int_equal(unlink(hook), 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	const struct rig_result *r = rig_wait(2);
	assert_int_equal(r[1].status, -1);
	assert_false(r[1].timed_out);
	assert_non_null(strstr(r[1].sentence, "No such file"));
	assert_false(rig_exists("ran"));
	(void)rig_script("hook", "touch $D/ran");
	rig_post(h, EVENT_STOPPED, "d", 0);
	assert_string_equal(rig_wait(3)[2].sentence, "");
	assert_true(rig_exists("ran"));
	struct hooks_stats st;
	hooks_stats(h, &st);
	assert_int_equal(st.run, 3);
	assert_int_equal(st.failed, 2);
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

static void what_cannot_be_started_is_told(void **state)
{
	(void)state;
	FILE *f = fopen(rig_path("hook"), "we");
	assert_non_null(f);
	assert_true(fputs("#!/nonexistent/interpreter\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(rig_path("hook"), 0755), 0);
	struct hooks *h = rig_hooks(rig_path("hook"), NULL, 0);
	rig_post(h, EVENT_STOPPED, "d", 0);
	assert_non_null(strstr(rig_wait(1)->sentence, "cannot start"));
	assert_int_equal(hooks_end(&h, 0, 0), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_program_is_refused),
		TEST(only_what_nobody_else_can_change_is_run),
		TEST(a_user_runs_roots_programs_and_their_own),
		TEST(directories_farther_up_count_too),
		TEST(links_are_followed_once_at_the_mount),
		TEST(it_is_looked_at_again_before_each_run),
		TEST(what_cannot_be_started_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
