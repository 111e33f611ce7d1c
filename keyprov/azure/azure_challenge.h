// SPDX-License-Identifier: MIT
// What a vault says about signing in: the WWW-Authenticate header (RFC 9110 section 11.6.1), and
// whether a token for it may be asked for at all. Pure.
#ifndef CMK_AZURE_CHALLENGE_H
#define CMK_AZURE_CHALLENGE_H

#include "azure_url.h"
#include "kp_err.h"

#include <stdbool.h>

// "" where the challenge does not say.
struct azure_challenge {
	char authority[280]; // "https://login.microsoftonline.com"
	char tenant[128];    // first segment of its path
	char resource[280];  // "https://vault.azure.net", no slash at the end
	char error[64];	     // "insufficient_claims", ...
	char claims[4096];   // decoded JSON
};

// Takes the first Bearer challenge of the header, and the claims of whichever asks for some. The
// header may be NULL. False if there is none, or one that is malformed or too long.
bool azure_challenge_parse(const char *header, struct azure_challenge *out);

bool azure_challenge_wants_claims(const struct azure_challenge *c);

// A look-alike vault must not get a token that opens another: the resource must be the cloud's of
// this very vault, or for a host that the configuration allows, a name above the vault's host and
// not above what is allowed; the authority must be a known one or the configured one, by https.
// -EINVAL with a sentence.
int azure_challenge_check(const struct azure_challenge *c, const struct azure_url *url,
	const struct azure_config *config, struct kp_err *err) must_use;

#endif
