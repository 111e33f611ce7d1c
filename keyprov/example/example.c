/* SPDX-License-Identifier: MIT */
/*
 * The teaching example of a key provider. IT PROTECTS NOTHING: "wrapping" puts a label before the
 * secret and leaves it readable. What it does show truthfully is everything else: a key URL, the
 * verdicts, the sentences, and how a key store takes a key away.
 *
 * Key URL: example:protects-nothing:/PATH. The key may be used as long as the file /PATH exists.
 */
#include <cmkdisk/keyprov.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "example:protects-nothing:/"
#define LABEL "EXAMPLE:"

struct key {
	const struct cmk_host *host; /* outlives us */
	const char *path;	     /* inside the key URL, which lives until close() */
};

/* Ask the "store", every time anew: the answer is what a lease lives on. */
static enum cmk_verdict ask_store(const struct key *k)
{
	const struct cmk_host *h = k->host;
	if (access(k->path, F_OK) == 0)
		return CMK_GRANTED;
	if (errno == ENOENT) {
		h->explain(h, CMK_REASON_DISABLED,
			"example key %s: the file is gone, so the key is disabled; create it again "
			"to "
			"enable the key",
			k->path);
		return CMK_DENIED;
	}
	h->explain(h, CMK_REASON_NONE, "example key %s cannot be looked at: %s", k->path,
		strerror(errno));
	return errno == EACCES || errno == ENOTDIR ? CMK_MISCONFIGURED : CMK_UNREACHABLE;
}

static enum cmk_verdict example_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	if (strncmp(ref->key_url, PREFIX, strlen(PREFIX)) != 0) {
		host->explain(host, CMK_REASON_NONE, "%s: expected " PREFIX "PATH", ref->key_url);
		return CMK_MISCONFIGURED;
	}
	struct key *k = calloc(1, sizeof(*k));
	if (!k)
		return CMK_UNREACHABLE;
	k->host = host;
	k->path = ref->key_url + strlen(PREFIX) - 1;
	host->log(host, CMK_LOG_WARNING, "%s protects nothing", ref->key_url);
	*key = k; /* granted, whether or not the key may be used: unwrap() tells that */
	return CMK_GRANTED;
}

static void example_close(void *key)
{
	free(key);
}

static enum cmk_verdict example_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	enum cmk_verdict v = ask_store(key);
	if (v != CMK_GRANTED)
		return v;
	(void)snprintf(out->version, sizeof(out->version), "1");
	(void)snprintf(out->alg, sizeof(out->alg), "none");
	memcpy(out->data, LABEL, strlen(LABEL));
	memcpy(out->data + strlen(LABEL), plain, plain_len); /* at most CMK_PLAIN_MAX: it fits */
	out->len = strlen(LABEL) + plain_len;
	return CMK_GRANTED;
}

static enum cmk_verdict example_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	const struct key *k = key;
	enum cmk_verdict v = ask_store(k);
	if (v != CMK_GRANTED)
		return v;
	size_t label = strlen(LABEL);
	if (strcmp(version, "1") != 0 || strcmp(alg, "none") != 0 || wrapped_len <= label ||
		wrapped_len - label > *plain_len || memcmp(wrapped, LABEL, label) != 0) {
		k->host->explain(k->host, CMK_REASON_NONE,
			"example key %s: this secret was wrapped by another key", k->path);
		return CMK_BAD_BLOB;
	}
	*plain_len = wrapped_len - label;
	memcpy(plain, wrapped + label, *plain_len);
	return CMK_GRANTED;
}

/* No describe, watch and unwatch: they are optional. */
static struct cmk_keyprov example = {
	.name = "example",
	.version = "1",
	.description = "teaching example, protects nothing",
	.schemes = "example",
	.open = example_open,
	.close = example_close,
	.wrap = example_wrap,
	.unwrap = example_unwrap,
};

CMK_KEYPROV_REGISTER(example)
