// SPDX-License-Identifier: MIT
// Access tokens: which credential, from where, how long. Tokens live in locked memory, are never
// logged, and are kept until shortly before they end.
#ifndef CMK_AZURE_TOKEN_H
#define CMK_AZURE_TOKEN_H

#include "azure_config.h"
#include "azure_http.h"
#include "kp_outcome.h"

struct token_source;

// All borrowed. Chooses the credential (config->identity.which, or the chain); nothing is asked
// yet. CMK_MISCONFIGURED with a sentence when none can be used or variables contradict each other.
enum cmk_verdict token_source_new(const struct cmk_host *host, const struct azure_config *config,
	struct http *http, struct token_source **out, struct kp_outcome *o) must_use;
void token_source_free(struct token_source **t); // for scoped()

struct token_want {
	const char *resource; // "https://vault.azure.net", as the challenge named it
	const char *tenant;   // as the challenge named it, or "": the configured one
	const char *claims;   // of a claims challenge, decoded JSON; or NULL
	bool fresh;	      // not from the cache: the last one was refused
};

// *bearer is the token source's and lives until its next call. Denied (identity): the principal or
// its credential is refused, or no such identity is assigned. Unreachable: anything that says
// nothing about it. Misconfigured: a file that cannot be read, a tenant that is not allowed.
// A token that has not ended is used further while a refresh fails.
enum cmk_verdict token_get(struct token_source *t, const struct token_want *want,
	const char **bearer, struct kp_outcome *o) must_use;

// What the vault refuses to whoever the tokens speak for may have been granted to the one that new
// tokens speak for (an identity that was removed and made again): those older than half a minute
// are renewed at the next token_get(), and kept if that fails.
void token_doubt(struct token_source *t);

// "client secret of application 1111-...", for sentences and the log.
const char *token_source_name(const struct token_source *t);

#endif
