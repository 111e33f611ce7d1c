/* SPDX-License-Identifier: MIT */
/* A provider in which the build (CMakeLists.txt) makes one thing wrong. */
#include <cmkdisk/keyprov.h>
#include <string.h>

#ifndef VARIANT_API
#define VARIANT_API CMK_KEYPROV_API_VERSION
#endif
#ifndef VARIANT_SIZE
#define VARIANT_SIZE sizeof(struct cmk_keyprov)
#endif
#ifndef VARIANT_SCHEMES
#define VARIANT_SCHEMES VARIANT_NAME
#endif
#ifndef VARIANT_UNWRAP
#define VARIANT_UNWRAP variant_unwrap
#endif
#ifndef VARIANT_WATCH
#define VARIANT_WATCH NULL
#endif

static enum cmk_verdict variant_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	(void)host;
	(void)ref;
	(void)key;
	return CMK_GRANTED;
}

static void variant_close(void *key)
{
	(void)key;
}

__attribute__((unused)) static enum cmk_verdict variant_unwrap(void *key, const char *version,
	const char *alg, const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain,
	size_t *plain_len)
{
	size_t i;
	(void)key;
	(void)version;
	(void)alg;
	for (i = 0; i < wrapped_len && i < *plain_len; i++)
		plain[i] = wrapped[i] ^ 0x5a;
	*plain_len = wrapped_len;
	return CMK_GRANTED;
}

__attribute__((unused)) static int variant_watch(void *key)
{
	const int none = -1;
	(void)key;
	return none;
}

/* As of a later release that has appended members. */
static const struct {
	struct cmk_keyprov now;
	void (*later[4])(void);
} table = {
	{VARIANT_SIZE, VARIANT_API, VARIANT_NAME, "1.0", "one thing is wrong here", VARIANT_SCHEMES,
		variant_open, variant_close, VARIANT_UNWRAP, NULL, NULL, VARIANT_WATCH, NULL},
	{NULL, NULL, NULL, NULL}};

extern __attribute__((visibility("default"))) const struct cmk_keyprov *cmk_keyprov_init(void);
const struct cmk_keyprov *cmk_keyprov_init(void)
{
	return &table.now;
}
