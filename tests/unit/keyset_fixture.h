// SPDX-License-Identifier: MIT
// Key sets read from files, as users have them.
#ifndef CMK_KEYSET_FIXTURE_H
#define CMK_KEYSET_FIXTURE_H

#include "keyset.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VAULT "https://contoso.vault.azure.net/keys/disks"
#define ACTIVE "\"activeKey\": {\"keyUrl\": \"" VAULT "/0123\", \"sourceVault\": {\"id\": \"x\"}}"

static inline int read_set(const char *text, struct keyset *k, struct errmsg *err)
{
	char path[] = "/tmp/cmkdisk-keyset-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	int rc = keyset_read(path, k, err);
	if (rc) // the sentence names the file, which has a name of its own each time
		assert_int_equal(strncmp(err->text, path, strlen(path)), 0);
	(void)unlink(path);
	return rc;
}

static inline void good(const char *text, struct keyset *k)
{
	struct errmsg err = {{0}};
	int rc = read_set(text, k, &err);
	if (rc)
		print_error("%s: %s\n", text, err.text);
	assert_int_equal(rc, 0);
	assert_string_equal(k->config, text); // whole, for the provider
}

static inline void bad(const char *text, const char *says)
{
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	struct errmsg err = {{0}};
	assert_int_equal(read_set(text, &k, &err), -EBADMSG);
	if (!strstr(err.text, says))
		print_error("%s says: %s\n", text, err.text);
	assert_non_null(strstr(err.text, says));
}

#endif
