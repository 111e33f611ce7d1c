// SPDX-License-Identifier: MIT
// The Azure provider: keys in Key Vault and Managed HSM. Every question is asked of the vault; the
// key never leaves it, and nothing but tokens is kept between questions.
#include "azure_key.h"

#include <string.h>

// Tells the host, and forgets the session where a person may mend a file that it has read.
static enum cmk_verdict tell(
	struct azure_key *k, enum cmk_verdict verdict, const struct kp_outcome *o)
{
	const struct cmk_host *host = k->host;
	if (o->request_id[0])
		host->request_id(host, o->request_id);
	if (verdict == CMK_GRANTED)
		return verdict;
	host->explain(host, o->reason, "%s", o->err.text);
	if (verdict == CMK_UNREACHABLE && o->retry_after_ms)
		host->retry_after(host, o->retry_after_ms);
	if (verdict == CMK_MISCONFIGURED ||
		(verdict == CMK_DENIED && o->reason == CMK_REASON_IDENTITY))
		azure_session_end(k);
	return verdict;
}

static enum cmk_verdict azure_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	struct kp_outcome o = {0};
	struct azure_key *k = calloc(1, sizeof(*k));
	if (!k) {
		host->explain(host, CMK_REASON_NONE, "no memory to open the key");
		return CMK_UNREACHABLE;
	}
	k->host = host;
	memcpy(&k->ref, ref, ref->struct_size < sizeof(k->ref) ? ref->struct_size : sizeof(k->ref));
	enum cmk_verdict v = tell(k, azure_session_begin(k, &o), &o);
	if (v != CMK_GRANTED) {
		free(k);
		return v;
	}
	*key = k;
	return v;
}

static void azure_close(void *key)
{
	azure_session_end(key);
	free(key);
}

static enum cmk_verdict azure_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	struct kp_outcome o = {0};
	enum cmk_verdict v = azure_session_begin(key, &o);
	if (v == CMK_GRANTED)
		v = azure_key_unwrap(key, version, alg, wrapped, wrapped_len, plain, plain_len, &o);
	return tell(key, v, &o);
}

static enum cmk_verdict azure_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	struct kp_outcome o = {0};
	enum cmk_verdict v = azure_session_begin(key, &o);
	if (v == CMK_GRANTED)
		v = azure_key_wrap(key, plain, plain_len, out, &o);
	return tell(key, v, &o);
}

static enum cmk_verdict azure_describe(void *key, const char *version, struct cmk_key_info *out)
{
	struct kp_outcome o = {0};
	enum cmk_verdict v = azure_session_begin(key, &o);
	if (v == CMK_GRANTED)
		v = azure_key_describe(key, version, out, &o);
	return tell(key, v, &o);
}

static struct cmk_keyprov azure_provider = {
	.name = "azure",
	.version = CMKDISK_VERSION,
	.description = "keys in Azure Key Vault and Managed HSM",
	.schemes = "https http",
	.open = azure_open,
	.close = azure_close,
	.unwrap = azure_unwrap,
	.wrap = azure_wrap,
	.describe = azure_describe,
};

CMK_KEYPROV_REGISTER(azure_provider)
