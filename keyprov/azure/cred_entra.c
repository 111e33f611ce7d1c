// SPDX-License-Identifier: MIT
// Client credentials at Entra (RFC 6749 section 4.4): by secret, by certificate, by the token that
// a workload's platform writes into a file.
#include "cred.h"
#include "cred_reply.h"
#include "cred_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define URL_MAX 512
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static enum cmk_verdict failed(struct kp_outcome *o, int ret, const struct kp_err *err)
{
	return kp_outcome_set(o, ret == -ENOMEM ? CMK_UNREACHABLE : CMK_MISCONFIGURED,
		CMK_REASON_NONE, "%s", err->text);
}

static bool is_tenant(const char *s)
{
	static const char chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
	return *s && *s != '.' && s[strspn(s, chars)] == '\0';
}

// Whether http: goes to this machine only is http_do()'s to check.
static enum cmk_verdict token_url(
	const struct cred *c, const char *tenant, char url[URL_MAX], struct kp_outcome *o)
{
	const char *authority = c->config->identity.authority_host;
	size_t len = strlen(authority);
	bool secure = strncmp(authority, "https://", 8) == 0;
	while (len && authority[len - 1] == '/')
		len--;
	if (!(secure || (c->config->http_loopback && strncmp(authority, "http://", 7) == 0)) ||
		strcspn(authority, "?#@\\ ") < len)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the authority host is '%.100s'; AZURE_AUTHORITY_HOST or authorityHost of "
			"the key set must be like https://login.microsoftonline.com",
			authority);
	if (!*tenant)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"no tenant is known to sign in at with the %s; set AZURE_TENANT_ID, or "
			"tenantId in the key set",
			c->name);
	if (!is_tenant(tenant))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the tenant to sign in at must be a GUID or a domain name; look at "
			"AZURE_TENANT_ID or tenantId of the key set");
	int n = snprintf(url, URL_MAX, "%.*s/%s/oauth2/v2.0/token", (int)len, authority, tenant);
	if (n < 0 || n >= URL_MAX)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"authority host and tenant are longer than any that exist");
	return CMK_GRANTED;
}

#define CAPABILITY "{\"values\":[\"CP1\"]}"

static int add_parsed(struct kp_json *to, const char *member, const char *json)
{
	char text[64];
	struct kp_json *j = NULL;
	int n = snprintf(text, sizeof(text), "%s", json);
	// No string in it is long enough to be lifted, so the tree needs no text.
	int ret = kp_json_parse(text, (size_t)n, &j);
	return ret ? ret : kp_json_add(to, member, j);
}

// Says that we understand claims challenges (continuous access evaluation), beside what the
// challenge asks for. -EBADMSG if that is malformed.
static int merge_claims(char *wanted, char **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	int ret = kp_json_parse(wanted, strlen(wanted), &j);
	if (ret == 0 && !kp_json_is_object(j))
		ret = -EBADMSG;
	if (ret)
		return ret;
	const struct kp_json *access = kp_json_get(j, "access_token");
	if (kp_json_is_object(access)) {
		// The tree is ours; only reading gives out const.
		if (!kp_json_get(access, "xms_cc"))
			ret = add_parsed((struct kp_json *)(uintptr_t)access, "xms_cc", CAPABILITY);
	} else if (access) {
		ret = -EBADMSG;
	} else {
		ret = add_parsed(j, "access_token", "{\"xms_cc\":" CAPABILITY "}");
	}
	return ret ? ret : kp_json_print(j, false, out);
}

static enum cmk_verdict add_claims(
	const struct cred_ask *ask, struct cred_text *body, struct kp_outcome *o)
{
	autofree char *wanted = strdup(ask->claims ? ask->claims : "{}");
	autofree char *merged = NULL;
	int ret = wanted ? merge_claims(wanted, &merged) : -ENOMEM;
	if (ret == -ENOMEM)
		return kp_outcome_set(
			o, CMK_UNREACHABLE, CMK_REASON_NONE, "no memory to sign in with");
	if (ret)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"the vault asks for a new token by claims that are not a JSON object");
	cred_text_add_field(body, "claims", merged);
	return CMK_GRANTED;
}

static enum cmk_verdict post(const struct cred *c, const struct cred_ask *ask, const char *url,
	const struct cred_text *body, struct cred_token *out, struct kp_outcome *o)
{
	struct http_reply r;
	struct http_request q = {
		.method = "POST",
		.url = url,
		.headers = {"Content-Type: application/x-www-form-urlencoded",
			"Accept: application/json"},
		.body = body->p,
		.body_len = body->len,
		.timeout_ms = ask->limit_ms,
	};
	http_do(c->http, &q, &r);
	enum cmk_verdict v = r.failure == HTTP_OK && r.status == 200
				     ? cred_reply_token(c, &r, NULL, out, o)
				     : cred_reply_entra(c, &r, o);
	http_reply_end(c->http, &r);
	return v;
}

// One of secret and assertion is given.
static enum cmk_verdict ask_by(const struct cred *c, const struct cred_ask *ask,
	const char *client_id, const char *secret, const char *assertion, struct cred_token *out,
	struct kp_outcome *o)
{
	scoped(cred_text_end) struct cred_text body = {0};
	struct kp_err err = {""};
	char url[URL_MAX], scope[URL_MAX];
	enum cmk_verdict v = token_url(c, ask->tenant, url, o);
	if (v != CMK_GRANTED)
		return v;
	int ret = cred_text_new(c->host, CRED_TEXT_ROOM, &body, &err);
	if (ret)
		return failed(o, ret, &err);
	(void)snprintf(scope, sizeof(scope), "%s/.default", ask->resource);
	cred_text_add_field(&body, "grant_type", "client_credentials");
	cred_text_add_field(&body, "client_id", client_id);
	cred_text_add_field(&body, "scope", scope);
	if (secret) {
		cred_text_add_field(&body, "client_secret", secret);
	} else {
		cred_text_add_field(&body, "client_assertion_type", ASSERTION_TYPE);
		cred_text_add_field(&body, "client_assertion", assertion);
	}
	v = add_claims(ask, &body, o);
	if (v != CMK_GRANTED)
		return v;
	ret = cred_text_check(&body, &err);
	return ret ? failed(o, ret, &err) : post(c, ask, url, &body, out, o);
}

enum cmk_verdict cred_entra_exchange(const struct cred *c, const struct cred_ask *ask,
	const char *client_id, const char *assertion, struct cred_token *out, struct kp_outcome *o)
{
	return ask_by(c, ask, client_id, NULL, assertion, out, o);
}

const char *cred_entra_exchange_audience(const struct cred *c)
{
	const char *authority = c->config->identity.authority_host;
	return strstr(authority, ".microsoftonline.us") ? "api://AzureADTokenExchangeUSGov"
	       : strstr(authority, "login.chinacloudapi.cn") ||
			       strstr(authority, ".microsoftonline.cn")
		       ? "api://AzureADTokenExchangeChina"
		       : "api://AzureADTokenExchange";
}

static enum cmk_verdict by_certificate(const struct cred *c, const struct cred_ask *ask,
	struct cred_token *out, struct kp_outcome *o)
{
	scoped(cred_text_end) struct cred_text assertion = {0};
	struct kp_err err = {""};
	char url[URL_MAX];
	int ret = cred_text_new(c->host, CRED_TEXT_ROOM, &assertion, &err);
	if (ret)
		return failed(o, ret, &err);
	enum cmk_verdict v = token_url(c, ask->tenant, url, o);
	if (v == CMK_GRANTED)
		v = cred_certificate(c, url, &assertion, o);
	if (v != CMK_GRANTED)
		return v;
	return ask_by(c, ask, c->config->identity.client_id, NULL, assertion.p, out, o);
}

static int read_token_file(const struct cred *c, struct cred_text *t, struct kp_err *err)
{
	int ret = cred_text_new(c->host, CRED_TEXT_ROOM, t, err);
	if (ret == 0)
		ret = cred_text_read(t, AZURE_FILE_TOKEN, "workload identity token",
			c->config->identity.token_file, err);
	if (ret == 0)
		cred_text_trim(t);
	return ret;
}

// The platform replaces the file's content before it ends: it is read for every request, and once
// more if it was replaced while being refused.
static enum cmk_verdict by_token_file(const struct cred *c, const struct cred_ask *ask,
	struct cred_token *out, struct kp_outcome *o)
{
	scoped(cred_text_end) struct cred_text first = {0}, second = {0};
	const char *client_id = c->config->identity.client_id;
	struct kp_err err = {""};
	int ret = read_token_file(c, &first, &err);
	if (ret)
		return failed(o, ret, &err);
	enum cmk_verdict v = ask_by(c, ask, client_id, NULL, first.p, out, o);
	if (v != CMK_DENIED || read_token_file(c, &second, &err) || strcmp(first.p, second.p) == 0)
		return v;
	return ask_by(c, ask, client_id, NULL, second.p, out, o);
}

enum cmk_verdict cred_entra(const struct cred *c, const struct cred_ask *ask,
	struct cred_token *out, struct kp_outcome *o)
{
	const struct azure_identity *id = &c->config->identity;
	if (c->which == AZURE_CLIENT_CERTIFICATE)
		return by_certificate(c, ask, out, o);
	if (c->which == AZURE_WORKLOAD_IDENTITY)
		return by_token_file(c, ask, out, o);
	return ask_by(c, ask, id->client_id, id->client_secret, NULL, out, o);
}
