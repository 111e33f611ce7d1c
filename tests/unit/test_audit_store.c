// SPDX-License-Identifier: MIT
// An audit log whose store fails in ways that a test cannot ask a kernel for.
#include "audit_rig.h"

#include "audit_file.h"
#include "audit_writer.h"
#include "scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_int sync_error, write_error, gap_error, gaps_asked;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	errno = atomic_load(&sync_error);
	return errno ? -1 : __real_fdatasync(fd);
}

int __real_write_full(int fd, const void *buf, size_t len);
int __wrap_write_full(int fd, const void *buf, size_t len);
int __wrap_write_full(int fd, const void *buf, size_t len)
{
	int error = atomic_load(&write_error);
	return error ? -error : __real_write_full(fd, buf, len);
}

int __real_audit_gap_text(const struct audit_gap *g, const char *head, char **out);
int __wrap_audit_gap_text(const struct audit_gap *g, const char *head, char **out);
int __wrap_audit_gap_text(const struct audit_gap *g, const char *head, char **out)
{
	int error = atomic_load(&gap_error);
	atomic_fetch_add(&gaps_asked, 1);
	return error ? -error : __real_audit_gap_text(g, head, out);
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

// The kernel tells it once; asked again, it has nothing to write, and nothing to complain of.
static void lines_that_may_not_have_reached_the_store_are_told(void **state)
{
	struct audit_rig *r = *state;
	struct audit_stats s;
	size_t len;
	rig_start(r);
	rig_post(r, 1);
	rig_wait_written(r);
	atomic_store(&sync_error, EIO);
	rig_post(r, 1);
	rig_wait_error(r, EIO);
	atomic_store(&sync_error, 0);
	rig_post(r, 1);
	rig_wait_written(r);
	audit_stats(r->a, &s);
	assert_int_equal(s.unsynced, 1);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 4);
	assert_int_equal(r->chain.gaps, 1);
	assert_int_equal(r->chain.lost, 0);
	char *text autofree = rig_text(r->path, &len);
	char *gap = strstr(text, "\"audit-gap\"");
	assert_non_null(gap);
	*strchr(gap, '\n') = '\0';
	assert_non_null(strstr(gap, "\"unsynced\":1,"));
	assert_non_null(strstr(gap, "\"errno\":5,"));
	assert_null(strstr(gap, "\"n\":"));
	assert_non_null(
		strstr(gap + strlen(gap) + 1, "\"n\":2")); // and nothing was said in between
}

static void a_store_that_failed_once_is_not_well_for_want_of_something_to_write(void **state)
{
	struct audit_rig *r = *state;
	struct audit_stats s;
	rig_start(r);
	atomic_store(&sync_error, EIO);
	rig_post(r, 1);
	rig_wait_error(r, EIO);
	atomic_store(&sync_error, 0);
	for (int i = 0; i < 13; i++) { // it is tried again each second
		pause_ms(100);
		audit_stats(r->a, &s);
		assert_int_equal(s.error, EIO);
	}
	rig_post(r, 1);
	rig_wait_written(r);
}

static void without_memory_for_a_gap_it_is_tried_again_later(void **state)
{
	struct audit_rig *r = *state;
	const size_t size = 70000; // more than a line can have: it is lost
	char *text autofree = malloc(size + 1);
	assert_non_null(text);
	memset(text, 'a', size);
	memcpy(text, "{\"time\":\"", 9);
	memcpy(text + size - 2, "\"}", 3);
	rig_start(r);
	atomic_store(&gap_error, ENOMEM);
	audit_post(r->a, text);
	pause_ms(300);
	assert_in_range(atomic_load(&gaps_asked), 1, 2);
	atomic_store(&gap_error, 0);
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 1);
	assert_int_equal(r->chain.lost, 1);
}

// As `copytruncate` does, between our look at the file and our write.
static void a_file_cut_meanwhile_is_not_made_longer(void **state)
{
	struct audit_rig *r = *state;
	struct audit_file f;
	struct stat st;
	rig_write(r, 5);
	assert_int_equal(audit_file_open(&f, r->path, &r->err), 0);
	assert_int_equal(audit_file_lock(&f, &r->err), 0);
	assert_int_equal(truncate(r->path, 0), 0);
	atomic_store(&write_error, ENOSPC);
	assert_int_equal(audit_file_append(&f, "{}\n", 3, &r->err), -ENOSPC);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_size, 0);
	audit_file_unlock(&f);
	audit_file_close(&f);
}

static int setup(void **state)
{
	atomic_store(&sync_error, 0);
	atomic_store(&write_error, 0);
	atomic_store(&gap_error, 0);
	atomic_store(&gaps_asked, 0);
	return audit_rig_setup(state);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, audit_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_that_may_not_have_reached_the_store_are_told),
		TEST(a_store_that_failed_once_is_not_well_for_want_of_something_to_write),
		TEST(without_memory_for_a_gap_it_is_tried_again_later),
		TEST(a_file_cut_meanwhile_is_not_made_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
