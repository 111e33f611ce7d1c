// SPDX-License-Identifier: MIT
// Pages of their own for secret bytes:
//
//   | guard, no access | ... unused ... data | guard, no access |
//
// The data ends at the upper guard (rounded up to 16 bytes, so that AES code may use aligned
// loads), and a run past either end is a fault instead of a leak. The pages exist only in the
// process that made them: a forked child must not touch, nor free, a secret of its parent.
#include "secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECRET_MAX 524288u
#define SECRET_ALIGN 16u

struct layout {
	size_t page;
	size_t span; // data, rounded up to SECRET_ALIGN
	size_t body; // span, rounded up to whole pages
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static struct layout layout_of(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = round_up(len, SECRET_ALIGN);

	return (struct layout){page, span, round_up(span, page)};
}

// A kernel that cannot hide the pages from core dumps or children is not one we can hold keys on.
static int hide(uint8_t *body, size_t len)
{
	if (mprotect(body, len, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	if (madvise(body, len, MADV_DONTDUMP) < 0)
		return -errno;
	if (madvise(body, len, MADV_DONTFORK) < 0 && madvise(body, len, MADV_WIPEONFORK) < 0)
		return -errno;
	return 0;
}

int secret_new(size_t len, struct secret **out)
{
	if (len == 0 || len > SECRET_MAX)
		return -EINVAL;

	struct layout l = layout_of(len);
	struct secret *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	uint8_t *map =
		mmap(NULL, l.body + 2 * l.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		free(s);
		return -ENOMEM;
	}
	int rc = hide(map + l.page, l.body);
	if (rc < 0) {
		(void)munmap(map, l.body + 2 * l.page);
		free(s);
		return rc;
	}
	// mlock2() without flags is mlock(), which the sanitizers replace by a success that does
	// nothing.
	s->locked = mlock2(map + l.page, l.body, 0) == 0;
	s->data = map + l.page + l.body - l.span;
	s->len = len;
	*out = s;
	return 0;
}

int secret_dup(const void *data, size_t len, struct secret **out)
{
	int rc = secret_new(len, out);

	if (rc == 0)
		memcpy((*out)->data, data, len);
	return rc;
}

int secret_random(size_t len, struct secret **out)
{
	struct secret *s scoped(secret_free) = NULL;
	int rc = secret_new(len, &s);

	if (rc < 0)
		return rc;
	for (size_t done = 0; done < len;) {
		ssize_t n = getrandom(s->data + done, len - done, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	*out = TAKE(s);
	return 0;
}

void secret_free(struct secret **s)
{
	if (!*s)
		return;
	struct layout l = layout_of((*s)->len);
	uint8_t *body = (*s)->data + l.span - l.body;

	wipe(body, l.body);
	(void)munmap(body - l.page, l.body + 2 * l.page);
	free(*s);
	*s = NULL;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	volatile uint8_t diff = 0;

	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		diff = (uint8_t)(diff | (a->data[i] ^ b->data[i]));
	return diff == 0;
}

void wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

int process_seal_memory(void)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}
