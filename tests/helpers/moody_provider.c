// SPDX-License-Identifier: MIT
// A provider whose mood is the first word of a file, read at every unwrap, so that a test changes
// it under a mount: moody:PATH. For tests only; it protects nothing.
//   granted | denied | unreachable | misconfigured | hang | crash | late (half a second)
#include <cmkdisk/keyprov.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct moody {
	const struct cmk_host *host;
	const char *path;
};

static void read_mood(const struct moody *m, char mood[32])
{
	FILE *f = fopen(m->path, "re");
	if (!f || fscanf(f, "%31s", mood) != 1)
		(void)snprintf(mood, 32, "unreachable");
	if (f)
		(void)fclose(f);
}

static enum cmk_verdict act(const struct moody *m)
{
	char mood[32];
	read_mood(m, mood);
	while (strcmp(mood, "hang") == 0)
		(void)pause();
	if (strcmp(mood, "crash") == 0)
		(void)kill(getpid(), SIGKILL); // a crash that leaves no core and no report
	if (strcmp(mood, "late") == 0)
		(void)usleep(500 * 1000);
	if (strcmp(mood, "denied") == 0) {
		m->host->explain(m->host, CMK_REASON_FORBIDDEN, "moody:%s is in no mood", m->path);
		return CMK_DENIED;
	}
	if (strcmp(mood, "unreachable") == 0 || strcmp(mood, "misconfigured") == 0) {
		m->host->explain(m->host, CMK_REASON_NONE, "moody:%s is %s", m->path, mood);
		return *mood == 'u' ? CMK_UNREACHABLE : CMK_MISCONFIGURED;
	}
	return CMK_GRANTED;
}

static void turn(uint8_t *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] ^ 0x5a;
}

static enum cmk_verdict moody_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	(void)version;
	(void)alg;
	if (wrapped_len > *plain_len)
		return CMK_BAD_BLOB;
	enum cmk_verdict v = act(key);
	if (v == CMK_GRANTED) {
		turn(plain, wrapped, wrapped_len);
		*plain_len = wrapped_len;
	}
	return v;
}

static enum cmk_verdict moody_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	enum cmk_verdict v = act(key);
	(void)snprintf(out->version, sizeof(out->version), "v1");
	(void)snprintf(out->alg, sizeof(out->alg), "TEST");
	turn(out->data, plain, plain_len);
	out->len = plain_len;
	return v;
}

static enum cmk_verdict moody_describe(void *key, const char *version, struct cmk_key_info *out)
{
	(void)key;
	(void)snprintf(out->version, sizeof(out->version), "%s", *version ? version : "v1");
	out->enabled = 1;
	return CMK_GRANTED;
}

static enum cmk_verdict moody_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	struct moody *m = malloc(sizeof(*m));
	if (!m)
		return CMK_UNREACHABLE;
	*m = (struct moody){.host = host, .path = strchr(ref->key_url, ':') + 1};
	*key = m;
	return CMK_GRANTED;
}

static struct cmk_keyprov moody = {
	.name = "moody",
	.version = "1.0",
	.description = "does what a file says, for tests",
	.schemes = "moody",
	.open = moody_open,
	.close = free,
	.unwrap = moody_unwrap,
	.wrap = moody_wrap,
	.describe = moody_describe,
};

CMK_KEYPROV_REGISTER(moody)
