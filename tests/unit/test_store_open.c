// SPDX-License-Identifier: MIT
// What the file store opens, and who may have it.
#include "scope.h"
#include "secret.h"
#include "store.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static void a_symbolic_link_is_followed(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = NULL;
	char link[96];

	(void)snprintf(link, sizeof link, "%s/link", f->dir);
	assert_int_equal(symlink("backing", link), 0);
	s = open_rw(link);
	assert_int_equal(unlink(link), 0);
}

static void only_files_and_block_devices_are_opened(void **state)
{
	struct fixture *f = *state;
	char fifo[96], none[96];

	(void)snprintf(fifo, sizeof fifo, "%s/fifo", f->dir);
	(void)snprintf(none, sizeof none, "%s/none", f->dir);
	assert_int_equal(mkfifo(fifo, 0666), 0);
	assert_refused(fifo, false, -EINVAL, "fifo"); // and does not wait for a writer
	assert_refused(fifo, true, -EINVAL, "fifo");
	assert_int_equal(unlink(fifo), 0);
	assert_refused(f->dir, false, -EINVAL, "directory");
	assert_refused("/dev/null", false, -EINVAL, "character device");
	assert_refused(none, false, -ENOENT, "no such backing file");
}

// Runs fn in a child that is an ordinary user, and returns its exit status.
static int as_nobody(int (*fn)(struct fixture *), struct fixture *f)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 &&
			(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
			_exit(100);
		_exit(fn(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int write_is_refused(struct fixture *f)
{
	struct store *s = NULL;
	struct errmsg err = {""};

	if (store_file_open(f->path, false, &s, NULL, &err) != -EACCES)
		return 1;
	if (!strstr(err.text, "-o ro"))
		return 2;
	if (store_file_open(f->path, true, &s, NULL, &err) != 0)
		return 3;
	store_close(&s);
	return 0;
}

static void a_file_that_may_only_be_read_is_refused_for_writing_with_the_way_out(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(as_nobody(write_is_refused, f), 0);
}

static int opens_when_sealed(struct fixture *f)
{
	struct store *s = NULL;

	if (process_seal_memory() < 0 || store_file_open(f->path, false, &s, NULL, NULL) < 0)
		return 1;
	store_close(&s);
	return 0;
}

static void an_undumpable_process_of_an_ordinary_user_can_open_it(void **state)
{
	assert_int_equal(as_nobody(opens_when_sealed, *state), 0);
}

static void a_second_open_in_one_command_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = open_rw(f->path);

	assert_refused(f->path, false, -EBUSY, "this very command");
	assert_refused(f->path, true, -EBUSY, "this very command");
	store_close(&s);
	s = open_rw(f->path); // the lock ended with the store
}

static void readers_share_and_exclude_a_writer(void **state)
{
	struct fixture *f = *state;
	struct store *a scoped(store_close) = NULL;
	struct store *b scoped(store_close) = NULL;

	assert_int_equal(store_file_open(f->path, true, &a, NULL, NULL), 0);
	assert_int_equal(store_file_open(f->path, true, &b, NULL, NULL), 0);
	assert_refused(f->path, false, -EBUSY, "name each backing file once");
}

// A child that opens the store (sealed: as the daemon does) and waits until told to go.
struct holder {
	pid_t pid;
	int tell;
};

static struct holder start_holder(const char *path, bool take_lock, bool nobody)
{
	int ready[2], tell[2];
	char c = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *s = NULL;
		(void)close(tell[1]);
		bool ok = !nobody || geteuid() != 0 || setresuid(65534, 65534, 65534) == 0;
		if (take_lock)
			ok = ok && process_seal_memory() == 0 &&
			     store_file_open(path, false, &s, NULL, NULL) == 0;
		else
			ok = ok && open(path, O_RDWR | O_CLOEXEC) >= 0;
		_exit(ok && write(ready[1], "r", 1) == 1 && read(tell[0], &c, 1) >= 0 ? 0 : 1);
	}
	(void)close(ready[1]);
	(void)close(tell[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return (struct holder){pid, tell[1]};
}

static void stop_holder(struct holder h)
{
	int status;

	(void)close(h.tell);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	assert_int_equal(status, 0);
}

static void the_holder_is_named_by_pid(void **state)
{
	struct fixture *f = *state;
	char word[32];

	if (geteuid() != 0)
		skip(); // only root sees into an undumpable process
	assert_int_equal(store_file_holder(f->path), 0);
	struct holder idle = start_holder(f->path, false, false);
	assert_int_equal(store_file_holder(f->path), 0); // has it open, but not in use
	stop_holder(idle);
	struct holder h = start_holder(f->path, true, false);
	assert_int_equal(store_file_holder(f->path), h.pid);
	(void)snprintf(word, sizeof word, "process %d;", (int)h.pid);
	assert_refused(f->path, false, -EBUSY, word);
	assert_refused(f->path, true, -EBUSY, word);
	stop_holder(h);
	assert_int_equal(store_file_holder(f->path), 0);
	struct store *s scoped(store_close) = open_rw(f->path);
}

static int busy_without_pid(struct fixture *f)
{
	struct store *s = NULL;
	struct errmsg err = {""};

	return store_file_open(f->path, false, &s, NULL, &err) == -EBUSY &&
			       strstr(err.text, "by another process")
		       ? 0
		       : 1;
}

static void a_holder_out_of_sight_still_excludes(void **state)
{
	struct fixture *f = *state;
	struct holder h = start_holder(f->path, true, true);

	assert_int_equal(as_nobody(busy_without_pid, f), 0);
	stop_holder(h);
}

// -1 when this machine has no loop devices. The device goes away with its last descriptor.
static int make_loop(const char *path, char *dev, size_t room)
{
	autoclose int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	autoclose int file = open(path, O_RDWR | O_CLOEXEC);
	struct loop_config cfg = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};

	for (int tries = 0; ctl >= 0 && tries < 10; tries++) {
		int n = ioctl(ctl, LOOP_CTL_GET_FREE);
		(void)snprintf(dev, room, "/dev/loop%d", n);
		autoclose int fd = n < 0 ? -1 : open(dev, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -1;
		if (ioctl(fd, LOOP_CONFIGURE, &cfg) == 0)
			return TAKE_FD(fd);
	}
	return -1;
}

static void a_block_device_is_a_store(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = NULL;
	char dev[32], buf[4096];
	uint64_t size;

	autoclose int loop = make_loop(f->path, dev, sizeof dev);
	if (loop < 0)
		skip();
	s = open_rw(dev);
	assert_int_equal(store_size(s, &size), 0);
	assert_int_equal(size, SIZE);
	memset(buf, 0x5a, sizeof buf);
	assert_int_equal(store_pwrite(s, buf, sizeof buf, SIZE - 4096), 0);
	assert_int_not_equal(store_pwrite(s, buf, sizeof buf, SIZE), 0);
	assert_int_equal(store_pread(s, buf, sizeof buf, SIZE), -EIO);
	assert_int_equal(store_flush(s), 0);
	assert_refused(dev, false, -EBUSY, "this very command");
	int rc = store_discard(s, SIZE - 4096, 4096);
	assert_true(rc == 0 || rc == -EOPNOTSUPP);
	assert_int_equal(store_pread(s, buf, sizeof buf, SIZE - 4096), 0);
	assert_int_equal(buf[4095], rc == 0 ? 0 : 0x5a);
	store_close(&s);
	autoclose int claim =
		open(dev, O_RDWR | O_EXCL | O_CLOEXEC); // as a mount or dm-crypt claims it
	assert_true(claim >= 0);
	assert_refused(dev, false, -EBUSY, "in use by the kernel");
}

// -errno or 0 of what a mount or dm-crypt does first.
static int claim(const char *dev)
{
	autoclose int fd = open(dev, O_RDWR | O_EXCL | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static void a_block_device_is_kept_from_the_kernel_while_it_is_written_to(void **state)
{
	struct fixture *f = *state;
	struct store *s scoped(store_close) = NULL;
	char dev[32];

	autoclose int loop = make_loop(f->path, dev, sizeof dev);
	if (loop < 0)
		skip();
	assert_int_equal(claim(dev), 0);
	s = open_rw(dev);
	assert_int_equal(claim(dev), -EBUSY);
	store_close(&s);
	assert_int_equal(claim(dev), 0);
	assert_int_equal(store_file_open(dev, true, &s, NULL, NULL), 0);
	assert_int_equal(claim(dev), 0); // a reader disturbs nobody
}

static int hang_mount(const char *dir)
{
	char options[96];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	(void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (fuse < 0 || mount("hung", dir, "fuse", 0, options) == 0)
		return fuse;
	(void)close(fuse);
	return -1;
}

// Exit status of a child: 0 when it finds the holder, killed when it takes too long.
static int search_for(const char *path, int holder)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(10);
		_exit(store_file_holder(path) == holder ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void the_search_for_the_holder_waits_for_no_server_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char dir[96];

	(void)snprintf(dir, sizeof dir, "%s/hung", f->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	autoclose int fuse = geteuid() == 0 ? hang_mount(dir) : -1;
	if (fuse < 0) {
		assert_int_equal(rmdir(dir), 0);
		skip();
	}
	// Opened before the store, so that it comes first in the list of this process.
	int hung = open(dir, O_PATH | O_CLOEXEC);
	struct store *s scoped(store_close) = open_rw(f->path);
	int status = search_for(f->path, getpid());
	(void)umount2(dir, MNT_FORCE);
	int dead = fstat(hung, &st) < 0 ? errno : 0;
	(void)close(hung);
	(void)umount2(dir, MNT_DETACH);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(status, 0);
	assert_int_equal(dead, ENOTCONN); // a question to it would have gone to nobody
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_symbolic_link_is_followed),
		STORE_TEST(only_files_and_block_devices_are_opened),
		STORE_TEST(a_file_that_may_only_be_read_is_refused_for_writing_with_the_way_out),
		STORE_TEST(an_undumpable_process_of_an_ordinary_user_can_open_it),
		STORE_TEST(a_second_open_in_one_command_is_refused),
		STORE_TEST(readers_share_and_exclude_a_writer),
		STORE_TEST(the_holder_is_named_by_pid),
		STORE_TEST(a_holder_out_of_sight_still_excludes),
		STORE_TEST(a_block_device_is_a_store),
		STORE_TEST(a_block_device_is_kept_from_the_kernel_while_it_is_written_to),
		STORE_TEST(the_search_for_the_holder_waits_for_no_server_that_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
