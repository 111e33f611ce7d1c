// SPDX-License-Identifier: MIT
// Who asks, and may they; see kv_vaults.h.
#include "kp_base64.h"
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define REGION "local"

static const char *audience(const struct kv_call *c)
{
	return c->vault->hsm ? "https://managedhsm.localhost" : "https://vault.localhost";
}

static int unauthorized(struct kv_call *c, enum token_fault fault)
{
	switch (fault) {
	case TOKEN_MISSING:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"AKV10000: Request is missing a Bearer or PoP token.");
	case TOKEN_WRONG_TENANT:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"AKV10032: Invalid issuer. Expected one of the tenant of %s, found %s.",
			c->vs->authority, c->caller.issuer);
	case TOKEN_WRONG_AUDIENCE:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"AKV10022: Invalid audience. Expected %s.", audience(c));
	case TOKEN_UNKNOWN_KEY:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"AKV10046: Unable to resolve the key used for signature validation.");
	case TOKEN_EXPIRED:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"Error validating token: the token has expired.");
	case TOKEN_CLAIMS_WANTED:
		return kv_refuse(c->no, 401, "Unauthorized", NULL,
			"Continuous access evaluation: the token was issued before the claims that "
			"are "
			"wanted now.");
	case TOKEN_MALFORMED:
	case TOKEN_GOOD:
		break;
	}
	return kv_refuse(c->no, 401, "Unauthorized", NULL,
		"Error validating token: the token is malformed.");
}

static void json_free(char **p)
{
	free(*p);
}

static int challenge(struct kv_call *c, enum token_fault fault, struct emu_reply *r)
{
	if (fault != TOKEN_CLAIMS_WANTED)
		return emu_reply_header(r, "WWW-Authenticate",
			"Bearer authorization=\"%s\", resource=\"%s\"", c->vs->authority,
			audience(c));
	scoped(json_free) char *json = NULL;
	int ret = identities_claims(c->vs->c.identities, &c->caller, &json);
	if (ret)
		return ret;
	// Plain Base64, as RFC 4648 section 4 has it: padded, and no other alphabet shows up here
	// than the one that both have.
	autofree char *text = malloc(KP_BASE64_LEN(strlen(json)) + 4);
	if (!text)
		return -ENOMEM;
	kp_base64_encode(json, strlen(json), text);
	for (char *p = text; *p; p++)
		*p = (char)(*p == '-' ? '+' : (*p == '_' ? '/' : *p));
	for (size_t n = strlen(text); n % 4; n = strlen(text))
		memcpy(text + n, "=", 2);
	return emu_reply_header(r, "WWW-Authenticate",
		"Bearer authorization=\"%s\", resource=\"%s\", error=\"insufficient_claims\", "
		"claims=\"%s\"",
		c->vs->authority, audience(c), text);
}

int kv_authenticate(struct kv_call *c, struct emu_reply *r)
{
	enum token_fault fault = identities_authenticate(
		c->vs->c.identities, emu_header(c->q, "Authorization"), audience(c), &c->caller);
	if (fault == TOKEN_GOOD)
		return 0;
	int ret = challenge(c, fault, r);
	return ret ? ret : unauthorized(c, fault);
}

static int by_network(const struct kv_call *c)
{
	if (!c->set.public_access)
		return kv_refuse(c->no, 403, "Forbidden", "ForbiddenByConnection",
			"Public network access is disabled and request is not from a trusted "
			"service nor "
			"via an approved private link.\r\nCaller: appid=%s;oid=%s\r\nVault: "
			"%s;location=" REGION,
			c->caller.app_id, c->caller.object_id, c->vault->name);
	if (c->set.firewall)
		return kv_refuse(c->no, 403, "Forbidden", "ForbiddenByFirewall",
			"Client address is not authorized and caller is not a trusted "
			"service.\r\nClient "
			"address: %s\r\nCaller: appid=%s;oid=%s;iss=%s\r\nVault: "
			"%s;location=" REGION,
			c->q->client, c->caller.app_id, c->caller.object_id, c->caller.issuer,
			c->vault->name);
	return 0;
}

static int forbidden(const struct kv_call *c, const struct kv_route *route)
{
	if (!c->set.rbac)
		return kv_refuse(c->no, 403, "Forbidden", "ForbiddenByPolicy",
			"The user, group or application 'appid=%s;oid=%s;iss=%s' does not have "
			"keys %s "
			"permission on key vault '%s;location=" REGION "'. For help resolving this "
			"issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
			c->caller.app_id, c->caller.object_id, c->caller.issuer,
			route->permission ? route->permission : "any", c->vault->name);
	const char *rest = strncmp(route->action, "keyrotation", 11) == 0 ? "" : "keys/";
	return kv_refuse(c->no, 403, "Forbidden", "ForbiddenByRbac",
		"Caller is not authorized to perform action on resource.\r\nIf role assignments, "
		"deny "
		"assignments or role definitions were changed recently, please observe propagation "
		"time.\r\nCaller: appid=%s;oid=%s;iss=%s\r\nAction: "
		"'Microsoft.KeyVault/%s/%s%s'\r\n"
		"Resource: '/providers/microsoft.keyvault/%s/%s%s%s'\r\nAssignment: (not found)\r\n"
		"DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: %s;location=" REGION
		"\r\n",
		c->caller.app_id, c->caller.object_id, c->caller.issuer,
		c->vault->hsm ? "managedHsm" : "vaults", rest, route->action,
		c->vault->hsm ? "managedhsms" : "vaults", c->vault->name, c->key[0] ? "/keys/" : "",
		c->key, c->vault->name);
}

// Rights may be given on one version only; a request that names none is for the latest.
static void version_of(
	struct kv_call *c, const struct kv_route *route, char out[KV_VERSION_LEN + 1])
{
	(void)snprintf(out, KV_VERSION_LEN + 1, "%s", c->version);
	if (out[0] || !route->per_version)
		return;
	kv_lock(c->vs);
	const struct kv_key *k = kv_vault_key(c->vault, c->key);
	const struct kv_version *v = k ? kv_key_latest(k) : NULL;
	if (v)
		memcpy(out, v->id, KV_VERSION_LEN + 1);
	kv_unlock(&c->vs);
}

int kv_authorize(struct kv_call *c, const struct kv_route *route)
{
	char version[KV_VERSION_LEN + 1];
	int ret = by_network(c);
	// Random numbers are for whoever has got this far.
	if (ret || !route->permission)
		return ret;
	version_of(c, route, version);
	bool ok = identities_allowed(c->vs->c.identities, &c->caller, c->vault->name,
		c->key[0] ? c->key : NULL, version[0] ? version : NULL, route->permission);
	return ok ? 0 : forbidden(c, route);
}

struct header {
	const char *name, *value;
};

static int common_headers(const struct kv_call *c, const struct header *h, struct emu_reply *r)
{
	int ret = 0;
	for (; ret == 0 && h->name; h++)
		ret = emu_reply_header(r, h->name, "%s", h->value);
	if (ret == 0)
		ret = emu_reply_header(r, "x-ms-keyvault-network-info",
			"conn_type=Ipv4;addr=%s;act_addr_fam=InterNetwork;", c->q->client);
	return ret;
}

int kv_response_headers(const struct kv_call *c, const char *request_id, struct emu_reply *r)
{
	static const struct header vault[] = {{"Cache-Control", "no-cache"}, {"Pragma", "no-cache"},
		{"Expires", "-1"},
		{"Strict-Transport-Security", "max-age=31536000;includeSubDomains"},
		{"X-Content-Type-Options", "nosniff"}, {"x-ms-keyvault-region", REGION},
		{"x-ms-keyvault-service-version", "1.9.0.0"}, {NULL, NULL}};
	static const struct header hsm[] = {{"Cache-Control", "no-cache"},
		{"Content-Security-Policy", "default-src 'self'"},
		{"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
		{"X-Content-Type-Options", "nosniff"}, {"X-Frame-Options", "SAMEORIGIN"},
		{"x-ms-keyvault-region", REGION}, {"x-ms-build-version", CMKDISK_VERSION},
		{"x-ms-server-latency", "1"}, {NULL, NULL}};
	const char *echo = emu_header(c->q, "x-ms-client-request-id");
	bool is_hsm = c->vault && c->vault->hsm;
	int ret = common_headers(c, is_hsm ? hsm : vault, r);
	if (ret == 0)
		ret = emu_reply_header(r, "x-ms-request-id", "%s", request_id);
	if (ret == 0 && echo)
		ret = emu_reply_header(r, "x-ms-client-request-id", "%.128s", echo);
	if (ret == 0 && !is_hsm && c->vault && c->set.rbac && c->caller.app_id[0])
		ret = emu_reply_header(r, "x-ms-keyvault-rbac-assignment-id", "%s",
			"00000000000000000000000000000000");
	return ret;
}
