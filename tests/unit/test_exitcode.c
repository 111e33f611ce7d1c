// SPDX-License-Identifier: MIT
// Every errno that the program returns on purpose has the exit status that the manual prints.
#include "exitcode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_errno_has_its_status(void **state)
{
	(void)state;
	static const struct {
		int err, status;
	} want[] = {{0, 0}, {-EINVAL, 64}, {-ENOTDIR, 64}, {-EISDIR, 64}, {-ELOOP, 64},
		{-ENAMETOOLONG, 64}, {-EFBIG, 73}, {-EBADMSG, 65}, {-ENOENT, 66},
		{-EHOSTUNREACH, 69}, {-ENOMEM, 71}, {-EMFILE, 71}, {-ENODEV, 71}, {-ENOSYS, 71},
		{-EEXIST, 73}, {-EIO, 74}, {-ENOSPC, 74}, {-ENOTCONN, 74}, {-EBUSY, 75},
		{-EAGAIN, 75}, {-ETIMEDOUT, 75}, {-EACCES, 77}, {-EPERM, 77}, {-EROFS, 77},
		{-EKEYREVOKED, 77}, {-EKEYEXPIRED, 77}, {-ENOKEY, 77}, {-EKEYREJECTED, 78},
		{-EDOM, 78}};
	size_t rows;

	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		assert_int_equal(exitcode_of(want[i].err), want[i].status);
	(void)exitcode_table(&rows);
	assert_int_equal(rows, sizeof want / sizeof want[0]);
}

static void an_unknown_errno_is_a_software_error_and_never_success(void **state)
{
	(void)state;
	for (int e = 1; e < 4096; e++)
		assert_int_not_equal(exitcode_of(-e), 0);
	assert_int_equal(exitcode_of(-ENOTTY), 70);
	assert_int_equal(exitcode_of(-4095), 70);
	assert_int_equal(exitcode_of(EINVAL), 70); // the sign was forgotten: a mistake of ours
}

static void the_table_has_one_row_per_errno_and_a_text_in_each(void **state)
{
	(void)state;
	size_t n;
	const struct exitcode_row *t = exitcode_table(&n);

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(strncmp(t[i].name, "EX_", 3), 0);
		assert_true(strlen(t[i].meaning) > 0);
		for (size_t k = 0; k < i; k++) {
			assert_int_not_equal(t[i].errnum, t[k].errnum);
			assert_int_equal(
				strcmp(t[i].name, t[k].name) == 0, t[i].status == t[k].status);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_errno_has_its_status),
		cmocka_unit_test(an_unknown_errno_is_a_software_error_and_never_success),
		cmocka_unit_test(the_table_has_one_row_per_errno_and_a_text_in_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
