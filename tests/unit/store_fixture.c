// SPDX-License-Identifier: MIT
// The backing file that the tests of the file store share.
#include "store_fixture.h"

#include "scope.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char *tmp = getenv("TMPDIR");

	if (!f)
		return -1;
	(void)snprintf(f->dir, sizeof f->dir, "%.40s/cmk-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir) || chmod(f->dir, 0755) < 0)
		return -1;
	(void)snprintf(f->path, sizeof f->path, "%s/backing", f->dir);
	autoclose int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) < 0 || ftruncate(fd, SIZE) < 0)
		return -1;
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path);
	int rc = rmdir(f->dir);
	free(f);
	return rc;
}

struct store *open_rw(const char *path)
{
	struct store *s = NULL;
	struct errmsg err = {""};

	if (store_file_open(path, false, &s, NULL, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

void assert_refused(const char *path, bool read_only, int want, const char *word)
{
	struct store *s = NULL;
	struct errmsg err = {""};

	assert_int_equal(store_file_open(path, read_only, &s, NULL, &err), want);
	assert_null(s);
	assert_non_null(strstr(err.text, path));
	if (!strstr(err.text, word))
		fail_msg("'%s' is not in: %s", word, err.text);
}
