// SPDX-License-Identifier: MIT
// The mount as a directory: names, attributes, permissions, mounting, stopping, and the sentences
// for mount points that cannot be used.
#include "front_rig.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

#define assert_errno(call, number)               \
	do {                                     \
		errno = 0;                       \
		assert_int_equal((call), -1);    \
		assert_int_equal(errno, number); \
	} while (0)

static void a_disk_has_the_attributes_of_a_fixed_size_file(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	rig_mount(&r);
	struct stat st;
	assert_int_equal(stat(rig_path(&r, 0), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, RIG_SIZE);
	assert_int_equal(st.st_blocks, RIG_SIZE / 512);
	assert_int_equal(st.st_blksize, 4096);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_uid, geteuid());
	ino_t ino = st.st_ino;
	assert_int_equal(stat(rig_path(&r, 1), &st), 0);
	assert_int_equal(st.st_size, RIG_SMALL);
	assert_int_not_equal(st.st_ino, ino);
	assert_int_equal(stat(r.mountpoint, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0500);
	struct statvfs fs;
	assert_int_equal(statvfs(r.mountpoint, &fs), 0);
	assert_int_equal(fs.f_blocks * fs.f_frsize, RIG_SIZE + RIG_SMALL);
	assert_int_equal(fs.f_bavail, 0);
	assert_int_equal(fs.f_namemax, 255);
	rig_fini(&r);
}

static void three_hundred_disks_are_listed_once_each_and_found_by_name(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 300);
	rig_mount(&r);
	bool seen[1000] = {false};
	size_t count = 0;
	DIR *d = opendir(r.mountpoint);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		int number;
		if (sscanf(e->d_name, "disk-%d.luks", &number) != 1)
			continue;
		assert_in_range(number, 0, 999);
		assert_false(seen[number]);
		seen[number] = true;
		count++;
	}
	assert_int_equal(count, 300);
	rewinddir(d);
	assert_non_null(readdir(d));
	(void)closedir(d);
	for (size_t i = 0; i < 300; i++) {
		struct stat st;
		assert_int_equal(stat(rig_path(&r, i), &st), 0);
		assert_true(seen[(i * 7) % 1000]);
	}
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/disk-001", r.mountpoint);
	assert_errno(open(path, O_RDONLY), ENOENT);
	rig_fini(&r);
}

static void disks_cannot_be_made_renamed_or_removed(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int want = geteuid() == 0 ? EPERM : EACCES; // others are stopped by the directory's mode
	char other[160];
	(void)snprintf(other, sizeof(other), "%s/other", r.mountpoint);
	assert_errno(open(other, O_CREAT | O_RDWR, 0600), want);
	assert_errno(mkdir(other, 0700), want);
	assert_errno(symlink("x", other), want);
	assert_errno(link(rig_path(&r, 0), other), want);
	assert_errno(mkfifo(other, 0600), want);
	assert_errno(rename(rig_path(&r, 0), other), want);
	assert_errno(unlink(rig_path(&r, 0)), want);
	assert_errno(chmod(rig_path(&r, 0), 0666), EPERM);
	assert_errno(chown(rig_path(&r, 0), 1, 1), EPERM);
	assert_errno(getxattr(rig_path(&r, 0), "user.x", NULL, 0), EOPNOTSUPP);
	rig_fini(&r);
}

static void times_are_accepted_and_do_not_change(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	struct stat before;
	struct stat after;
	assert_int_equal(stat(rig_path(&r, 0), &before), 0);
	struct utimbuf old = {.actime = 1, .modtime = 1};
	assert_int_equal(utime(rig_path(&r, 0), &old), 0);
	assert_int_equal(stat(rig_path(&r, 0), &after), 0);
	assert_int_equal(before.st_mtime, after.st_mtime);
	rig_fini(&r);
}

static void o_trunc_is_ignored_as_a_block_device_does(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	memset(r.disks[0].data, 0x5a, RIG_SIZE);
	rig_mount(&r);
	int reader autoclose = rig_open(&r, 0, O_RDONLY);
	int fd autoclose = rig_open(&r, 0, O_WRONLY | O_TRUNC);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, RIG_SIZE);
	assert_int_equal(lseek(reader, 0, SEEK_END), RIG_SIZE);
	assert_true(rig_holds(&r, 0, RIG_SIZE - 1, "\x5a", 1));
	rig_fini(&r);
}

static void an_explicit_resize_is_refused(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	assert_errno(ftruncate(fd, 0), EPERM);
	assert_errno(ftruncate(fd, RIG_SIZE - 1), EPERM);
	assert_errno(ftruncate(fd, RIG_SIZE + 1), EPERM);
	assert_int_equal(ftruncate(fd, RIG_SIZE), 0);
	assert_errno(truncate(rig_path(&r, 0), 4096), EPERM);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, RIG_SIZE);
	rig_fini(&r);
}

static void a_read_only_disk_or_mount_cannot_be_opened_for_writing(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	r.disks[1].read_only = true;
	rig_mount(&r);
	int want = geteuid() == 0 ? EROFS : EACCES;
	int writable autoclose = rig_open(&r, 0, O_RDWR);
	int readable autoclose = rig_open(&r, 1, O_RDONLY);
	assert_errno(open(rig_path(&r, 1), O_RDWR), want);
	rig_fini(&r);

	rig_init(&r, 1);
	r.config.read_only = true;
	rig_mount(&r);
	int again autoclose = rig_open(&r, 0, O_RDONLY);
	assert_errno(open(rig_path(&r, 0), O_WRONLY), EROFS);
	rig_fini(&r);
}

static void open_of_a_stopped_disk_says_why(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	rig_mount(&r);
	const int reasons[] = {EKEYREVOKED, EKEYEXPIRED, ENOKEY};
	for (size_t i = 0; i < 3; i++) {
		atomic_store(&r.disks[0].open_status, -reasons[i]);
		assert_errno(open(rig_path(&r, 0), O_RDONLY), reasons[i]);
	}
	int other autoclose = rig_open(&r, 1, O_RDONLY); // does not notice
	atomic_store(&r.disks[0].open_status, 0);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	rig_fini(&r);
}

static void stop_ends_the_mount_while_files_are_open(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	int dir autoclose = open(r.mountpoint, O_RDONLY | O_DIRECTORY);
	char byte = 1;
	assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
	rig_unmount(&r);
	assert_int_equal(r.result, 0);
	assert_errno(pwrite(fd, &byte, 1, 0), ENOTCONN);
	struct stat st;
	assert_int_equal(stat(r.mountpoint, &st), 0);
	assert_int_not_equal(st.st_ino, 1); // the directory below
	rig_fini(&r);
}

static void stop_before_run_and_free_without_run_leave_no_mount(void **state)
{
	(void)state;
	struct rig r;
	struct errmsg err = {0};
	rig_init(&r, 1);
	assert_int_equal(front_new(&r.config, &r.front, &err), 0);
	front_stop(r.front);
	assert_int_equal(front_run(r.front), 0);
	rig_fini(&r);
	rig_init(&r, 1);
	assert_int_equal(front_new(&r.config, &r.front, &err), 0);
	rig_fini(&r); // asserts that the mount point can be removed
}

static void assert_refused(const struct front_config *c, int errnum, const char *part)
{
	struct front *f = NULL;
	struct errmsg err = {0};
	assert_int_equal(front_new(c, &f, &err), -errnum);
	assert_null(f);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void a_useless_mount_point_gets_a_sentence(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	struct front_config c = r.config;
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/none", r.base);
	c.mountpoint = path;
	assert_refused(&c, ENOENT, "mkdir");
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	assert_refused(&c, ENOTDIR, "not a directory");
	assert_int_equal(unlink(path), 0);
	c.mountpoint = "relative";
	assert_refused(&c, EINVAL, "absolute");
	c = r.config;
	r.fronts[1].name = r.fronts[0].name;
	assert_refused(&c, EEXIST, "rename one");
	r.fronts[1].name = "..";
	assert_refused(&c, EINVAL, "cannot be the name");
	r.fronts[1].name = r.names[1];
	rig_mount(&r);
	assert_refused(&c, EBUSY, "mounted here already");
	rig_fini(&r);
}

#define ORDINARY 65534

// In a child: root becomes an ordinary user, who stays one. 0, or what went wrong.
static int refused_as_user(const struct front_config *c, const char *part)
{
	struct front *f = NULL;
	struct errmsg err = {0};
	if (geteuid() == 0 && (setgid(ORDINARY) || setuid(ORDINARY)))
		return 1;
	if (front_new(c, &f, &err) == 0)
		return 2;
	return strstr(err.text, part) ? 0 : 3;
}

static void expect_refused_as_user(const struct front_config *c, const char *part)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0)
		_exit(refused_as_user(c, part));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void an_ordinary_user_is_told_what_is_missing(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	assert_int_equal(chmod(r.base, 0711), 0);
	assert_int_equal(chmod(r.mountpoint, 0555), 0);
	expect_refused_as_user(&r.config, "no write permission");
	assert_int_equal(chmod(r.mountpoint, 0777), 0);
	r.config.allow_other = true;
	if (system("grep -qs '^user_allow_other' /etc/fuse.conf") != 0)
		expect_refused_as_user(&r.config, "/etc/fuse.conf");
	rig_fini(&r);
}

// A child makes a mount and is killed: what a crashed daemon leaves.
static void a_dead_mount_gets_a_sentence_with_the_cure(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	struct errmsg err = {0};
	pid_t child = fork();
	if (child == 0) {
		struct front *f;
		_exit(front_new(&r.config, &f, &err) ? 1 : 0); // without front_free()
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	struct stat st;
	assert_errno(stat(r.mountpoint, &st), ENOTCONN);
	assert_refused(&r.config, EBUSY, "cmkdisk umount");
	char command[200];
	(void)snprintf(command, sizeof(command), "fusermount3 -u %s", r.mountpoint);
	assert_int_equal(system(command), 0);
	rig_fini(&r);
}

int main(void)
{
	int unavailable = rig_unavailable();
	if (unavailable)
		return unavailable;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_has_the_attributes_of_a_fixed_size_file),
		cmocka_unit_test(three_hundred_disks_are_listed_once_each_and_found_by_name),
		cmocka_unit_test(disks_cannot_be_made_renamed_or_removed),
		cmocka_unit_test(times_are_accepted_and_do_not_change),
		cmocka_unit_test(o_trunc_is_ignored_as_a_block_device_does),
		cmocka_unit_test(an_explicit_resize_is_refused),
		cmocka_unit_test(a_read_only_disk_or_mount_cannot_be_opened_for_writing),
		cmocka_unit_test(open_of_a_stopped_disk_says_why),
		cmocka_unit_test(stop_ends_the_mount_while_files_are_open),
		cmocka_unit_test(stop_before_run_and_free_without_run_leave_no_mount),
		cmocka_unit_test(a_useless_mount_point_gets_a_sentence),
		cmocka_unit_test(an_ordinary_user_is_told_what_is_missing),
		cmocka_unit_test(a_dead_mount_gets_a_sentence_with_the_cure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
