// SPDX-License-Identifier: MIT
// What a load runs on: made, mended and taken away again without a trace.
#include "fileio.h"
#include "ground.h"
#include "load.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE (32u << 20)

struct place {
	char dir[64], file[80];
	struct ground ground;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/test-ground-XXXXXX");
	*state = p;
	if (!mkdtemp(p->dir))
		return -1;
	(void)snprintf(p->file, sizeof(p->file), "%s/disk", p->dir);
	int fd autoclose = open(p->file, O_RDWR | O_CREAT, 0600);
	return fd < 0 ? -1 : ftruncate(fd, SIZE);
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];
	int down = ground_down(&p->ground, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf --one-file-system '%s'", p->dir);
	int r = system(command);
	free(p);
	return down ? down : r;
}

static void up(struct place *p)
{
	struct errmsg err = {""};
	if (access("/dev/loop-control", W_OK)) {
		print_message("loop devices are not permitted here\n");
		skip();
	}
	if (ground_up(&p->ground, GROUND_EXT4, p->file, SIZE, p->dir, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_nothing_left(const struct place *p, const char *device)
{
	char path[96];
	struct stat outside, inside;
	(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", device + 5);
	char *text autofree = NULL;
	size_t len;
	// It may be somebody else's by now.
	if (read_text_file(path, 4096, &text, &len, NULL) == 0)
		assert_null(strstr(text, p->dir));
	assert_int_equal(stat(p->dir, &outside), 0);
	assert_int_equal(stat(p->ground.mountpoint, &inside), 0);
	assert_int_equal(outside.st_dev, inside.st_dev);
}

static void a_disk_file_is_its_own_ground(void **state)
{
	struct place *p = *state;
	struct ground_found found;
	assert_int_equal(ground_up(&p->ground, GROUND_FILE, p->file, SIZE, p->dir, NULL), 0);
	assert_string_equal(p->ground.path, p->file);
	assert_int_equal(p->ground.size, SIZE);
	assert_int_equal(ground_mend(&p->ground, &found, NULL), 0);
	assert_string_equal(found.text, "");
	assert_int_equal(ground_down(&p->ground, NULL), 0);
}

static void a_load_on_ext4_outlives_its_mending(void **state)
{
	struct place *p = *state;
	struct errmsg err = {""};
	struct ground_found found;
	struct load *load scoped(load_free) = NULL;
	uint64_t verified, wrong;
	up(p);
	struct load_config c = load_light;
	c.path = p->ground.path;
	c.size = p->ground.size;
	c.slice_us = 100000;
	assert_in_range(c.size, SIZE / 4, SIZE / 4 * 3);
	if (load_start(&c, &load, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ground_mend(&p->ground, &found, &err), -EBUSY); // it is in use
	load_release(load);
	if (ground_mend(&p->ground, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(found.repaired);
	assert_non_null(strstr(found.text, "found it in order"));
	assert_int_equal(load_reopen(load, NULL), 0);
	assert_int_equal(load_verify(load, &verified, &wrong, NULL), 0);
	assert_int_equal(verified, p->ground.size);
	assert_int_equal(wrong, 0);
	load_free(&load);
	char device[32];
	(void)snprintf(device, sizeof(device), "%s", p->ground.device);
	assert_int_equal(ground_down(&p->ground, &err), 0);
	expect_nothing_left(p, device);
	assert_int_equal(ground_down(&p->ground, NULL), 0); // harmless
}

static void damage_is_found_and_mended(void **state)
{
	struct place *p = *state;
	struct errmsg err = {""};
	struct ground_found found;
	up(p);
	char command[128];
	assert_int_equal(umount(p->ground.mountpoint), 0);
	p->ground.mounted = false;
	(void)snprintf(command, sizeof(command),
		"/sbin/debugfs -w -R 'set_inode_field <2> links_count 7' %s 2>/dev/null",
		p->ground.device);
	assert_int_equal(system(command), 0);
	if (ground_mend(&p->ground, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(found.repaired);
	assert_non_null(strstr(found.text, "found errors"));
	assert_int_equal(access(p->ground.path, F_OK), 0);
}

static void a_user_is_told_that_root_may_mount(void **state)
{
	struct place *p = *state;
	struct errmsg err = {""};
	uid_t me = geteuid();
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	int r = ground_up(&p->ground, GROUND_EXT4, p->file, SIZE, p->dir, &err);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EPERM);
	assert_non_null(strstr(err.text, "as root"));
}

static void kinds_have_names(void **state)
{
	(void)state;
	enum ground_kind k;
	assert_true(ground_kind_named("file", &k));
	assert_string_equal(ground_text(k), "disk file");
	assert_true(ground_kind_named("ext4", &k));
	assert_string_equal(ground_text(k), "ext4");
	assert_false(ground_kind_named("xfs", &k));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_disk_file_is_its_own_ground),
		TEST(a_load_on_ext4_outlives_its_mending),
		TEST(damage_is_found_and_mended),
		TEST(a_user_is_told_that_root_may_mount),
		TEST(kinds_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
