// SPDX-License-Identifier: MIT
// A log that somebody else wrote: verifying it ends in a verdict, and what is unbroken is a chain
// of lines, each with its own hash. And any text that becomes a line is read as that line again.
#include "audit.h"
#include "audit_line.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify(const uint8_t *data, size_t size)
{
	char path[64];
	char *files[] = {path};
	struct audit_expect none = {NULL, NULL};
	struct audit_chain chain;
	struct errmsg err = {{0}};
	autoclose int fd = memfd_create("log", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int rc = audit_verify(files, 1, &none, &chain, &err);
	if (rc != 0 && rc != -EBADMSG)
		abort();
	if (rc && (!err.text[0] || chain.problem == AUDIT_SOUND))
		abort();
	if (!rc && (!chain.lines || chain.last - chain.first + 1 != chain.lines))
		abort();
}

// What is read of a log's end is told as a line only if it is whole.
static void parse(const char *text, size_t size)
{
	struct audit_line line;
	if (audit_line_parse(text, size, &line) && line.hashed >= size)
		abort();
}

static void make(const char *text)
{
	struct audit_link link;
	struct audit_line line;
	char *out autofree = malloc(AUDIT_LINE_MAX);
	audit_link_start(&link);
	int n = out ? audit_line_make(&link, text, out, AUDIT_LINE_MAX) : 0;
	if (n <= 0 || strncmp(text, AUDIT_LINE_BEGIN, strlen(AUDIT_LINE_BEGIN)) != 0)
		return;
	if (out[n - 1] != '\n' || !audit_line_parse(out, (size_t)n - 1, &line) ||
		!audit_line_fits(out, &line) || strcmp(line.link.hash, link.hash) != 0 ||
		line.link.sequence != 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text autofree = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	verify(data, size);
	parse(text, size);
	make(text);
	return 0;
}
