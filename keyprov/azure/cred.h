// SPDX-License-Identifier: MIT
// What the credentials of this provider share; private to azure_token.c and its parts.
#ifndef CMK_AZURE_CRED_H
#define CMK_AZURE_CRED_H

#include "azure_token.h"

#define CRED_NAME_MAX 160

// What of the machine a test may replace. No variable and no key set can.
struct cred_system {
	const char *arc_dir;	       // where Azure Arc's agent puts its keys
	const char *arc_agent;	       // a file that is there if that agent is
	int64_t (*boot_ms)(void *ctx); // CLOCK_BOOTTIME
	void (*sleep)(void *ctx, uint32_t ms);
	void *ctx;
};
extern const struct cred_system cred_this_system;

// token_source_new() on another machine. All borrowed.
enum cmk_verdict token_source_new_on(const struct cmk_host *host, const struct azure_config *config,
	struct http *http, const struct cred_system *system, struct token_source **out,
	struct kp_outcome *o) must_use;

// Where a managed identity's tokens come from.
enum cred_managed {
	MANAGED_APP_SERVICE,	  // IDENTITY_ENDPOINT, IDENTITY_HEADER
	MANAGED_APP_SERVICE_2017, // MSI_ENDPOINT, MSI_SECRET
	MANAGED_CLOUD_SHELL,	  // MSI_ENDPOINT
	MANAGED_ARC,		  // IDENTITY_ENDPOINT, IMDS_ENDPOINT, or its agent is installed
	MANAGED_IMDS
};

struct cred {
	const struct cmk_host *host;
	const struct azure_config *config;
	struct http *http;
	const struct cred_system *system;
	enum azure_credential which; // never AZURE_CHAIN
	enum cred_managed managed;
	bool chosen;		  // by the chain, not by its name
	bool answered;		  // the managed identity service was there
	char name[CRED_NAME_MAX]; // "client secret of application ..."
	char unused[256];	  // why the chain's earlier steps were passed over, or ""
};

// Fills which, managed, chosen, name and unused. Not granted: CMK_MISCONFIGURED.
enum cmk_verdict cred_choose(struct cred *c, struct kp_outcome *o) must_use;

struct cred_ask {
	const char *resource; // "https://vault.azure.net"
	const char *tenant;   // already checked; "" with a managed identity
	const char *claims;   // or NULL
	uint32_t limit_ms;    // 0: all that the callback has; else one try of at most this
};

// lifetime and refresh_in are seconds from the request on; refresh_in 0 if nothing was said.
struct cred_token {
	char *bearer; // secret memory; owned
	int64_t lifetime, refresh_in;
};

enum cmk_verdict cred_entra(const struct cred *c, const struct cred_ask *ask,
	struct cred_token *out, struct kp_outcome *o) must_use;
// An application's token for an assertion that was got elsewhere.
enum cmk_verdict cred_entra_exchange(const struct cred *c, const struct cred_ask *ask,
	const char *client_id, const char *assertion, struct cred_token *out,
	struct kp_outcome *o) must_use;
// What an assertion for this authority is made out to.
const char *cred_entra_exchange_audience(const struct cred *c);
// With a key set's federatedClientId: that application's token, the identity's own being the proof.
enum cmk_verdict cred_managed(struct cred *c, const struct cred_ask *ask, struct cred_token *out,
	struct kp_outcome *o) must_use;

// The certificate's assertion (RFC 7523 section 2.2) for this token URL, appended to `out`. The
// file is read anew each time, so that a renewed certificate is used at once. CMK_MISCONFIGURED
// with a sentence if it cannot be used.
struct cred_text;
enum cmk_verdict cred_certificate(const struct cred *c, const char *audience, struct cred_text *out,
	struct kp_outcome *o) must_use;

// Arc's agent proves by a file that only its group can read that we may ask: reads the one that the
// challenge names, into `out`. CMK_MISCONFIGURED if it is none of the agent's.
enum cmk_verdict cred_arc_key(const struct cred *c, const char *challenge, struct cred_text *out,
	struct kp_outcome *o) must_use;

// "" also for NULL.
static inline const char *cred_str(const char *s)
{
	return s ? s : "";
}

#endif
