// SPDX-License-Identifier: MIT
// One open key: what the callbacks of keyprov.h work on.
#ifndef CMK_AZURE_KEY_H
#define CMK_AZURE_KEY_H

#include "azure_config.h"
#include "azure_http.h"
#include "azure_token.h"
#include "azure_url.h"
#include "azure_vault.h"

struct azure_key {
	const struct cmk_host *host;
	struct cmk_key_ref ref; // its strings are the host's until close()
	// The session: made anew after a refusal that a changed file may mend. NULL tokens: none.
	struct azure_config config;
	struct azure_url url;
	struct http *http;
	struct token_source *tokens;
	struct azure_vault vault;
	struct azure_sightings seen; // outlives sessions
};

// Everything that can be done without a byte on the wire: reads the configuration, the URL, and
// which credential it is.
enum cmk_verdict azure_session_begin(struct azure_key *k, struct kp_outcome *o) must_use;
void azure_session_end(struct azure_key *k);

// The key's URL with a version ("" none), for sentences.
#define AZURE_KEY_TEXT 480
void azure_key_text(const struct azure_key *k, const char *version, char out[AZURE_KEY_TEXT]);

// What the version-less question means: the version that the URL pins, or "" for the newest.
const char *azure_pinned(const struct azure_key *k);

enum cmk_verdict azure_key_unwrap(struct azure_key *k, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len,
	struct kp_outcome *o) must_use;
enum cmk_verdict azure_key_wrap(struct azure_key *k, const uint8_t *plain, size_t plain_len,
	struct cmk_wrapped *out, struct kp_outcome *o) must_use;
enum cmk_verdict azure_key_describe(struct azure_key *k, const char *version,
	struct cmk_key_info *out, struct kp_outcome *o) must_use;

#endif
