// SPDX-License-Identifier: MIT
// What the kernel may keep of a disk, and that it keeps nothing after a stop.
#include "front_rig.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A client in a process of its own: whoever serves a file must not wait for a page of it, because
// the fault holds the very lock that a serving thread needs to get memory.
struct client {
	pid_t pid;
	int socket;
};

enum ask { MAP_PRIVATELY, MAP_SHARED_AND_WRITE, PEEK, READ };

// Reads the mapping without risking SIGBUS: the kernel does it.
static int peek(const char *map)
{
	int fd autoclose = memfd_create("peek", MFD_CLOEXEC);
	return write(fd, map, 1) == 1 ? 0 : -errno;
}

static int map_and_write(int fd)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	map[17] = 'x';
	int r = msync(map, 4096, MS_SYNC) ? -errno : 0;
	(void)munmap(map, 4096);
	return r;
}

static int client_answer(int fd, enum ask ask, char **map)
{
	char buf[10];
	switch (ask) {
	case MAP_PRIVATELY:
		*map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
		return *map == MAP_FAILED ? -errno : 0;
	case MAP_SHARED_AND_WRITE:
		return map_and_write(fd);
	case PEEK:
		return peek(*map);
	case READ:
		return pread(fd, buf, 10, 100) == 10 ? 0 : -errno;
	}
	return -EINVAL;
}

static void start_client(struct rig *r, struct client *c)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	c->pid = fork();
	if (c->pid == 0) {
		(void)close(ends[0]);
		int fd = rig_open(r, 0, O_RDWR);
		char *map = NULL;
		enum ask ask;
		while (read(ends[1], &ask, sizeof(ask)) == sizeof(ask)) {
			int answer = client_answer(fd, ask, &map);
			if (write(ends[1], &answer, sizeof(answer)) != sizeof(answer))
				break;
		}
		_exit(0);
	}
	(void)close(ends[1]);
	c->socket = ends[0];
}

static int ask_client(const struct client *c, enum ask ask)
{
	int answer = -EPIPE;
	if (write(c->socket, &ask, sizeof(ask)) == sizeof(ask))
		assert_int_equal(read(c->socket, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static void end_client(struct client *c)
{
	int status = -1;
	(void)close(c->socket);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

static void check_nothing_cached_after_the_stop(bool kernel_cache)
{
	struct rig r;
	struct client c;
	rig_init(&r, 1);
	r.config.kernel_cache = kernel_cache;
	memset(r.disks[0].data, 0x42, RIG_SIZE);
	rig_mount(&r);
	start_client(&r, &c);
	assert_int_equal(ask_client(&c, MAP_PRIVATELY), 0);
	assert_int_equal(ask_client(&c, READ), 0);
	assert_int_equal(ask_client(&c, PEEK), 0);

	atomic_store(&r.disks[0].fail, -EIO);
	// The kernel does hold plaintext: else the rest would prove nothing.
	assert_int_equal(ask_client(&c, PEEK), 0);
	assert_int_equal(ask_client(&c, READ), kernel_cache ? 0 : -EIO);
	front_forget(r.front, 0);
	assert_int_equal(ask_client(&c, PEEK), -EFAULT);
	assert_int_equal(ask_client(&c, READ), -EIO);

	atomic_store(&r.disks[0].fail, 0); // resumed
	assert_int_equal(ask_client(&c, READ), 0);
	assert_int_equal(ask_client(&c, PEEK), 0);
	end_client(&c);
	rig_fini(&r);
}

static void after_stop_and_forget_no_mapping_shows_plaintext(void **state)
{
	(void)state;
	check_nothing_cached_after_the_stop(false);
}

static void after_stop_and_forget_no_kernel_cache_shows_plaintext(void **state)
{
	(void)state;
	check_nothing_cached_after_the_stop(true);
}

static void a_shared_mapping_needs_the_kernel_cache(void **state)
{
	(void)state;
	for (int cached = 0; cached < 2; cached++) {
		struct rig r;
		struct client c;
		rig_init(&r, 1);
		r.config.kernel_cache = cached;
		rig_mount(&r);
		start_client(&r, &c);
		assert_int_equal(ask_client(&c, MAP_SHARED_AND_WRITE), cached ? 0 : -ENODEV);
		assert_true(rig_holds(&r, 0, 17, cached ? "x" : "", 1));
		end_client(&c);
		rig_fini(&r);
	}
}

// A daemon with a store that hangs under a read: it is told to stop, and its kernel to forget, at
// the same time. Exit status: front_run's answer, positive.
static void *forget(void *arg)
{
	front_forget(((struct rig *)arg)->front, 0);
	return NULL;
}

_Noreturn static void serve_a_hung_disk(struct rig *r, int ready, int reading)
{
	pthread_t forgetter;
	char byte = 0;
	(void)pthread_mutex_lock(&r->disks[0].gate);
	rig_mount(r);
	(void)!write(ready, &byte, 1);
	(void)!read(reading, &byte, 1);
	while (atomic_load(&r->disks[0].waiting) == 0)
		(void)sched_yield();
	atomic_store(&r->disks[0].fail, -EIO);
	if (pthread_create(&forgetter, NULL, forget, r))
		_exit(1);
	(void)usleep(100000); // until it waits in the kernel, or else it proves nothing
	front_stop(r->front);
	(void)pthread_join(r->thread, NULL);
	(void)pthread_join(forgetter, NULL); // the kernel let it go
	front_free(&r->front);		     // which leaves the hung thread what it uses
	_exit(-r->result);
}

static int wait_for_end(struct rig *r, pid_t daemon)
{
	int status = -1;
	for (int i = 0; i < 300 && waitpid(daemon, &status, WNOHANG) == 0; i++)
		(void)usleep(100000);
	if (status == -1) { // free it, or it will hang for ever
		(void)umount2(r->mountpoint, MNT_FORCE);
		(void)kill(daemon, SIGKILL);
		(void)umount2(r->mountpoint, MNT_DETACH);
	}
	return status;
}

static void a_hung_store_does_not_keep_a_mount_from_its_end(void **state)
{
	(void)state;
	struct rig r;
	int ready[2], reading[2];
	char byte;
	if (geteuid() != 0)
		skip(); // to be sure of tidying up
	rig_init(&r, 1);
	r.config.kernel_cache = true;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(reading, O_CLOEXEC), 0);
	pid_t daemon = fork();
	if (daemon == 0)
		serve_a_hung_disk(&r, ready[1], reading[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pid_t client = fork();
	if (client == 0) {
		int fd = rig_open(&r, 0, O_RDONLY);
		(void)!write(reading[1], &byte, 1);
		_exit(read(fd, &byte, 1) < 0 ? errno : 0);
	}
	int answer = -1;
	int status = wait_for_end(&r, daemon);
	assert_int_equal(waitpid(client, &answer, 0), client);
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(reading[i]);
	}
	rig_fini(&r);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ETIMEDOUT);
	assert_true(WEXITSTATUS(answer) == ENOTCONN || WEXITSTATUS(answer) == ECONNABORTED);
}

int main(void)
{
	int unavailable = rig_unavailable();
	if (unavailable)
		return unavailable;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_stop_and_forget_no_mapping_shows_plaintext),
		cmocka_unit_test(after_stop_and_forget_no_kernel_cache_shows_plaintext),
		cmocka_unit_test(a_shared_mapping_needs_the_kernel_cache),
		cmocka_unit_test(a_hung_store_does_not_keep_a_mount_from_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
