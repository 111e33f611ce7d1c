// SPDX-License-Identifier: MIT
// What a key set and the environment say about reaching the vault and signing in.
#ifndef CMK_AZURE_CONFIG_H
#define CMK_AZURE_CONFIG_H

#include "kp_outcome.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The steps of the chain, in its order (the non-interactive part of DefaultAzureCredential).
enum azure_credential {
	AZURE_CHAIN,		  // the first whose variables are there; managed identity last
	AZURE_CLIENT_SECRET,	  // EnvironmentCredential
	AZURE_CLIENT_CERTIFICATE, // EnvironmentCredential
	AZURE_WORKLOAD_IDENTITY,
	AZURE_MANAGED_IDENTITY,
};

// Who we are. "" or NULL: not said. Those from the environment point into the host's locked
// memory; none of them is ever logged.
struct azure_identity {
	enum azure_credential which;
	const char *tenant_id, *client_id;
	const char *client_secret;
	const char *certificate_path, *certificate_password; // PEM or PKCS#12
	bool send_chain;				     // x5c in the assertion
	const char *token_file;				     // workload identity; re-read
	const char *object_id, *resource_id;		     // managed identity, beside client_id
	const char *authority_host;			     // https://login.microsoftonline.com
	const char *allowed_tenants;			     // ';'-separated, or "*"
	const char *token_credentials;	 // AZURE_TOKEN_CREDENTIALS: narrows the chain
	const char *federated_client_id; // the key set's multi-tenant application, or ""
	// Managed identity sources.
	const char *identity_endpoint, *identity_header, *identity_thumbprint;
	const char *imds_endpoint, *msi_endpoint, *msi_secret, *imds_host;
};

struct azure_config {
	const char *api_version; // "7.4" unless a key set says otherwise
	const char *alg;	 // to wrap with, or "": the best for the key's type
	const char **suffixes;	 // further hosts allowed, without the leading dot
	size_t suffix_count;
	const char *ca_file;  // PEM, instead of the system's; or ""
	const char *ca_dir;   // hashed directory (SSL_CERT_DIR); or ""
	const char *proxy;    // for everything but managed identity; "" none; may hold a password
	const char *no_proxy; // hosts reached without it, comma-separated; or ""
	const char *user_agent;
	bool follow_rotation;	   // a version in the key URL does not pin it
	bool http_loopback;	   // http: to 127.0.0.1, [::1], localhost and *.localhost (tests)
	uint32_t confirm_ms;	   // between two "not found" that together count; default 15 000
	enum cmk_verdict firewall; // what ForbiddenByFirewall and -Connection mean; denied
	enum cmk_verdict no_host;  // what a name without an address means; unreachable
	struct azure_identity identity;
	void *memory; // all of the above but the environment; owned
};

// Reads the key set in ref->config and the variables in ref->environment. Strings of the
// environment are borrowed from the host until close(). Not granted: CMK_MISCONFIGURED, naming the
// member or variable, what was expected, and never its value when it may be a secret.
enum cmk_verdict azure_config_read(const struct cmk_host *host, const struct cmk_key_ref *ref,
	struct azure_config *out, struct kp_outcome *o) must_use;
void azure_config_free(struct azure_config *c); // for scoped()

#endif
