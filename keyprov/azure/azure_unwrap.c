// SPDX-License-Identifier: MIT
// Unwrapping and describing: see azure_key.h. Unwrapping needs no right but unwrapKey.
#include "azure_attributes.h"
#include "azure_crypto_body.h"
#include "azure_key.h"

#include "kp_base64.h"

#include <errno.h>
#include <string.h>

static enum cmk_verdict strange(
	struct kp_outcome *o, const char *key, const char *operation, const struct kp_err *err)
{
	return kp_outcome_set(
		o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s: %s: %s", key, operation, err->text);
}

static enum cmk_verdict take_plain(const struct azure_answer *answer, const char *key,
	uint8_t *plain, size_t *plain_len, struct kp_outcome *o)
{
	const char *value = azure_value(answer->tree);
	size_t len = *plain_len;
	if (!value)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: unwrapKey: the answer holds no value; it is not from a key vault",
			key);
	int ret = kp_base64_decode(value, plain, &len);
	if (ret == -ENOSPC || (ret == 0 && len == 0))
		return kp_outcome_set(o, CMK_BAD_BLOB, CMK_REASON_NONE,
			"%s: unwrapKey: what was unwrapped is not as long as a disk's secret; the "
			"wrapped bytes belong to something else",
			key);
	if (ret)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: unwrapKey: the answer's value is no base64url; it is not from a key "
			"vault",
			key);
	*plain_len = len;
	return CMK_GRANTED;
}

enum cmk_verdict azure_key_unwrap(struct azure_key *k, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len,
	struct kp_outcome *o)
{
	char key[AZURE_KEY_TEXT], ignored[AZURE_VERSION_LEN + 1];
	struct azure_answer answer;
	struct kp_err err;
	const char *wanted = *version ? version : azure_pinned(k);
	azure_key_text(k, wanted, key);
	if ((*wanted && !azure_is_version(wanted)) || !azure_is_algorithm(alg))
		return kp_outcome_set(o, CMK_BAD_BLOB, CMK_REASON_NONE,
			"%s: the header names version '%.64s' and algorithm '%.31s', which no key "
			"vault has; it was made by another kind of key store, or changed",
			k->url.origin, version, alg);
	char *body = azure_crypto_body(k->host, alg, wrapped, wrapped_len);
	if (!body)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: no locked memory to ask with", key);
	const struct azure_question q = {.operation = "unwrapKey",
		.action = "/unwrapkey",
		.version = wanted,
		.body = body,
		.body_len = strlen(body),
		.unwrap = true};
	enum cmk_verdict v = azure_vault_ask(&k->vault, &q, &answer, o);
	if (v == CMK_GRANTED &&
		azure_kid_version(kp_json_str(answer.tree, "kid"), &k->url, wanted, ignored, &err))
		v = strange(o, key, q.operation, &err);
	if (v == CMK_GRANTED)
		v = take_plain(&answer, key, plain, plain_len, o);
	azure_answer_end(&k->vault, &answer);
	k->host->secret_free(k->host, body);
	return v;
}

enum cmk_verdict azure_key_describe(
	struct azure_key *k, const char *version, struct cmk_key_info *out, struct kp_outcome *o)
{
	char key[AZURE_KEY_TEXT];
	struct azure_answer answer;
	struct azure_attributes a;
	struct kp_err err;
	const char *wanted = *version ? version : azure_pinned(k);
	if (*wanted && !azure_is_version(wanted))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: '%.64s' is no version of a key vault's key", k->url.origin, wanted);
	azure_key_text(k, wanted, key);
	const struct azure_question q = {.operation = "get", .action = "", .version = wanted};
	enum cmk_verdict v = azure_vault_ask(&k->vault, &q, &answer, o);
	if (v == CMK_GRANTED && azure_attributes_read(answer.tree, &k->url, wanted, &a, &err))
		v = strange(o, key, q.operation, &err);
	if (v == CMK_GRANTED)
		*out = a.info;
	azure_answer_end(&k->vault, &answer);
	return v;
}
