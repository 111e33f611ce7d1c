// SPDX-License-Identifier: MIT
// Who may do what: identities, their credentials, the tokens that the emulator issues, and the
// permissions on vaults, keys and key versions. Thread-safe. Kept in identities.json of the state
// directory, written atomically (0600).
#ifndef CMK_EMU_IDENTITIES_H
#define CMK_EMU_IDENTITIES_H

#include "emu_action.h"
#include "emu_clock.h"
#include "emu_http.h"

struct identities;

struct identities_config {
	const char *dir; // state directory, exists
	const struct emu_clock *clock;
	const char *tenant;    // GUID of the one tenant
	const char *authority; // "https://login.vault.localhost:8443"
	const char *arc_dir;   // where key files of the Arc port are made; NULL: dir/arc
};
// At the first start the key that signs tokens (token-key.pem) is made, and the secret that the
// App Service port wants in X-IDENTITY-HEADER (app-service-secret), both 0600 in dir.
int identities_open(
	const struct identities_config *c, struct identities **out, struct kp_err *err) must_use;
void identities_free(struct identities **i);

// A caller as a token proves it; name "" once the identity is removed. issuer is what the token
// says, also when that is what is wrong with it.
struct caller {
	char name[64], app_id[40], object_id[40], issuer[128];
};
enum token_fault {
	TOKEN_GOOD,
	TOKEN_MISSING,
	TOKEN_MALFORMED,
	TOKEN_WRONG_TENANT,
	TOKEN_WRONG_AUDIENCE,
	TOKEN_EXPIRED,
	TOKEN_UNKNOWN_KEY,
	TOKEN_CLAIMS_WANTED
};
// authorization: the header, or NULL. audience: "https://vault.localhost"; a token for one of the
// public clouds' names of the same service is good too. TOKEN_CLAIMS_WANTED: this identity is under
// a claims challenge and the token does not answer it.
enum token_fault identities_authenticate(
	struct identities *i, const char *authorization, const char *audience, struct caller *out);
// The claims that a challenge asks for (JSON text), of the caller that was TOKEN_CLAIMS_WANTED.
int identities_claims(struct identities *i, const struct caller *c, char **json) must_use;
// permission: "get", "list", "create", "import", "update", "delete", "recover", "purge", "backup",
// "restore", "rotate", "getrotationpolicy", "setrotationpolicy", "encrypt", "decrypt", "sign",
// "verify", "wrapKey", "unwrapKey". key, version: NULL when the operation has none. Minds the lag
// of grants and revocations.
bool identities_allowed(struct identities *i, const struct caller *c, const char *vault,
	const char *key, const char *version, const char *permission);

// POST /TENANT/oauth2/v2.0/token (and v1 /oauth2/token), /.well-known/openid-configuration and
// keys, instance discovery, on the TLS port. The request's body is wiped.
int identities_entra(struct identities *i, struct emu_request *q, struct emu_reply *r) must_use;
// GET /metadata/identity/oauth2/token on the IMDS, App Service and Arc ports; App Service has it
// as /MSI/token too.
int identities_managed(struct identities *i, struct emu_request *q, struct emu_reply *r) must_use;

// "identity.*". "identity" is a name, client id or object id; without it, the only one there is.
//   add {name, clientId?, objectId?, secret?, secrets?, certificates?, federated?, managed?,
//     resourceId?, enabled?, tokenLifetime?} -> the identity. certificates: PEM text or list of
//     such. federated: list of {issuer, subject, audience?, key (PEM, JWK or JWK set)}. managed:
//     "system" or "user". tokenLifetime: duration.
//   set {identity, certificates?, federated?, managed?, resourceId?, enabled?, tokenLifetime?}
//   remove, enable, disable {identity}; list -> {identities}
//   challenge {identity}: claims challenge from now on
//   addSecret {identity, secret? | file?}: without a secret one is made and written (0600) to file,
//     dir/NAME.secret if not given -> {file}
//   removeSecret {identity, secret? | hint?}: without either, all -> {removed}
int identities_action(void *identities, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err);
// "access.*".
//   grant {identity, vault?, key?, version?, permissions?, lag?}: without vault on all vaults,
//     without key on all keys, without version on all versions, also future ones. permissions:
//     a list or "get,wrapKey"; "all"; default get, wrapKey, unwrapKey.
//   revoke {the same} -> {revoked}: what was granted there and inside it; default all permissions.
//   list -> {access}
// lag: duration until it takes effect.
int access_action(void *identities, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err);

#endif
