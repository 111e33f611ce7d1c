// SPDX-License-Identifier: MIT
// See kept.h.
#include "kept.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

// The pages that the secret lies on.
static void *pages_of(const struct secret *s, size_t *len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)s->data, start = at - at % page;
	*len = (at + s->len - start + page - 1) / page * page;
	return (void *)start;
}

int kept_new(size_t len, struct secret **out)
{
	size_t pages;
	struct secret *s scoped(secret_free) = NULL;
	int r = secret_new(len, &s);
	if (r)
		return r;
	void *start = pages_of(s, &pages);
	if (madvise(start, pages, MADV_DOFORK))
		return -errno;
	*out = TAKE(s);
	return 0;
}

bool kept_lock(const struct secret *s)
{
	size_t len;
	if (!s)
		return true;
	void *start = pages_of(s, &len);
	return mlock2(start, len, 0) == 0;
}
