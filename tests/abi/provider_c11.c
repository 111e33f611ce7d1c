/* SPDX-License-Identifier: MIT */
/* The header must come first: it stands alone. Strict C11, no extension. */
#include <cmkdisk/keyprov.h>

#include <string.h>

static const struct cmk_host *our_host;

static enum cmk_verdict c11_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	our_host = host;
	if (!CMK_HAS(host, struct cmk_host, wall_time) || !CMK_HAS(ref, struct cmk_key_ref, disk))
		return CMK_MISCONFIGURED;
	if (strcmp(ref->config, "{}") != 0 || strcmp(ref->disk, "test") != 0)
		return CMK_MISCONFIGURED;
	*key = &our_host;
	host->log(host, CMK_LOG_DEBUG, "opened %s", ref->key_url);
	return CMK_GRANTED;
}

static void c11_close(void *key)
{
	(void)key;
}

static enum cmk_verdict c11_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	(void)key;
	if (strcmp(version, "v1") != 0 || strcmp(alg, "TEST") != 0 || wrapped_len > *plain_len)
		return CMK_BAD_BLOB;
	for (size_t i = 0; i < wrapped_len; i++)
		plain[i] = wrapped[i] ^ 0x5a;
	*plain_len = wrapped_len;
	return CMK_GRANTED;
}

static struct cmk_keyprov provider = {
	.name = "c11",
	.version = "1.0",
	.description = "strict C11",
	.schemes = "c11",
	.open = c11_open,
	.close = c11_close,
	.unwrap = c11_unwrap,
};

CMK_KEYPROV_REGISTER(provider)
