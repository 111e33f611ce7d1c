// SPDX-License-Identifier: MIT
// The file provider: a key bundle on this machine plays the vault. Every question reads the
// bundle again, and no key is kept between questions, so that a grant means what it says.
#include "file.h"

#include "key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum cmk_verdict file_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	struct kp_err err;
	struct file_key *k = calloc(1, sizeof(*k));
	if (!k) {
		host->explain(host, CMK_REASON_NONE, "no memory to open the key");
		return CMK_UNREACHABLE;
	}
	k->host = host;
	k->inotify = k->wd[0] = k->wd[1] = -1;
	int ret = file_url_parse(ref->key_url, &k->url, &err);
	if (ret) {
		free(k);
		return file_verdict(host, ret, &err);
	}
	if (!key_secure_memory())
		host->log(host, CMK_LOG_WARNING,
			"cannot lock OpenSSL's memory; private keys might reach the swap space");
	*key = k;
	return CMK_GRANTED;
}

static void file_close(void *key)
{
	struct file_key *k = key;
	if (k->inotify >= 0)
		(void)close(k->inotify);
	free(k);
}

static enum cmk_verdict no_version(const struct file_key *k, const char *version)
{
	k->host->explain(k->host, CMK_REASON_DELETED,
		"%s: the key bundle has no version %.*s (any more); restore the bundle that has it",
		k->url.path, CMK_VERSION_MAX, version);
	return CMK_DENIED;
}

static enum cmk_verdict disabled(const struct file_key *k, const struct bundle_version *v)
{
	k->host->explain(k->host, CMK_REASON_DISABLED,
		"%s: key version %s is disabled; say cmkdisk keyfile enable to use it again",
		k->url.path, v->version);
	return CMK_DENIED;
}

// file_verdict() with the path before the sentence.
static enum cmk_verdict key_verdict(const struct file_key *k, int ret, struct kp_err *err)
{
	kp_err_prefix(err, k->url.path);
	return file_verdict(k->host, ret, err);
}

static enum cmk_verdict file_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	const struct file_key *k = key;
	scoped(bundle_free) struct bundle *b = NULL;
	enum cmk_verdict verdict = file_load(k, &b);
	if (verdict != CMK_GRANTED)
		return verdict;
	const struct bundle_version *v = bundle_find(b, version);
	if (!v)
		return no_version(k, version);
	if (!v->enabled)
		return disabled(k, v);
	// Outside nbf and exp the key still unwraps, as a vault's does: the host judges by
	// describe().
	struct kp_err err;
	int ret = key_unwrap(b, v, alg, wrapped, wrapped_len, plain, plain_len, &err);
	return ret ? key_verdict(k, ret, &err) : CMK_GRANTED;
}

static enum cmk_verdict outside_dates(
	const struct file_key *k, const struct bundle_version *v, int64_t now)
{
	k->host->explain(k->host, CMK_REASON_NOT_PERMITTED,
		"%s: key version %s %s; make a new version with cmkdisk keyfile rotate",
		k->url.path, v->version, v->nbf > now ? "is not yet valid" : "has expired");
	return CMK_DENIED;
}

static enum cmk_verdict none_enabled(const struct file_key *k)
{
	k->host->explain(k->host, CMK_REASON_DISABLED,
		"%s: no version of the key is enabled; say cmkdisk keyfile enable to use it again",
		k->url.path);
	return CMK_DENIED;
}

// What to wrap with: the pinned version, or else the newest that is usable.
static enum cmk_verdict choose(
	const struct file_key *k, const struct bundle *b, const struct bundle_version **out)
{
	int64_t now = k->host->wall_time(k->host);
	const struct bundle_version *v = NULL;
	if (k->url.version[0]) {
		v = bundle_find(b, k->url.version);
		if (!v)
			return no_version(k, k->url.version);
		if (!v->enabled)
			return disabled(k, v);
		if (!bundle_version_is_current(v, now))
			return outside_dates(k, v, now);
	} else {
		v = bundle_usable(b, now);
		for (size_t i = b->count; !v && i > 0; i--)
			if (b->versions[i - 1].enabled)
				return outside_dates(k, &b->versions[i - 1], now);
		if (!v)
			return none_enabled(k);
	}
	*out = v;
	return CMK_GRANTED;
}

static enum cmk_verdict file_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	const struct file_key *k = key;
	scoped(bundle_free) struct bundle *b = NULL;
	const struct bundle_version *v = NULL;
	enum cmk_verdict verdict = file_load(k, &b);
	if (verdict == CMK_GRANTED)
		verdict = choose(k, b, &v);
	if (verdict != CMK_GRANTED)
		return verdict;
	struct kp_err err;
	int ret = key_wrap(b, v, plain, plain_len, out, &err);
	return ret ? key_verdict(k, ret, &err) : CMK_GRANTED;
}

static enum cmk_verdict file_describe(void *key, const char *version, struct cmk_key_info *out)
{
	const struct file_key *k = key;
	scoped(bundle_free) struct bundle *b = NULL;
	enum cmk_verdict verdict = file_load(k, &b);
	if (verdict != CMK_GRANTED)
		return verdict;
	const char *wanted = *version ? version : k->url.version;
	const struct bundle_version *v = *wanted ? bundle_find(b, wanted) : bundle_newest(b);
	if (!v)
		return no_version(k, wanted);
	memcpy(out->version, v->version, sizeof(v->version));
	(void)snprintf(out->kty, sizeof(out->kty), "%s", bundle_kty_name(b->kty));
	out->bits = v->bits;
	out->enabled = v->enabled;
	out->nbf = v->nbf;
	out->exp = v->exp;
	out->created = v->created;
	// deletedDate can always be undone, and nothing is purged.
	(void)snprintf(out->recovery_level, sizeof(out->recovery_level), "Recoverable");
	return CMK_GRANTED;
}

static struct cmk_keyprov file_provider = {
	.name = "file",
	.version = CMKDISK_VERSION,
	.description = "key bundles in files on this machine",
	.schemes = "file",
	.open = file_open,
	.close = file_close,
	.unwrap = file_unwrap,
	.wrap = file_wrap,
	.describe = file_describe,
	.watch = file_watch,
	.unwatch = file_unwatch,
};

CMK_KEYPROV_REGISTER(file_provider)
