/* SPDX-License-Identifier: MIT */
/*
 * A plug-in as a release would have left it behind in which struct cmk_keyprov ended with
 * unwrap(). It includes nothing of today's header: what it declares is what was compiled then.
 */
#include <stddef.h>
#include <stdint.h>

struct old_keyprov {
	size_t struct_size;
	uint32_t api_version;
	const char *name, *version, *description, *schemes;
	int (*open)(const void *host, const void *ref, void **key);
	void (*close)(void *key);
	int (*unwrap)(void *key, const char *version, const char *alg, const uint8_t *wrapped,
		size_t wrapped_len, uint8_t *plain, size_t *plain_len);
};

static int old_open(const void *host, const void *ref, void **key)
{
	(void)host;
	(void)ref;
	*key = NULL;
	return 0;
}

static void old_close(void *key)
{
	(void)key;
}

static int old_unwrap(void *key, const char *version, const char *alg, const uint8_t *wrapped,
	size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	(void)key;
	(void)version;
	(void)alg;
	for (size_t i = 0; i < wrapped_len; i++)
		plain[i] = wrapped[i] ^ 0x5a;
	*plain_len = wrapped_len;
	return 0;
}

/* What lies behind it in memory must not be taken for members. */
static const struct {
	struct old_keyprov table;
	uintptr_t trap[8];
} old = {{sizeof(struct old_keyprov), 1, "old", "0.1", "of an older release", "old", old_open,
		 old_close, old_unwrap},
	{1, 1, 1, 1, 1, 1, 1, 1}};

extern __attribute__((visibility("default"))) const struct old_keyprov *cmk_keyprov_init(void);
const struct old_keyprov *cmk_keyprov_init(void)
{
	return &old.table;
}
