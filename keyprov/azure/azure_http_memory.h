// SPDX-License-Identifier: MIT
// libcurl's memory. It copies headers (with tokens) and bodies (with data keys) into buffers of its
// own, which nobody else can reach: so all of its memory is wiped when it is freed. Signatures and
// meaning are those of malloc(3) and its kin.
#ifndef CMK_AZURE_HTTP_MEMORY_H
#define CMK_AZURE_HTTP_MEMORY_H

#include <stddef.h>

void *http_memory_alloc(size_t size);
void *http_memory_zeroed(size_t count, size_t size);
void *http_memory_resize(void *p, size_t size);
char *http_memory_text(const char *text);
void http_memory_free(void *p);

// libcurl and the C library leave pieces of what they send and receive in the frames of functions
// that have returned. Overwrites the stack below the caller; deeper than any of them went.
void http_memory_wipe_stack(void);

#endif
