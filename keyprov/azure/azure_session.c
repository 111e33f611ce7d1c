// SPDX-License-Identifier: MIT
// From a key reference to something that can ask: see azure_key.h.
#include "azure_key.h"

#include <stdio.h>
#include <string.h>

static enum cmk_verdict misconfigured(struct kp_outcome *o, const struct kp_err *err)
{
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE, "%s", err->text);
}

static enum cmk_verdict begin(struct azure_key *k, struct kp_outcome *o)
{
	struct kp_err err;
	enum cmk_verdict v = azure_config_read(k->host, &k->ref, &k->config, o);
	if (v != CMK_GRANTED)
		return v;
	if (azure_url_parse(k->ref.key_url, &k->url, &err) ||
		azure_url_allow(&k->url, &k->config, &err))
		return misconfigured(o, &err);
	if (http_new(k->host, &k->config, &k->http, &err))
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s", err.text);
	v = token_source_new(k->host, &k->config, k->http, &k->tokens, o);
	if (v != CMK_GRANTED)
		return v;
	k->vault = (struct azure_vault){.host = k->host,
		.config = &k->config,
		.url = &k->url,
		.http = k->http,
		.tokens = k->tokens,
		.seen = &k->seen};
	return CMK_GRANTED;
}

enum cmk_verdict azure_session_begin(struct azure_key *k, struct kp_outcome *o)
{
	if (k->tokens)
		return CMK_GRANTED;
	enum cmk_verdict v = begin(k, o);
	if (v != CMK_GRANTED)
		azure_session_end(k);
	return v;
}

void azure_session_end(struct azure_key *k)
{
	token_source_free(&k->tokens);
	http_free(&k->http);
	azure_config_free(&k->config);
	memset(&k->config, 0, sizeof(k->config));
	memset(&k->vault, 0, sizeof(k->vault));
}

void azure_key_text(const struct azure_key *k, const char *version, char out[AZURE_KEY_TEXT])
{
	(void)snprintf(out, AZURE_KEY_TEXT, "%s/keys/%s%s%s", k->url.origin, k->url.name,
		*version ? "/" : "", version);
}

const char *azure_pinned(const struct azure_key *k)
{
	return k->config.follow_rotation ? "" : k->url.version;
}
