// SPDX-License-Identifier: MIT
// The token endpoint and what clients read before they use it; see identities.h.
#include "identity_form.h"
#include "identity_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define JWT_BEARER "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define URL_MAX 320
#define REFRESH_FROM (2 * 3600) // tokens that live so long come with refresh_in

// One token request.
struct ask {
	struct identities *i;
	const struct emu_request *q;
	struct form form;
	bool v1;
	struct identity *identity;
	struct token_wish wish;
	char audience[64];
	struct entra_refusal no;
};

static int reply_refusal(
	const struct identities *i, const struct entra_refusal *no, struct emu_reply *r)
{
	char trace[EMU_GUID], correlation[EMU_GUID], stamp[32], text[640], codes[32], uri[96];
	time_t now = (time_t)emu_now(i->clock);
	struct tm tm;
	struct kp_json *j, *list;
	int ret = emu_guid(trace);
	if (ret == 0)
		ret = emu_guid(correlation);
	if (ret == 0)
		ret = kp_json_object(&j);
	if (ret)
		return ret;
	if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		stamp[0] = '\0';
	(void)snprintf(text, sizeof(text),
		"AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", no->code, no->text,
		trace, correlation, stamp);
	int len = snprintf(codes, sizeof(codes), "[%d]", no->code);
	(void)snprintf(uri, sizeof(uri), "%s/error?code=%d", i->authority, no->code);
	if (kp_json_add_str(j, "error", no->error) ||
		kp_json_add_str(j, "error_description", text) ||
		kp_json_parse(codes, (size_t)len, &list) || kp_json_add(j, "error_codes", list) ||
		kp_json_add_str(j, "timestamp", stamp) || kp_json_add_str(j, "trace_id", trace) ||
		kp_json_add_str(j, "correlation_id", correlation) ||
		kp_json_add_str(j, "error_uri", uri)) {
		kp_json_free(&j);
		return -ENOMEM;
	}
	return emu_reply_json(r, no->status, j);
}

static int find_client(struct ask *a)
{
	const char *id = form_get(&a->form, "client_id");
	if (!id)
		return refuse(&a->no, 400, "invalid_request", 900144,
			"The request body must contain the following parameter: 'client_id'.");
	a->identity = identity_find(a->i, id);
	if (!a->identity || strcasecmp(a->identity->client_id, id) != 0)
		return refuse(&a->no, 400, "unauthorized_client", 700016,
			"Application with identifier '%.64s' was not found in the directory '%s'.",
			id, a->i->tenant);
	if (!a->identity->enabled)
		return refuse(&a->no, 401, "unauthorized_client", 7000112,
			"Application '%s'(%s) is disabled.", a->identity->client_id,
			a->identity->name);
	return 0;
}

static int check_secret(struct ask *a, const char *secret)
{
	bool good = false;
	for (size_t n = 0; n < a->identity->secret_count; n++)
		good |= identity_secret_is(&a->identity->secrets[n], secret);
	return good ? 0
		    : refuse(&a->no, 401, "invalid_client", 7000215,
			      "Invalid client secret provided for app '%s'.",
			      a->identity->client_id);
}

// What the assertion may be made out to: this endpoint under our own name and under the one that
// the request came by, in both versions, and the issuer.
static int check_assertion(struct ask *a, const char *assertion)
{
	static const char *const paths[] = {
		"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/", "/oauth2/v2.0/token/"};
	enum { PATHS = sizeof(paths) / sizeof(*paths) };
	char text[2 * PATHS][URL_MAX];
	const char *audiences[2 * PATHS + 1] = {NULL};
	const char *type = form_get(&a->form, "client_assertion_type");
	if (!type || strcmp(type, JWT_BEARER) != 0)
		return refuse(&a->no, 400, "invalid_request", 900144,
			"'client_assertion_type' must be '" JWT_BEARER "'.");
	for (size_t n = 0; n < PATHS; n++) {
		(void)snprintf(
			text[2 * n], URL_MAX, "%s/%s%s", a->i->authority, a->i->tenant, paths[n]);
		(void)snprintf(text[2 * n + 1], URL_MAX, "https://%s/%s%s",
			a->q->authority ? a->q->authority : "", a->i->tenant, paths[n]);
		audiences[2 * n] = text[2 * n];
		audiences[2 * n + 1] = text[2 * n + 1];
	}
	a->wish.certificate = true;
	return assertion_check(a->i, a->identity, assertion, audiences, &a->no);
}

static int check_credential(struct ask *a)
{
	const char *secret = form_get(&a->form, "client_secret");
	const char *assertion = form_get(&a->form, "client_assertion");
	if (assertion)
		return check_assertion(a, assertion);
	if (secret)
		return check_secret(a, secret);
	return refuse(&a->no, 401, "invalid_client", 7000216,
		"'client_assertion', 'client_secret' or 'request' is required for the "
		"'client_credentials' grant type.");
}

static bool is_oidc(const char *word, size_t len)
{
	return (len == 6 && strncmp(word, "openid", len) == 0) ||
	       (len == 7 && strncmp(word, "profile", len) == 0) ||
	       (len == 14 && strncmp(word, "offline_access", len) == 0);
}

// The resource of "RESOURCE/.default", beside which only the scopes of OpenID Connect may stand.
static int find_scope(struct ask *a, char out[128])
{
	static const char suffix[] = "/.default";
	const char *p = form_get(&a->form, "scope");
	size_t cut = sizeof(suffix) - 1;
	if (!p)
		return refuse(&a->no, 400, "invalid_request", 900144,
			"The request body must contain the following parameter: 'scope'.");
	out[0] = '\0';
	while (*(p += strspn(p, " "))) {
		size_t len = strcspn(p, " ");
		bool fits = len > cut && len - cut < 128 && !*out &&
			    strncmp(p + len - cut, suffix, cut) == 0;
		if (fits)
			(void)snprintf(out, 128, "%.*s", (int)(len - cut), p);
		else if (!is_oidc(p, len))
			return refuse(&a->no, 400, "invalid_scope", 1002012,
				"The provided value for scope %.100s is not valid. Client "
				"credential "
				"flows must have a scope value with /.default suffixed to the "
				"resource identifier.",
				p);
		p += len;
	}
	return *out ? 0
		    : refuse(&a->no, 400, "invalid_scope", 70011,
			      "The provided value for the input parameter 'scope' is not valid.");
}

static int check_resource(struct ask *a)
{
	char scope[128];
	const char *resource = form_get(&a->form, "resource");
	if (!a->v1 || !resource) {
		int ret = find_scope(a, scope);
		if (ret)
			return ret;
		resource = scope;
	}
	if (!token_audience(resource, a->audience))
		return refuse(&a->no, 400, "invalid_resource", 500011,
			"The resource principal named %.100s was not found in the tenant named %s.",
			resource, a->i->tenant);
	a->wish.audience = a->audience;
	return 0;
}

static int64_t number_in(const struct kp_json *j, const char *member)
{
	int64_t n = 0;
	const char *text = kp_json_str(j, member);
	if (text)
		n = (int64_t)strtoll(text, NULL, 10);
	else
		(void)kp_json_int(j, member, &n);
	return n;
}

static int read_claims(struct ask *a)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	const char *text = form_get(&a->form, "claims");
	if (!text)
		return 0;
	autofree char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	if (kp_json_parse(copy, strlen(copy), &j) || !kp_json_is_object(j))
		return refuse(&a->no, 400, "invalid_request", 50201,
			"The parameter 'claims' is no JSON object.");
	const struct kp_json *wanted = kp_json_get(j, "access_token");
	const struct kp_json *cc = kp_json_get(kp_json_get(wanted, "xms_cc"), "values");
	for (cc = kp_json_first(cc); cc; cc = kp_json_next(cc))
		a->wish.cp1 |= kp_json_text(cc) && strcasecmp(kp_json_text(cc), "CP1") == 0;
	a->wish.answers = a->identity->challenge &&
			  number_in(kp_json_get(wanted, "nbf"), "value") >= a->identity->challenge;
	return 0;
}

static int check_grant(struct ask *a)
{
	const char *type = emu_header(a->q, "Content-Type");
	if (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
		return refuse(&a->no, 400, "invalid_request", 900144,
			"The request must be of type application/x-www-form-urlencoded.");
	if (form_parse(a->q->body, a->q->len, &a->form))
		return refuse(&a->no, 400, "invalid_request", 90014,
			"The request body is no well-formed form.");
	const char *grant = form_get(&a->form, "grant_type");
	if (!grant)
		return refuse(&a->no, 400, "invalid_request", 900144,
			"The request body must contain the following parameter: 'grant_type'.");
	if (strcmp(grant, "client_credentials") != 0)
		return refuse(&a->no, 400, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '%.40s'.", grant);
	return 0;
}

static int check_all(struct ask *a)
{
	int ret = check_grant(a);
	if (ret == 0)
		ret = find_client(a);
	if (ret == 0)
		ret = check_credential(a);
	if (ret == 0)
		ret = check_resource(a);
	if (ret == 0)
		ret = read_claims(a);
	return ret;
}

// Printed by hand: no copy of the token stays in a JSON tree.
static int print_token(const struct ask *a, const char *token, struct emu_reply *r)
{
	int64_t life = a->identity->lifetime, now = emu_now(a->i->clock);
	char refresh[48] = "";
	if (life >= REFRESH_FROM)
		(void)snprintf(refresh, sizeof(refresh),
			a->v1 ? ",\"refresh_in\":\"%lld\"" : ",\"refresh_in\":%lld",
			(long long)(life / 2));
	int n = a->v1 ? asprintf(&r->body,
				"{\"token_type\":\"Bearer\",\"expires_in\":\"%lld\","
				"\"ext_expires_in\":\"%lld\"%s,\"expires_on\":\"%lld\","
				"\"not_before\":\"%lld\",\"resource\":\"%s\",\"access_token\":\"%"
				"s\"}",
				(long long)life, (long long)life, refresh, (long long)(now + life),
				(long long)now, a->audience, token)
		      : asprintf(&r->body,
				"{\"token_type\":\"Bearer\",\"expires_in\":%lld,"
				"\"ext_expires_in\":%lld%s,\"access_token\":\"%s\"}",
				(long long)life, (long long)life, refresh, token);
	if (n < 0) {
		r->body = NULL;
		return -ENOMEM;
	}
	r->len = (size_t)n;
	r->status = 200;
	return 0;
}

static int reply_token(struct ask *a, struct emu_reply *r)
{
	autofree char *token = NULL;
	struct kp_err err;
	a->wish.identity = a->identity;
	int ret = token_issue(a->i, &a->wish, &token);
	if (ret == 0 && a->wish.answers && !a->identity->answered) {
		a->identity->answered = emu_now(a->i->clock);
		ret = identity_save(a->i, &err);
	}
	if (ret == 0)
		ret = print_token(a, token, r);
	if (token)
		explicit_bzero(token, strlen(token));
	if (ret == 0)
		ret = emu_reply_header(r, "Cache-Control", "no-store, no-cache");
	return ret;
}

static int token_endpoint(
	struct identities *i, const struct emu_request *q, bool v1, struct emu_reply *r)
{
	struct ask a = {.i = i, .q = q, .v1 = v1};
	int ret = strcmp(q->method, "POST") == 0 ? check_all(&a)
						 : refuse(&a.no, 400, "invalid_request", 900561,
							   "The endpoint only accepts POST "
							   "requests. Received a %.10s request.",
							   q->method);
	if (ret == 0)
		ret = reply_token(&a, r);
	return ret == -EACCES ? reply_refusal(i, &a.no, r) : ret;
}

static bool is_tenant(const struct identities *i, const char *path, const char **rest)
{
	size_t len = strcspn(path + 1, "/");
	*rest = path + 1 + len;
	return len == strlen(i->tenant) && strncasecmp(path + 1, i->tenant, len) == 0;
}

static int route(struct identities *i, struct emu_request *q, struct emu_reply *r)
{
	const char *rest;
	bool ours = is_tenant(i, q->path, &rest);
	bool v1 = strcmp(rest, "/oauth2/token") == 0;
	if (strcmp(rest, "/discovery/instance") == 0)
		return discovery_instance(i, q, r);
	if (!ours) {
		struct entra_refusal no = {0};
		int len = (int)(rest - q->path) - 1;
		int ret = refuse(&no, 400, "invalid_request", 90002,
			"Tenant '%.*s' not found. Check to make sure you have the correct tenant "
			"ID.",
			len < 64 ? len : 64, q->path + 1);
		return ret == -EACCES ? reply_refusal(i, &no, r) : ret;
	}
	if (v1 || strcmp(rest, "/oauth2/v2.0/token") == 0)
		return token_endpoint(i, q, v1, r);
	return discovery(i, q, rest, r);
}

int identities_entra(struct identities *i, struct emu_request *q, struct emu_reply *r)
{
	scoped(identities_unlock) struct identities *held = identities_lock(i);
	int ret = q->path[0] == '/' ? route(held, q, r) : -EINVAL;
	if (q->body)
		explicit_bzero(q->body, q->len);
	return ret;
}
