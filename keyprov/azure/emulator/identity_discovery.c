// SPDX-License-Identifier: MIT
// What clients read about the token endpoint: OpenID Connect Discovery 1.0 section 4, the key set
// (RFC 7517 section 5) and the instance discovery of MSAL; see identity_form.h.
#include "identity_form.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int reply_text(struct emu_reply *r, int n)
{
	if (n < 0) {
		r->body = NULL;
		return -ENOMEM;
	}
	r->len = (size_t)n;
	r->status = 200;
	return 0;
}

// Names come from the Host header: none may end the JSON text they are put into.
static const char *base(const struct identities *i, const struct emu_request *q, char out[280])
{
	const char *a = q->authority;
	bool plain = a && *a && strlen(a) < 260 && !strpbrk(a, "\"\\/?#@ ");
	for (const char *p = a; plain && *p; p++)
		plain = *p > ' ';
	if (plain)
		(void)snprintf(out, 280, "https://%s", a);
	return plain ? out : i->authority;
}

static int reply_keys(struct identities *i, struct emu_reply *r)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *list, *key;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_array(&list);
	if (ret == 0)
		ret = kp_json_add(j, "keys", list);
	if (ret == 0)
		ret = jwt_key_print(i->key, i->kid, &key);
	if (ret == 0)
		ret = kp_json_push(list, key);
	return ret ? ret : emu_reply_json(r, 200, TAKE(j));
}

static int reply_openid(
	struct identities *i, const struct emu_request *q, bool v1, struct emu_reply *r)
{
	char own[280];
	const char *b = base(i, q, own), *t = i->tenant, *v = v1 ? "" : "/v2.0";
	char issuer[400];
	if (v1)
		(void)snprintf(issuer, sizeof(issuer), "https://sts.windows.net/%s/", t);
	else
		(void)snprintf(issuer, sizeof(issuer), "%s/%s/v2.0", b, t);
	return reply_text(r,
		asprintf(&r->body,
			"{\"token_endpoint\":\"%s/%s/oauth2%s/token\","
			"\"token_endpoint_auth_methods_supported\":[\"client_secret_post\","
			"\"private_key_jwt\"],"
			"\"jwks_uri\":\"%s/%s/discovery%s/keys\","
			"\"response_modes_supported\":[\"query\",\"fragment\",\"form_post\"],"
			"\"subject_types_supported\":[\"pairwise\"],"
			"\"id_token_signing_alg_values_supported\":[\"RS256\"],"
			"\"response_types_supported\":[\"code\",\"id_token\",\"code id_token\","
			"\"id_token token\"],"
			"\"scopes_supported\":[\"openid\",\"profile\",\"email\",\"offline_access\"]"
			","
			"\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/%s/oauth2%s/authorize\","
			"\"end_session_endpoint\":\"%s/%s/oauth2%s/logout\","
			"\"claims_supported\":[\"sub\",\"iss\",\"aud\",\"exp\",\"iat\",\"tid\","
			"\"ver\"],"
			"\"tenant_region_scope\":null}",
			b, t, v, b, t, v, issuer, b, t, v, b, t, v));
}

int discovery_instance(struct identities *i, const struct emu_request *q, struct emu_reply *r)
{
	char own[280];
	const char *b = base(i, q, own);
	const char *host = b + sizeof("https://") - 1;
	return reply_text(
		r, asprintf(&r->body,
			   "{\"tenant_discovery_endpoint\":\"%s/%s/v2.0/.well-known/"
			   "openid-configuration\",\"api-version\":\"1.1\",\"metadata\":[{"
			   "\"preferred_network\":\"%s\",\"preferred_cache\":\"%s\",\"aliases\":["
			   "\"%s\"]}]}",
			   b, i->tenant, host, host, host));
}

int discovery(
	struct identities *i, const struct emu_request *q, const char *rest, struct emu_reply *r)
{
	static const char openid[] = "/.well-known/openid-configuration";
	bool v2 = strncmp(rest, "/v2.0", 5) == 0;
	if (strcmp(rest + (v2 ? 5 : 0), openid) == 0)
		return reply_openid(i, q, !v2, r);
	if (strcmp(rest, "/discovery/v2.0/keys") == 0 || strcmp(rest, "/discovery/keys") == 0)
		return reply_keys(i, r);
	r->status = 404;
	return 0;
}
