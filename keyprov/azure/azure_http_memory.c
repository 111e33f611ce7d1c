// SPDX-License-Identifier: MIT
// See azure_http_memory.h.
#include "azure_http_memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *http_memory_alloc(size_t size)
{
	return malloc(size);
}

void *http_memory_zeroed(size_t count, size_t size)
{
	return calloc(count, size);
}

void http_memory_free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

// realloc() would leave the old bytes behind when it moves them.
void *http_memory_resize(void *p, size_t size)
{
	void *bigger = malloc(size);
	if (!bigger || !p)
		return bigger;
	size_t old = malloc_usable_size(p);
	memcpy(bigger, p, old < size ? old : size);
	http_memory_free(p);
	return bigger;
}

char *http_memory_text(const char *text)
{
	return strdup(text);
}

__attribute__((noinline)) void http_memory_wipe_stack(void)
{
	char room[64 * 1024];
	explicit_bzero(room, sizeof(room));
}
