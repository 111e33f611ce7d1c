// SPDX-License-Identifier: MIT
// An audit log that cannot be written: nobody waits for it, nothing is lost in silence.
#include "audit_rig.h"

#include "clock.h"
#include "log.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

static void logger_cleanup(struct logger **log)
{
	logger_free(log);
}

// A full disk: no file grows beyond this.
static void limit_files(rlim_t size)
{
	struct rlimit l;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void no_limit(void *ignored)
{
	(void)ignored;
	limit_files(RLIM_INFINITY);
}

static void start_with_logger(struct audit_rig *r, struct logger **log)
{
	struct audit_config c = {.file = r->path};
	assert_int_equal(logger_new("test", LOG_LEVEL_DEBUG, log), 0);
	log_to_socket(*log, r->socket, LOG_LEVEL_DEBUG);
	c.log = *log;
	assert_int_equal(audit_new(&c, &r->a, &r->err), 0);
}

static void what_a_full_disk_kept_from_being_written_is_written_later(void **state)
{
	struct audit_rig *r = *state;
	struct logger *log scoped(logger_cleanup) = NULL;
	int always scoped(no_limit) = 0;
	struct audit_stats s;
	char said[1024];
	(void)always;
	rig_listen(r);
	start_with_logger(r, &log);
	rig_post(r, 3);
	rig_wait_written(r);
	limit_files(1500);
	rig_post(r, 20);
	rig_wait_error(r, EFBIG);
	audit_stats(r->a, &s);
	assert_true(s.pending > 10 && s.lost == 0);
	assert_non_null(strstr(s.error_text.text, r->path));
	assert_true(s.error_since_ns > 0 && s.error_since_ns <= clock_boot_ns(clock_real()));
	rig_unbroken(r, r->path, NULL, (unsigned)s.sequence); // no half line
	rig_hear(r, said, sizeof(said));
	assert_non_null(strstr(said, "cannot be written: File too large"));
	limit_files(RLIM_INFINITY);
	rig_wait_written(r);
	rig_hear(r, said, sizeof(said));
	assert_non_null(strstr(said, "can be written again"));
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 23);
	assert_int_equal(r->chain.gaps, 0);
}

static void what_is_too_much_to_wait_is_counted_in_the_log(void **state)
{
	struct audit_rig *r = *state;
	int always scoped(no_limit) = 0;
	struct audit_stats s;
	size_t len;
	(void)always;
	rig_start(r);
	rig_post(r, 1);
	rig_wait_written(r);
	limit_files(100);
	rig_post(r, 1);
	rig_wait_error(r, EFBIG);
	rig_post(r, AUDIT_PENDING_MAX + 500);
	audit_stats(r->a, &s);
	assert_int_equal(s.pending, AUDIT_PENDING_MAX);
	assert_int_equal(s.lost, 501);
	limit_files(RLIM_INFINITY);
	rig_wait_written(r);
	rig_post(r, 1);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 1 + AUDIT_PENDING_MAX + 1 + 1);
	assert_int_equal(r->chain.gaps, 1);
	assert_int_equal(r->chain.lost, 501);
	// Its line stands where the lost ones would, with the reason.
	char *text autofree = rig_text(r->path, &len);
	char *gap = strstr(text, "\"event\":\"audit-gap\"");
	assert_non_null(gap);
	assert_null(strchr(strchr(strchr(gap, '\n') + 1, '\n') + 1, '\n'));
	assert_non_null(strstr(gap, "\"sinceMicros\":"));
	assert_non_null(strstr(gap, "\"error\":\"File too large\""));
}

static void an_event_longer_than_any_line_is_counted(void **state)
{
	struct audit_rig *r = *state;
	size_t size = 70000;
	char *text autofree = malloc(size + 1);
	memset(text, 'a', size);
	memcpy(text, "{\"time\":\"", 9);
	memcpy(text + size - 2, "\"}", 3);
	rig_start(r);
	rig_post(r, 1);
	audit_post(r->a, text);
	rig_post(r, 1);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 3);
	assert_int_equal(r->chain.lost, 1);
}

static void a_new_file_that_cannot_be_made_is_tried_for(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	rig_post(r, 2);
	rig_wait_written(r);
	assert_int_equal(rename(r->path, r->old), 0);
	rig_put(r->path, "rubbish\n", 8);
	rig_post(r, 1);
	rig_wait_error(r, EBADMSG);
	rig_unbroken(r, r->old, NULL, 2); // what is kept from the path is not put elsewhere
	assert_int_equal(unlink(r->path), 0);
	assert_int_equal(mkdir(r->path, 0700), 0);
	rig_wait_error(r, EISDIR);
	assert_int_equal(rmdir(r->path), 0);
	rig_end(r);
	rig_unbroken(r, r->old, r->path, 3);
}

// Locks are of an open file: this is another one than the log's.
static int keep_locked(const char *path)
{
	struct flock lk = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lk), 0);
	return fd;
}

static void a_lock_that_others_keep_is_an_error(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	rig_post(r, 1);
	rig_wait_written(r);
	int fd = keep_locked(r->path);
	rig_post(r, 1);
	rig_wait_error(r, EAGAIN);
	(void)close(fd);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 2);
}

static void the_end_does_not_wait_for_a_thread_that_hangs(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	rig_post(r, 1);
	rig_wait_written(r);
	int fd = keep_locked(r->path);
	uint64_t before = clock_boot_ns(clock_real());
	rig_post(r, 1);
	assert_int_equal(audit_end(&r->a, 50), -ETIMEDOUT);
	assert_null(r->a);
	assert_true(clock_boot_ns(clock_real()) - before < 900 * NS_PER_MS);
	// It still has all it needs, and ends by itself.
	(void)close(fd);
	for (int i = 0; i < 1000 && (rig_verify(r, r->path, NULL) || r->chain.lines < 2); i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	rig_unbroken(r, r->path, NULL, 2);
}

static void syslog_gets_the_same_lines(void **state)
{
	struct audit_rig *r = *state;
	struct audit_config c = {.file = r->path, .to_journal = true, .journal = r->socket};
	struct audit_stats s;
	char heard[4096];
	size_t len;
	assert_int_equal(audit_new(&c, &r->a, &r->err), 0);
	rig_post(r, 1);
	rig_wait_written(r);
	audit_stats(r->a, &s);
	assert_int_equal(s.written, 1);
	assert_int_equal(s.unsent, 1); // nobody listened
	rig_listen(r);
	rig_post(r, 1);
	rig_wait_written(r);
	rig_hear(r, heard, sizeof(heard));
	// The facility authpriv (10), the severity notice (5).
	assert_memory_equal(heard, "<85>", 4);
	char *sent = strstr(heard, "]: {");
	assert_non_null(sent);
	char *text autofree = rig_text(r->path, &len);
	char *line = strchr(text, '\n') + 1;
	assert_memory_equal(sent + 3, line, strlen(line) - 1);
	assert_int_equal(strlen(sent + 3), strlen(line) - 1);
}

static void syslog_alone_has_a_chain_of_its_own(void **state)
{
	struct audit_rig *r = *state;
	struct audit_config c = {.to_journal = true, .journal = r->socket};
	struct audit_stats s;
	char heard[4096], *text autofree = NULL;
	size_t len = 0;
	assert_int_equal(audit_new(&c, &r->a, &r->err), 0);
	rig_post(r, 1);
	rig_wait_error(r, ENOENT); // kept until somebody listens
	rig_listen(r);
	rig_wait_written(r);
	rig_post(r, 2);
	rig_wait_written(r);
	audit_stats(r->a, &s);
	assert_int_equal(s.written, 3);
	text = calloc(4, sizeof(heard));
	for (int i = 0; i < 3; i++) {
		rig_hear(r, heard, sizeof(heard));
		char *sent = strstr(heard, "]: {");
		assert_non_null(sent);
		len += (size_t)snprintf(text + len, sizeof(heard), "%s\n", sent + 3);
	}
	rig_put(r->path, text, len);
	rig_unbroken(r, r->path, NULL, 3);
	assert_string_equal(r->chain.last_hash, s.last_hash);
}

// Nothing of cmocka's may be printed meanwhile.
static void a_full_pipe_on_stderr_keeps_nobody_waiting(void **state)
{
	struct audit_rig *r = *state;
	struct audit_config c = {.file = r->path, .to_stderr = true};
	struct audit_stats s;
	int ends[2], saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	int rc = audit_new(&c, &r->a, &r->err);
	if (!rc) {
		rig_post(r, 100);
		rig_wait_written(r);
		audit_stats(r->a, &s);
		rig_end(r);
	}
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_int_equal(rc, 0);
	assert_int_equal(s.written, 100);
	assert_true(s.unsent > 50 && s.unsent < 100);
	rig_unbroken(r, r->path, NULL, 100);
}

static void a_flush_tells_what_is_written_and_what_is_not(void **state)
{
	struct audit_rig *r = *state;
	int always scoped(no_limit) = 0;
	struct audit_stats s;
	(void)always;
	rig_start(r);
	rig_post(r, 50);
	audit_flush(r->a, 20000, &s);
	assert_int_equal(s.written, 50);
	assert_int_equal(s.pending, 0);
	assert_int_equal(s.error, 0);
	limit_files(100);
	rig_post(r, 2);
	audit_flush(r->a, 50, &s);
	assert_int_equal(s.pending, 2);
	limit_files(RLIM_INFINITY);
	audit_flush(r->a, 20000, &s);
	assert_int_equal(s.written, 52);
	assert_int_equal(s.error, 0);
}

// Another daemon died while it wrote, and the file was rotated before we wrote again.
static void half_a_line_is_told_in_the_file_that_has_it(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	rig_post(r, 2);
	rig_wait_written(r);
	rig_append(r->path, "{\"time\":\"2026-1");
	assert_int_equal(rename(r->path, r->old), 0);
	rig_post(r, 1);
	rig_end(r);
	rig_unbroken(r, r->old, r->path, 4);
	assert_int_equal(r->chain.gaps, 1);
	rig_unbroken(r, r->old, NULL, 3);
}

static void a_log_without_a_place_is_refused(void **state)
{
	struct audit_rig *r = *state;
	struct audit_config c = {.file = NULL};
	assert_int_equal(audit_new(&c, &r->a, &r->err), -EINVAL);
	assert_int_equal(audit_end(&r->a, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT_TEST(what_a_full_disk_kept_from_being_written_is_written_later),
		AUDIT_TEST(what_is_too_much_to_wait_is_counted_in_the_log),
		AUDIT_TEST(an_event_longer_than_any_line_is_counted),
		AUDIT_TEST(a_new_file_that_cannot_be_made_is_tried_for),
		AUDIT_TEST(a_lock_that_others_keep_is_an_error),
		AUDIT_TEST(the_end_does_not_wait_for_a_thread_that_hangs),
		AUDIT_TEST(syslog_gets_the_same_lines),
		AUDIT_TEST(syslog_alone_has_a_chain_of_its_own),
		AUDIT_TEST(a_full_pipe_on_stderr_keeps_nobody_waiting),
		AUDIT_TEST(a_flush_tells_what_is_written_and_what_is_not),
		AUDIT_TEST(half_a_line_is_told_in_the_file_that_has_it),
		AUDIT_TEST(a_log_without_a_place_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
