// SPDX-License-Identifier: MIT
// Processes that are started with credentials in their environment.
#ifndef CMK_CREDENTIALS_FIXTURE_H
#define CMK_CREDENTIALS_FIXTURE_H

#include "credentials.h"
#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "Hunter-2-Hunter-2"
#define VAULT_KEY "https:environment"
#define TOKEN_KEY "pkcs11:environment"

// This program as "PROGRAM PART" with this environment. Its exit status.
static inline int start_part(const char *part, const char *const env[])
{
	const char *const argv[] = {"/proc/self/exe", part, NULL};
	pid_t pid = 0;
	int status = 0;
	// They are not written to, whatever POSIX had to declare.
	assert_int_equal(posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv,
				 (char *const *)(uintptr_t)env),
		0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline bool environ_shows(const char *what)
{
	static char text[32768];
	int fd autoclose = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	size_t len = 0;
	for (ssize_t n = 1; n > 0; len += (size_t)n) {
		n = read(fd, text + len, sizeof(text) - len);
		assert_true(n >= 0);
	}
	return memmem(text, len, what, strlen(what)) != NULL;
}

static inline bool is_told(const struct credentials *c, const char *key_url, const char *line)
{
	struct secret *told scoped(secret_free) = NULL;
	assert_int_equal(credentials_for(c, key_url, &told), 0);
	assert_int_equal(told ? told->len : 0, credentials_len(c, key_url));
	for (size_t at = 0; told && at < told->len; at += strlen((char *)told->data + at) + 1)
		if (strcmp((char *)told->data + at, line) == 0)
			return true;
	return false;
}

#endif
