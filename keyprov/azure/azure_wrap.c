// SPDX-License-Identifier: MIT
// Wrapping: see azure_key.h. The key is looked at first where that is permitted, for a sentence
// that says what is wrong with it; where it is not, wrapKey alone must do.
#include "azure_attributes.h"
#include "azure_crypto_body.h"
#include "azure_key.h"

#include "kp_base64.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct choice {
	char version[AZURE_VERSION_LEN + 1]; // "" newest, as the vault sees it
	const char *alg;
	bool guessed; // the key's type is not known
};

static enum cmk_verdict look(struct azure_key *k, struct choice *c, struct kp_outcome *o)
{
	char key[AZURE_KEY_TEXT];
	struct azure_answer answer;
	struct azure_attributes a;
	struct kp_err err;
	const char *wanted = azure_pinned(k);
	azure_key_text(k, wanted, key);
	const struct azure_question q = {.operation = "get", .action = "", .version = wanted};
	enum cmk_verdict v = azure_vault_ask(&k->vault, &q, &answer, o);
	if (v == CMK_GRANTED && azure_attributes_read(answer.tree, &k->url, wanted, &a, &err))
		v = kp_outcome_set(
			o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s: get: %s", key, err.text);
	azure_answer_end(&k->vault, &answer);
	if (v == CMK_DENIED && o->reason == CMK_REASON_FORBIDDEN) {
		const char *alg = k->config.alg;
		(void)snprintf(c->version, sizeof(c->version), "%s", wanted);
		c->alg = *alg ? alg : "RSA-OAEP-256";
		c->guessed = !*alg;
		return CMK_GRANTED;
	}
	if (v == CMK_GRANTED)
		v = azure_attributes_judge(&a, key, k->host->wall_time(k->host), o);
	if (v != CMK_GRANTED)
		return v;
	memcpy(c->version, a.info.version, sizeof(c->version));
	c->alg = azure_algorithm(a.info.kty, k->config.alg);
	if (c->alg)
		return CMK_GRANTED;
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: alg %s of the key set's cmkdisk.azure does not fit a key of type %s", key,
		k->config.alg, a.info.kty);
}

static enum cmk_verdict take_wrapped(const struct azure_key *k, const struct azure_answer *answer,
	const struct choice *c, struct cmk_wrapped *out, struct kp_outcome *o)
{
	char key[AZURE_KEY_TEXT];
	struct kp_err err;
	const char *value = azure_value(answer->tree);
	size_t len = sizeof(out->data);
	azure_key_text(k, c->version, key);
	int ret = azure_kid_version(
		kp_json_str(answer->tree, "kid"), &k->url, c->version, out->version, &err);
	if (!ret && (!value || kp_base64_decode(value, out->data, &len) || len == 0))
		ret = kp_fail(&err, EBADMSG,
			"the answer's value is not what a key vault sends (base64url of at most "
			"%d bytes)",
			CMK_WRAPPED_MAX);
	if (ret)
		return kp_outcome_set(
			o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s: wrapKey: %s", key, err.text);
	out->len = len;
	(void)snprintf(out->alg, sizeof(out->alg), "%s", c->alg);
	return CMK_GRANTED;
}

// *status is the vault's, for a further guess.
static enum cmk_verdict wrap_with(struct azure_key *k, const struct choice *c, const uint8_t *plain,
	size_t plain_len, struct cmk_wrapped *out, int *status, struct kp_outcome *o)
{
	struct azure_answer answer;
	char *body = azure_crypto_body(k->host, c->alg, plain, plain_len);
	if (!body)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: no locked memory to ask with", k->url.origin);
	const struct azure_question q = {.operation = "wrapKey",
		.action = "/wrapkey",
		.version = c->version,
		.body = body,
		.body_len = strlen(body)};
	enum cmk_verdict v = azure_vault_ask(&k->vault, &q, &answer, o);
	*status = answer.reply.status;
	if (v == CMK_GRANTED)
		v = take_wrapped(k, &answer, c, out, o);
	azure_answer_end(&k->vault, &answer);
	k->host->secret_free(k->host, body);
	return v;
}

enum cmk_verdict azure_key_wrap(struct azure_key *k, const uint8_t *plain, size_t plain_len,
	struct cmk_wrapped *out, struct kp_outcome *o)
{
	struct choice c = {0};
	int status;
	enum cmk_verdict v = look(k, &c, o);
	if (v != CMK_GRANTED)
		return v;
	v = wrap_with(k, &c, plain, plain_len, out, &status, o);
	if (v != CMK_MISCONFIGURED || !c.guessed || status != 400)
		return v;
	// An AES key says so by refusing the algorithm of the other kind. If it refuses both, the
	// first refusal is the one to show.
	struct kp_outcome second = {.verdict = CMK_UNREACHABLE};
	c.alg = "A256KW";
	v = wrap_with(k, &c, plain, plain_len, out, &status, &second);
	if (v == CMK_MISCONFIGURED)
		return o->verdict;
	*o = second;
	return v;
}
