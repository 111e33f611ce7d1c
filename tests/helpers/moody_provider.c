// SPDX-License-Identifier: MIT
// A provider whose mood is the first word of a file, read at every unwrap, so that a test changes
// it under a mount: moody:PATH. For tests only; it protects nothing.
//   granted | denied | unreachable | misconfigured | hang | crash | late (half a second)
// Behind it, in any order: get=denied wrap=denied unwrap=denied (that alone), level=RECOVERY-LEVEL,
// expires-in=SECONDS.
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

static void read_line(const struct moody *m, char line[256])
{
	FILE *f = fopen(m->path, "re");
	if (!f || !fgets(line, 256, f) || strspn(line, " \n") == strlen(line))
		(void)snprintf(line, 256, "unreachable");
	if (f)
		(void)fclose(f);
}

// The value of NAME= in the file, or "".
static void setting(const struct moody *m, const char *name, char value[CMK_LEVEL_MAX])
{
	char line[256], *rest = line;
	read_line(m, line);
	value[0] = '\0';
	for (char *word; (word = strsep(&rest, " \n"));)
		if (!strncmp(word, name, strlen(name)) && word[strlen(name)] == '=')
			(void)snprintf(value, CMK_LEVEL_MAX, "%s", word + strlen(name) + 1);
}

static enum cmk_verdict denied(const struct moody *m, const char *what)
{
	m->host->explain(m->host, CMK_REASON_FORBIDDEN, "moody:%s is in no mood%s", m->path, what);
	return CMK_DENIED;
}

static enum cmk_verdict act(const struct moody *m, const char *permission)
{
	char mood[256], alone[CMK_LEVEL_MAX];
	read_line(m, mood);
	mood[strcspn(mood, " \n")] = '\0';
	while (strcmp(mood, "hang") == 0)
		(void)pause();
	if (strcmp(mood, "crash") == 0)
		(void)kill(getpid(), SIGKILL); // a crash that leaves no core and no report
	if (strcmp(mood, "late") == 0)
		(void)usleep(500 * 1000);
	if (strcmp(mood, "denied") == 0)
		return denied(m, "");
	if (strcmp(mood, "unreachable") == 0 || strcmp(mood, "misconfigured") == 0) {
		m->host->explain(m->host, CMK_REASON_NONE, "moody:%s is %s", m->path, mood);
		return *mood == 'u' ? CMK_UNREACHABLE : CMK_MISCONFIGURED;
	}
	setting(m, permission, alone);
	return *alone ? denied(m, " for that") : CMK_GRANTED;
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
	enum cmk_verdict v = act(key, "unwrap");
	if (v == CMK_GRANTED) {
		turn(plain, wrapped, wrapped_len);
		*plain_len = wrapped_len;
	}
	return v;
}

static enum cmk_verdict moody_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	enum cmk_verdict v = act(key, "wrap");
	(void)snprintf(out->version, sizeof(out->version), "v1");
	(void)snprintf(out->alg, sizeof(out->alg), "TEST");
	turn(out->data, plain, plain_len);
	out->len = plain_len;
	return v;
}

static enum cmk_verdict moody_describe(void *key, const char *version, struct cmk_key_info *out)
{
	const struct moody *m = key;
	char value[CMK_LEVEL_MAX];
	setting(m, "get", value);
	if (*value)
		return denied(m, " to be seen");
	(void)snprintf(out->version, sizeof(out->version), "%s", *version ? version : "v1");
	out->enabled = 1;
	setting(m, "level", out->recovery_level);
	setting(m, "expires-in", value);
	if (*value)
		out->exp = m->host->wall_time(m->host) + strtoll(value, NULL, 10);
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
