// SPDX-License-Identifier: MIT
// A signed-in call to one vault: the challenge, the token, what a refused token leads to, and what
// "not found" means. The flow is that of the vendor's own clients (challenge first, claims).
#ifndef CMK_AZURE_VAULT_H
#define CMK_AZURE_VAULT_H

#include "azure_challenge.h"
#include "azure_config.h"
#include "azure_http.h"
#include "azure_reply.h"
#include "azure_token.h"
#include "azure_url.h"

// Since when which versions have been missing. Lives as long as the open key.
#define SIGHTINGS_MAX 64
struct azure_sightings {
	bool answered; // the key was there at least once
	struct azure_missing {
		char version[AZURE_VERSION_LEN + 1];
		uint64_t since; // azure_clock_ms(); 0: not missing, the place is free
	} missing[SIGHTINGS_MAX];
	uint64_t others_since; // the same for all versions that found no place
};

struct azure_vault {
	// All borrowed.
	const struct cmk_host *host;
	const struct azure_config *config;
	const struct azure_url *url;
	struct http *http;
	struct token_source *tokens;
	struct azure_sightings *seen;
	// The challenge, once it is known and checked.
	char tenant[128], resource[280]; // "" unknown
};

struct azure_question {
	const char *operation; // "get", "wrapKey", "unwrapKey": for people
	const char *action;    // "", "/wrapkey", "/unwrapkey"
	const char *version;   // "" newest
	const char *body;      // NULL: GET; else POST; may hold a data key
	size_t body_len;
	bool unwrap;
};

struct azure_answer {
	struct http_reply reply; // the tree points into its body
	struct kp_json *tree;	 // when granted
	struct azure_error error;
};

// Fills in *answer always; end it with azure_answer_end().
enum cmk_verdict azure_vault_ask(struct azure_vault *v, const struct azure_question *q,
	struct azure_answer *answer, struct kp_outcome *o) must_use;
void azure_answer_end(struct azure_vault *v, struct azure_answer *answer);

#endif
