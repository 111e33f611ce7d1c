// SPDX-License-Identifier: MIT
// Whole reads and writes, whole text files, log lines and the clocks.
#include "clock.h"
#include "fileio.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void reads_are_whole_or_fail(void **state)
{
	(void)state;
	autoclose int fd = memfd_create("io", MFD_CLOEXEC);
	char buf[8] = "";

	assert_int_equal(pwrite_full(fd, "abcdef", 6, 2), 0);
	assert_int_equal(pread_full(fd, buf, 6, 2), 0);
	assert_memory_equal(buf, "abcdef", 6);
	assert_int_equal(pread_full(fd, buf, 7, 2), -ENODATA);
	assert_int_equal(pread_full(fd, buf, 1, 100), -ENODATA);
	assert_int_equal(pread_full(fd, buf, 0, 100), 0);
	assert_int_equal(pread_full(fd, buf, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(pwrite_full(fd, buf, 2, INT64_MAX - 1u), -EINVAL);
	assert_int_equal(pread_full(-1, buf, 1, 0), -EBADF);
}

static void writes_report_a_full_medium(void **state)
{
	(void)state;
	autoclose int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	assert_int_equal(pwrite_full(fd, "x", 1, 0), -ENOSPC);
	assert_int_equal(write_full(fd, "x", 1), -ENOSPC);
}

static void *write_much(void *arg)
{
	autofree char *big = malloc(1 << 20);
	int fd = *(int *)arg;

	memset(big, 'z', 1 << 20);
	void *rc = (void *)(intptr_t)write_full(fd, big, 1 << 20);
	(void)close(fd);
	return rc;
}

static void streams_join_short_counts(void **state)
{
	(void)state;
	int pair[2][2];

	assert_int_equal(pipe2(pair[0], O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[1]), 0);
	for (int k = 0; k < 2; k++) {
		autofree char *buf = malloc(1 << 20);
		pthread_t t;
		void *rc;
		assert_int_equal(pthread_create(&t, NULL, write_much, &pair[k][1]), 0);
		assert_int_equal(read_full(pair[k][0], buf, 1 << 20), 0);
		assert_int_equal(pthread_join(t, &rc), 0);
		assert_null(rc);
		assert_int_equal(buf[(1 << 20) - 1], 'z');
		assert_int_equal(read_full(pair[k][0], buf, 1), -ENODATA);
		(void)close(pair[k][0]);
	}
}

static void a_peer_that_has_gone_is_an_error_and_no_signal(void **state)
{
	(void)state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	(void)close(pair[1]);
	assert_int_equal(write_full(pair[0], "x", 1), -EPIPE);
	(void)close(pair[0]);
}

static void a_text_file_is_read_whole_and_ends_in_nul(void **state)
{
	(void)state;
	autoclose int fd = memfd_create("text", MFD_CLOEXEC);
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (size_t len = 0; len < 20000; len = len * 3 + 1) {
		autofree char *text = NULL, *want = malloc(len + 1);
		size_t got = 99;
		memset(want, 'q', len);
		want[len] = '\0';
		assert_int_equal(pwrite_full(fd, want, len, 0), 0);
		assert_int_equal(read_text_file(path, len, &text, &got, NULL), 0);
		assert_int_equal(got, len);
		assert_string_equal(text, want);
	}
}

static void a_text_file_that_cannot_be_read_says_why(void **state)
{
	(void)state;
	autoclose int fd = memfd_create("long", MFD_CLOEXEC);
	struct errmsg err;
	char path[64];
	char *text = NULL;
	size_t len;

	assert_int_equal(pwrite_full(fd, "abcd", 4, 0), 0);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert_int_equal(read_text_file(path, 3, &text, &len, &err), -EFBIG);
	assert_non_null(strstr(err.text, "3 bytes"));
	assert_int_equal(read_text_file("/nonexistent/set.json", 9, &text, &len, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/set.json"));
	assert_int_equal(read_text_file("/", 9, &text, &len, &err), -EISDIR);
	assert_non_null(strstr(err.text, "directory"));
	assert_null(text);
}

static void a_log_line_is_one_line_of_its_level(void **state)
{
	(void)state;
	struct logger *log scoped(logger_free) = NULL;
	autoclose int saved = dup(STDERR_FILENO);
	autoclose int file = memfd_create("stderr", MFD_CLOEXEC);
	char text[256] = "";

	assert_int_equal(logger_new("cmk\ntest", LOG_LEVEL_NOTICE, &log), 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	errno = ERANGE;
	log_notice(log, "name %s", "a\nb\x1b");
	int after = errno;
	log_debug(log, "dropped");
	log_error(log, "last");
	log_error(NULL, "nobody");
	(void)dup2(saved, STDERR_FILENO);
	assert_int_equal(after, ERANGE);
	assert_true(pread(file, text, sizeof text - 1, 0) > 0);
	assert_string_equal(text, "cmk?test: name a?b?\ncmk?test: last\n");
}

static void after_the_switch_nothing_goes_to_stderr(void **state)
{
	(void)state;
	struct logger *log scoped(logger_free) = NULL;
	autoclose int saved = dup(STDERR_FILENO);
	autoclose int file = memfd_create("stderr", MFD_CLOEXEC);
	struct stat before, after;

	assert_int_equal(logger_new("cmkdisk-test", LOG_LEVEL_DEBUG, &log), 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_debug(log, "seen");
	(void)fstat(file, &before);
	log_to_syslog(log, LOG_LEVEL_NOTICE);
	log_debug(log, "a line of the unit tests");
	(void)fstat(file, &after);
	(void)dup2(saved, STDERR_FILENO);
	assert_true(before.st_size > 0);
	assert_int_equal(after.st_size, before.st_size);
}

#define LINES 2000u // more than any pipe or socket takes

// Killed by its alarm if it would wait for the reader.
static int log_many(struct logger *log)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(20);
		for (unsigned i = 0; i < LINES; i++)
			log_notice(log, "line %u of many, and %0100u", i, 0u);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_log_that_nobody_reads_keeps_nobody_waiting(void **state)
{
	(void)state;
	struct logger *log scoped(logger_free) = NULL;
	int ends[2];
	char text[LINES * 150];
	size_t got = 0;

	assert_int_equal(logger_new("t", LOG_LEVEL_NOTICE, &log), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	autoclose int in = ends[0], out = ends[1];
	assert_int_equal(fcntl(out, F_SETFL, 0), 0); // as a terminal or a pager has it
	autoclose int saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(out, STDERR_FILENO), STDERR_FILENO);
	int status = log_many(log);
	(void)dup2(saved, STDERR_FILENO);
	assert_int_equal(status, 0);
	for (ssize_t n; (n = read(in, text + got, sizeof text - 1 - got)) > 0;)
		got += (size_t)n;
	text[got] = '\0';
	assert_non_null(strstr(text, "line 0 of many"));
	assert_null(
		strstr(text, "line 1999 of many")); // some were lost: there was a reason to wait
	assert_int_equal(text[got - 1], '\n');	    // but none in part
}

static int listen_as_syslog(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

// The next line that syslog was sent, without its date, or "".
static const char *next_line(int fd, char *line, size_t room)
{
	ssize_t n = recv(fd, line, room - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	return n > 0 ? strstr(line, " t[") + 1 : line;
}

static void syslog_gets_whole_lines_and_the_number_of_those_lost(void **state)
{
	(void)state;
	struct logger *log scoped(logger_free) = NULL;
	char dir[] = "/tmp/cmkdisk-log-XXXXXX", path[64], line[512], want[64];

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/log", dir);
	assert_int_equal(logger_new("t", LOG_LEVEL_NOTICE, &log), 0);
	log_to_socket(log, path, LOG_LEVEL_NOTICE);
	log_notice(log, "nobody listens yet");
	int server = listen_as_syslog(path);
	log_warning(log, "hello");
	(void)snprintf(want, sizeof want, "t[%d]: ", (int)getpid());
	assert_memory_equal(next_line(server, line, sizeof line), want, strlen(want));
	assert_non_null(strstr(line, "messages lost before this one: 1"));
	assert_memory_equal(next_line(server, line, sizeof line), want, strlen(want));
	assert_non_null(strstr(line, "]: hello"));
	assert_memory_equal(line, "<28>", 4); // daemon, warning

	assert_int_equal(log_many(log), 0);
	unsigned lines = 0;
	while (next_line(server, line, sizeof line)[0])
		lines++;
	assert_in_range(lines, 1, LINES - 1);

	(void)close(server); // and a new daemon in its place
	assert_int_equal(unlink(path), 0);
	server = listen_as_syslog(path);
	log_notice(log, "again");
	assert_non_null(strstr(next_line(server, line, sizeof line), "again"));
	(void)close(server);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void the_clocks_are_the_kernels(void **state)
{
	(void)state;
	const struct clock_source *c = clock_real();
	struct timespec ts;
	uint64_t first = clock_boot_ns(c);

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	uint64_t mid = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	assert_true(first <= mid && mid <= clock_boot_ns(c));
	int64_t wall = clock_wall_s(c);
	assert_in_range(time(NULL) - wall, 0, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_whole_or_fail),
		cmocka_unit_test(writes_report_a_full_medium),
		cmocka_unit_test(streams_join_short_counts),
		cmocka_unit_test(a_peer_that_has_gone_is_an_error_and_no_signal),
		cmocka_unit_test(a_text_file_is_read_whole_and_ends_in_nul),
		cmocka_unit_test(a_text_file_that_cannot_be_read_says_why),
		cmocka_unit_test(a_log_line_is_one_line_of_its_level),
		cmocka_unit_test(after_the_switch_nothing_goes_to_stderr),
		cmocka_unit_test(a_log_that_nobody_reads_keeps_nobody_waiting),
		cmocka_unit_test(syslog_gets_whole_lines_and_the_number_of_those_lost),
		cmocka_unit_test(the_clocks_are_the_kernels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
