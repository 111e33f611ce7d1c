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
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

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

int main(void)
{
	int unavailable = rig_unavailable();
	if (unavailable)
		return unavailable;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_stop_and_forget_no_mapping_shows_plaintext),
		cmocka_unit_test(after_stop_and_forget_no_kernel_cache_shows_plaintext),
		cmocka_unit_test(a_shared_mapping_needs_the_kernel_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
