// SPDX-License-Identifier: MIT
// Running a program to its end. What it prints goes to memory, so that it never waits for us.
#include "command.h"

#include "child.h"
#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define OUTPUT_MAX (1024 * 1024)

// The caller frees *out.
static int text_of(int fd, char **out)
{
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	size_t len = st.st_size < OUTPUT_MAX ? (size_t)st.st_size : OUTPUT_MAX;
	char *text autofree = calloc(1, len + 1);
	if (!text)
		return -ENOMEM;
	int rc = pread_full(fd, text, len, 0);
	if (!rc)
		*out = TAKE(text);
	return rc;
}

// The last line, which is the sentence.
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	char *end = strrchr(text, '\n');
	return end ? end + 1 : text;
}

static int failed(char *const *argv, int status, int fd, struct errmsg *err)
{
	char *said autofree = NULL, how[64], *path autofree = strdup(argv[0]);
	child_status_text(status, how, sizeof(how));
	if (!path || text_of(fd, &said))
		return errmsg_set(err, ENOMEM, "no memory");
	const char *why = last_line(said);
	return errmsg_set(err, EIO, "%s %s: %s%s%s", basename(path), argv[1] ? argv[1] : "", how,
		*why ? ": " : "", why);
}

int command_run(char *const *argv, char *const *environment, uint32_t timeout_ms, char **out,
	struct errmsg *err)
{
	int said autoclose = memfd_create("output", MFD_CLOEXEC);
	int complained autoclose = memfd_create("errors", MFD_CLOEXEC);
	if (said < 0 || complained < 0)
		return errmsg_set(err, errno, "no memory for a program's output: %m");
	const struct child_spec spec = {.argv = argv,
		.environment = environment,
		.in = CHILD_NULL,
		.out = said,
		.err = complained,
		.line = -1};
	struct child c = CHILD_NONE;
	int rc = child_start(&spec, &c, err);
	if (rc)
		return rc;
	bool ended = child_ended(&c, timeout_ms);
	int status = 0;
	(void)child_end(&c, 0, &status);
	if (!ended)
		return errmsg_set(err, ETIMEDOUT, "%s %s has not ended within %u s, and was killed",
			argv[0], argv[1] ? argv[1] : "", timeout_ms / 1000);
	if (status)
		return failed(argv, status, complained, err);
	return out ? text_of(said, out) : 0;
}
