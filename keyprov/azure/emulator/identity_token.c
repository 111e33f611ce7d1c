// SPDX-License-Identifier: MIT
// The tokens: issued for an identity, and examined when a vault is asked; see identities.h.
//
// A claims challenge asks that a token be newer than a moment ("nbf"). The token request that
// repeats this claim answers it, and so does any later token once one request did: a client that
// merely asks again, or again presents what it has, is told to mind the claims first. Managed
// identities have no way to say claims: their new tokens always answer.
#include "identity_model.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CLOCK_SKEW 300 // seconds that "nbf" may lie ahead

enum resource_kind { KIND_NONE, KIND_VAULT, KIND_HSM };

static enum resource_kind kind_of(const char *host)
{
	static const struct {
		const char *host;
		enum resource_kind kind;
	} known[] = {
		{"vault.localhost", KIND_VAULT},
		{"vault.azure.net", KIND_VAULT},
		{"vault.azure.cn", KIND_VAULT},
		{"vault.usgovcloudapi.net", KIND_VAULT},
		{"managedhsm.localhost", KIND_HSM},
		{"managedhsm.azure.net", KIND_HSM},
		{"managedhsm.azure.cn", KIND_HSM},
		{"managedhsm.usgovcloudapi.net", KIND_HSM},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcasecmp(known[i].host, host) == 0)
			return known[i].kind;
	return KIND_NONE;
}

static const char *host_of(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0 ? url + 8 : "";
}

bool token_audience(const char *resource, char out[64])
{
	size_t len = strlen(resource);
	if (len > 0 && resource[len - 1] == '/')
		len--;
	if (len >= 64)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)resource[i]);
	out[len] = '\0';
	return kind_of(host_of(out)) != KIND_NONE;
}

// A token for the service is good under each of the service's names.
static bool same_audience(const char *a, const char *b)
{
	enum resource_kind kind = kind_of(host_of(a));
	return strcmp(a, b) == 0 || (kind != KIND_NONE && kind == kind_of(host_of(b)));
}

static int make_header(const struct identities *i, struct kp_json **out)
{
	int ret = kp_json_object(out);
	if (ret == 0 &&
		(kp_json_add_str(*out, "typ", "JWT") || kp_json_add_str(*out, "alg", "RS256") ||
			kp_json_add_str(*out, "x5t", i->kid) ||
			kp_json_add_str(*out, "kid", i->kid)))
		ret = -ENOMEM;
	return ret;
}

static int add_xms_cc(struct kp_json *claims)
{
	static const char text[] = "[\"CP1\"]";
	char copy[sizeof(text)];
	struct kp_json *list;
	memcpy(copy, text, sizeof(text));
	int ret = kp_json_parse(copy, sizeof(text) - 1, &list);
	return ret ? ret : kp_json_add(claims, "xms_cc", list);
}

static int add_times(const struct identities *i, const struct token_wish *w, struct kp_json *c)
{
	int64_t now = emu_now(i->clock);
	if (kp_json_add_int(c, "iat", now) || kp_json_add_int(c, "nbf", now) ||
		kp_json_add_int(c, "exp", now + w->identity->lifetime))
		return -ENOMEM;
	return w->answers ? kp_json_add_int(c, "emu_answers", w->identity->challenge) : 0;
}

static int make_claims(const struct identities *i, const struct token_wish *w, struct kp_json **out)
{
	const struct identity *id = w->identity;
	char issuer[128], uti[33];
	(void)snprintf(issuer, sizeof(issuer), "https://sts.windows.net/%s/", i->tenant);
	int ret = emu_random_hex(uti, 16);
	if (ret == 0)
		ret = kp_json_object(out);
	if (ret)
		return ret;
	struct kp_json *c = *out;
	if (kp_json_add_str(c, "aud", w->audience) || kp_json_add_str(c, "iss", issuer) ||
		add_times(i, w, c) || kp_json_add_str(c, "appid", id->client_id) ||
		kp_json_add_str(c, "appidacr", w->certificate ? "2" : "1") ||
		kp_json_add_str(c, "idp", issuer) || kp_json_add_str(c, "idtyp", "app") ||
		kp_json_add_str(c, "oid", id->object_id) ||
		kp_json_add_str(c, "sub", id->object_id) || kp_json_add_str(c, "tid", i->tenant) ||
		kp_json_add_str(c, "uti", uti) || kp_json_add_str(c, "ver", "1.0") ||
		(w->cp1 && add_xms_cc(c)) ||
		(id->resource_id && kp_json_add_str(c, "xms_mirid", id->resource_id)))
		return -ENOMEM;
	return 0;
}

int token_issue(struct identities *i, const struct token_wish *w, char **out)
{
	scoped(kp_json_free) struct kp_json *header = NULL;
	scoped(kp_json_free) struct kp_json *claims = NULL;
	int ret = make_header(i, &header);
	if (ret == 0)
		ret = make_claims(i, w, &claims);
	return ret ? ret : jwt_sign(i->key, header, claims, out);
}

static void copy(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text ? text : "");
}

static bool answers(const struct identity *id, const struct kp_json *claims)
{
	int64_t answered = 0, iat = 0;
	(void)kp_json_int(claims, "emu_answers", &answered);
	(void)kp_json_int(claims, "iat", &iat);
	return answered >= id->challenge || (id->answered && iat > id->answered);
}

static enum token_fault examine(
	struct identities *i, const struct jwt *t, const char *audience, struct caller *out)
{
	char issuer[128];
	int64_t now = emu_now(i->clock), exp, nbf;
	const char *kid = kp_json_str(t->header, "kid"), *aud = kp_json_str(t->claims, "aud");
	(void)snprintf(issuer, sizeof(issuer), "https://sts.windows.net/%s/", i->tenant);
	copy(out->issuer, sizeof(out->issuer), kp_json_str(t->claims, "iss"));
	if (strcmp(out->issuer, issuer) != 0)
		return TOKEN_WRONG_TENANT;
	if (!kid || strcmp(kid, i->kid) != 0)
		return TOKEN_UNKNOWN_KEY;
	if (jwt_verify(t, i->key) || !aud || !kp_json_int(t->claims, "exp", &exp) ||
		!kp_json_int(t->claims, "nbf", &nbf))
		return TOKEN_MALFORMED;
	copy(out->app_id, sizeof(out->app_id), kp_json_str(t->claims, "appid"));
	copy(out->object_id, sizeof(out->object_id), kp_json_str(t->claims, "oid"));
	if (exp <= now || nbf > now + CLOCK_SKEW)
		return TOKEN_EXPIRED;
	if (!same_audience(aud, audience))
		return TOKEN_WRONG_AUDIENCE;
	const struct identity *id = identity_find(i, out->object_id);
	copy(out->name, sizeof(out->name), id ? id->name : "");
	return !id || answers(id, t->claims) ? TOKEN_GOOD : TOKEN_CLAIMS_WANTED;
}

enum token_fault identities_authenticate(
	struct identities *i, const char *authorization, const char *audience, struct caller *out)
{
	*out = (struct caller){0};
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return TOKEN_MISSING;
	scoped(jwt_end) struct jwt t = {0};
	if (jwt_parse(authorization + 7 + strspn(authorization + 7, " "), &t))
		return TOKEN_MALFORMED;
	scoped(identities_unlock) struct identities *held = identities_lock(i);
	return examine(held, &t, audience, out);
}

int identities_claims(struct identities *i, const struct caller *c, char **json)
{
	scoped(identities_unlock) struct identities *held = identities_lock(i);
	const struct identity *id = identity_find(held, c->object_id);
	int n = asprintf(json,
		"{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"%lld\"}}}",
		(long long)(id ? id->challenge : emu_now(held->clock)));
	if (n < 0)
		*json = NULL;
	return n < 0 ? -ENOMEM : 0;
}
