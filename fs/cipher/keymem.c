// SPDX-License-Identifier: MIT
// OpenSSL's allocator hook and the arena behind it. The arena grows by chunks, which are locked,
// excluded from dumps and from forked children, and never returned: a freed piece is wiped and
// used again. Pieces are runs of granules, marked in a map at the chunk's head.
#include "keymem.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define GRANULE 64u
#define CHUNK_SIZE (64u * 1024)
#define CHUNK_GRANULES (CHUNK_SIZE / GRANULE)

enum mark { FREE, FIRST, REST };

struct chunk {
	struct chunk *next;	      // set before the chunk is published, never changed
	uint8_t mark[CHUNK_GRANULES]; // enum mark; guarded by arena.lock
};

#define HEAD_GRANULES ((sizeof(struct chunk) + GRANULE - 1) / GRANULE)

// The hook has no context argument and lasts as long as the process, so what it needs can only be
// static. Nothing outside this file can name it.
static struct {
	pthread_mutex_t lock;
	_Atomic(struct chunk *) chunks; // newest first
	atomic_bool installed, unprotected;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local bool in_scope;

static struct chunk *chunk_of(const void *p)
{
	struct chunk *c = atomic_load_explicit(&arena.chunks, memory_order_acquire);
	while (c && (uintptr_t)p - (uintptr_t)c >= CHUNK_SIZE)
		c = c->next;
	return c;
}

static struct chunk *chunk_add(void)
{
	struct chunk *c =
		mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return NULL;
	// mlock2() without flags is mlock(), which the sanitizers replace by a success that does
	// nothing.
	bool bare = mlock2(c, CHUNK_SIZE, 0) != 0;
	bare |= madvise(c, CHUNK_SIZE, MADV_DONTDUMP) != 0;
	bare |= madvise(c, CHUNK_SIZE, MADV_DONTFORK) != 0;
	if (bare)
		atomic_store(&arena.unprotected, true);
	memset(c->mark, REST, HEAD_GRANULES);
	c->next = atomic_load(&arena.chunks);
	atomic_store_explicit(&arena.chunks, c, memory_order_release);
	return c;
}

static void *chunk_take(struct chunk *c, size_t count)
{
	size_t run = 0;
	for (size_t i = HEAD_GRANULES; i < CHUNK_GRANULES; i++) {
		run = c->mark[i] == FREE ? run + 1 : 0;
		if (run < count)
			continue;
		size_t first = i + 1 - count;
		memset(c->mark + first, REST, count);
		c->mark[first] = FIRST;
		return (uint8_t *)c + first * GRANULE;
	}
	return NULL;
}

static void *arena_alloc(size_t size)
{
	if (size > (CHUNK_GRANULES - HEAD_GRANULES) * GRANULE)
		return NULL;
	size_t count = (size + GRANULE - 1) / GRANULE;
	with_lock(&arena.lock);
	void *p = NULL;
	for (struct chunk *c = atomic_load(&arena.chunks); c && !p; c = c->next)
		p = chunk_take(c, count);
	if (p)
		return p;
	struct chunk *fresh = chunk_add();
	return fresh ? chunk_take(fresh, count) : NULL;
}

static size_t first_granule(const struct chunk *c, const void *p)
{
	return ((uintptr_t)p - (uintptr_t)c) / GRANULE;
}

// With arena.lock held.
static size_t granules_at(const struct chunk *c, size_t first)
{
	size_t end = first + 1;
	while (end < CHUNK_GRANULES && c->mark[end] == REST)
		end++;
	return end - first;
}

static void arena_free(struct chunk *c, void *p)
{
	with_lock(&arena.lock);
	size_t first = first_granule(c, p);
	size_t count = granules_at(c, first);
	wipe(p, count * GRANULE);
	memset(c->mark + first, FREE, count);
}

static void *hook_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0)
		return NULL;
	return in_scope ? arena_alloc(size) : malloc(size);
}

static void hook_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	struct chunk *c = p ? chunk_of(p) : NULL;
	if (c)
		arena_free(c, p);
	else
		free(p);
}

static size_t arena_size(struct chunk *c, const void *p)
{
	with_lock(&arena.lock);
	return granules_at(c, first_granule(c, p)) * GRANULE;
}

// What was key memory stays key memory, whoever asks for more of it.
static void *hook_realloc(void *p, size_t size, const char *file, int line)
{
	struct chunk *c = p ? chunk_of(p) : NULL;
	if (p && !c)
		return realloc(p, size);
	if (!p)
		return hook_malloc(size, file, line);
	void *grown = arena_alloc(size);
	if (!grown)
		return NULL;
	size_t old = arena_size(c, p);
	memcpy(grown, p, old < size ? old : size);
	arena_free(c, p);
	return grown;
}

bool keymem_installed(void)
{
	return atomic_load(&arena.installed);
}

int keymem_install(void)
{
	// Once there are hooks OpenSSL would let them be replaced.
	if (keymem_installed() || !CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free))
		return -EBUSY;
	atomic_store(&arena.installed, true);
	return 0;
}

bool keymem_locked(void)
{
	return keymem_installed() && !atomic_load(&arena.unprotected);
}

void keymem_scope_begin(void)
{
	in_scope = true;
}

void keymem_scope_end(void)
{
	in_scope = false;
}
