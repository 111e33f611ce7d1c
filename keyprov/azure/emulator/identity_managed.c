// SPDX-License-Identifier: MIT
// Managed identities: IMDS, App Service (2019-08-01 and 2017-09-01) and Azure Arc; see
// identities.h.
#include "emu_file.h"
#include "identity_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

static int refuse_imds(struct emu_reply *r, int status, const char *error, const char *text)
{
	struct kp_json *j;
	int ret = kp_json_object(&j);
	if (ret)
		return ret;
	if (kp_json_add_str(j, "error", error) || kp_json_add_str(j, "error_description", text)) {
		kp_json_free(&j);
		return -ENOMEM;
	}
	return emu_reply_json(r, status, j);
}

static int refuse_app_service(struct emu_reply *r, int status, const char *text)
{
	char id[EMU_GUID];
	struct kp_json *j;
	int ret = emu_guid(id);
	if (ret == 0)
		ret = kp_json_object(&j);
	if (ret)
		return ret;
	if (kp_json_add_int(j, "statusCode", status) || kp_json_add_str(j, "message", text) ||
		kp_json_add_str(j, "correlationId", id)) {
		kp_json_free(&j);
		return -ENOMEM;
	}
	return emu_reply_json(r, status, j);
}

// What one request asks for and how it is answered.
struct ask {
	struct identities *i;
	const struct emu_request *q;
	struct emu_reply *r;
	const char *version; // of the API
	char audience[64];
	const struct identity *identity;
};

static int no(const struct ask *a, const char *error, const char *text)
{
	if (a->q->port == EMU_APP_SERVICE)
		return refuse_app_service(a->r, 400, text);
	return refuse_imds(a->r, 400, error, text);
}

static const char *first_query(const struct emu_request *q, const char *const *names)
{
	const char *found = NULL;
	for (; *names && !found; names++)
		found = emu_query(q, *names);
	return found;
}

static bool is_meant(const struct ask *a, const struct identity *id, bool *chosen)
{
	static const char *const client[] = {"client_id", "clientid", NULL};
	static const char *const object[] = {"object_id", "principal_id", NULL};
	static const char *const resource[] = {"msi_res_id", "mi_res_id", NULL};
	const char *c = first_query(a->q, client), *o = first_query(a->q, object);
	const char *m = first_query(a->q, resource);
	*chosen = c || o || m;
	return (!c || strcasecmp(c, id->client_id) == 0) &&
	       (!o || strcasecmp(o, id->object_id) == 0) &&
	       (!m || (id->resource_id && strcasecmp(m, id->resource_id) == 0));
}

// The identity of the machine that is meant. Without a word about it: the system-assigned one, or
// the only user-assigned one. *several: that rule does not decide.
static const struct identity *choose(const struct ask *a, bool *several)
{
	const struct identity *found = NULL;
	bool chosen, system = false;
	*several = false;
	for (size_t n = 0; n < a->i->count; n++) {
		const struct identity *id = &a->i->ids[n];
		if (id->managed == MANAGED_NO || !id->enabled || !is_meant(a, id, &chosen))
			continue;
		bool preferred = !chosen && id->managed == MANAGED_SYSTEM;
		if (found && !system && !preferred)
			*several = true;
		if (!found || (preferred && !system))
			found = id;
		system |= preferred;
	}
	*several &= !system;
	return found;
}

static void print_date(int64_t t, char out[40])
{
	time_t when = (time_t)t;
	struct tm tm;
	if (!gmtime_r(&when, &tm) || strftime(out, 40, "%m/%d/%Y %I:%M:%S %p +00:00", &tm) == 0)
		out[0] = '\0';
}

// By hand, so that no copy of the token stays in a JSON tree. All values are strings.
static int print_token(const struct ask *a, const char *token)
{
	const struct identity *id = a->identity;
	int64_t now = emu_now(a->i->clock), life = id->lifetime;
	char common[256], date[40];
	int n;
	(void)snprintf(common, sizeof(common), "\"resource\":\"%s\",\"token_type\":\"Bearer\"",
		a->audience);
	if (a->q->port == EMU_APP_SERVICE && strcmp(a->version, "2017-09-01") == 0) {
		print_date(now + life, date);
		n = asprintf(&a->r->body, "{\"access_token\":\"%s\",\"expires_on\":\"%s\",%s}",
			token, date, common);
	} else if (a->q->port == EMU_APP_SERVICE) {
		n = asprintf(&a->r->body,
			"{\"access_token\":\"%s\",\"client_id\":\"%s\",\"expires_on\":\"%lld\","
			"\"not_before\":\"%lld\",%s}",
			token, id->client_id, (long long)(now + life), (long long)now, common);
	} else {
		// The ids say whose token it is; a client that chose one compares.
		bool user = id->managed == MANAGED_USER && id->resource_id;
		n = asprintf(&a->r->body,
			"{\"access_token\":\"%s\",\"client_id\":\"%s\",\"object_id\":\"%s\"%s%s%s,"
			"\"expires_in\":\"%lld\",\"expires_on\":\"%lld\","
			"\"ext_expires_in\":\"%lld\",\"not_before\":\"%lld\",%s%s}",
			token, id->client_id, id->object_id, user ? ",\"msi_res_id\":\"" : "",
			user ? id->resource_id : "", user ? "\"" : "", (long long)life,
			(long long)(now + life), (long long)life, (long long)now, common,
			a->q->port == EMU_IMDS ? ",\"refresh_token\":\"\"" : "");
	}
	if (n < 0) {
		a->r->body = NULL;
		return -ENOMEM;
	}
	a->r->len = (size_t)n;
	a->r->status = 200;
	return 0;
}

static int answer(struct ask *a)
{
	const char *resource = emu_query(a->q, "resource");
	bool several;
	if (!resource)
		return no(a, "invalid_request", "Required query variable 'resource' is missing");
	if (!token_audience(resource, a->audience))
		return no(a, "invalid_resource",
			"AADSTS500011: The resource principal was not found in the tenant.");
	a->identity = choose(a, &several);
	if (several)
		return no(a, "invalid_request",
			"Multiple user assigned identities exist, please specify the clientId / "
			"resourceId of the identity in the token request");
	if (!a->identity && a->q->port == EMU_APP_SERVICE)
		return no(a, NULL,
			"No User Assigned or Delegated Managed Identity found for specified "
			"ClientId/ResourceId/PrincipalId.");
	if (!a->identity)
		return no(a, "invalid_request", "Identity not found");
	autofree char *token = NULL;
	struct token_wish w = {.identity = a->identity,
		.audience = a->audience,
		.answers = true,
		.certificate = true};
	int ret = token_issue(a->i, &w, &token);
	if (ret == 0)
		ret = print_token(a, token);
	if (token)
		explicit_bzero(token, strlen(token));
	return ret;
}

static int imds(struct ask *a)
{
	const char *metadata = emu_header(a->q, "Metadata");
	if (!metadata || strcasecmp(metadata, "true") != 0)
		return no(a, "bad_request_102", "Required metadata header not specified");
	// A request that passed a proxy may be somebody else's.
	if (emu_header(a->q, "X-Forwarded-For"))
		return no(a, "bad_request_102", "X-Forwarded-For is not allowed");
	return answer(a);
}

static int app_service(struct ask *a)
{
	bool old = strcmp(a->version, "2017-09-01") == 0;
	const char *given = emu_header(a->q, old ? "secret" : "X-IDENTITY-HEADER");
	if (!old && strcmp(a->version, "2019-08-01") != 0)
		return refuse_app_service(
			a->r, 400, "The api-version must be 2019-08-01 or 2017-09-01.");
	if (!given || !identity_secret_is(&a->i->header, given))
		return refuse_app_service(a->r, 401,
			old ? "The header 'secret' is missing or wrong."
			    : "The header 'X-IDENTITY-HEADER' is missing or wrong.");
	return answer(a);
}

static void arc_forget(struct identities *i, size_t n)
{
	if (i->arc[n].path)
		(void)unlink(i->arc[n].path);
	free(i->arc[n].path);
	i->arc[n].path = NULL;
}

// Makes a key file that only the right user of this machine can read, and asks for what is in it.
static int arc_challenge(struct ask *a)
{
	struct identities *i = a->i;
	char id[EMU_GUID], name[EMU_GUID + 4], key[65];
	struct kp_err err;
	// The oldest gives way.
	arc_forget(i, IDENTITY_ARC_KEYS - 1);
	memmove(&i->arc[1], &i->arc[0], (IDENTITY_ARC_KEYS - 1) * sizeof(i->arc[0]));
	i->arc[0].path = NULL;
	int ret = emu_guid(id);
	if (ret == 0)
		ret = emu_random_hex(key, 32);
	if (ret)
		return ret;
	(void)snprintf(name, sizeof(name), "%s.key", id);
	identity_hash(key, 64, "", 0, i->arc[0].hash);
	ret = emu_file_write(i->arc_dir, name, 0600, key, 64, &err);
	explicit_bzero(key, sizeof(key));
	if (ret)
		return ret;
	if (asprintf(&i->arc[0].path, "%s/%s", i->arc_dir, name) < 0) {
		i->arc[0].path = NULL;
		return -ENOMEM;
	}
	ret = refuse_imds(a->r, 401, "unauthorized_client", "Missing Basic Authorization header");
	return ret ? ret
		   : emu_reply_header(a->r, "WWW-Authenticate", "Basic realm=%s", i->arc[0].path);
}

static int arc(struct ask *a)
{
	const char *metadata = emu_header(a->q, "Metadata");
	const char *basic = emu_header(a->q, "Authorization");
	uint8_t hash[IDENTITY_HASH];
	if (!metadata || strcasecmp(metadata, "true") != 0)
		return no(a, "invalid_request", "Required metadata header not specified");
	if (!basic)
		return arc_challenge(a);
	if (strncasecmp(basic, "Basic ", 6) != 0)
		return refuse_imds(a->r, 401, "unauthorized_client", "Invalid authorization");
	identity_hash(basic + 6, strlen(basic + 6), "", 0, hash);
	for (size_t n = 0; n < IDENTITY_ARC_KEYS; n++)
		if (a->i->arc[n].path && identity_hash_same(a->i->arc[n].hash, hash)) {
			arc_forget(a->i, n);
			return answer(a);
		}
	return refuse_imds(a->r, 401, "unauthorized_client", "Invalid authorization");
}

// With or without a slash at its end: Microsoft's own client for Node.js puts one there.
static bool is_path(const struct emu_request *q, const char *path)
{
	size_t n = strlen(path);
	return strncasecmp(q->path, path, n) == 0 && (!q->path[n] || !strcmp(q->path + n, "/"));
}

static bool is_token_path(const struct emu_request *q)
{
	return is_path(q, "/metadata/identity/oauth2/token") ||
	       (q->port == EMU_APP_SERVICE && is_path(q, "/MSI/token"));
}

int identities_managed(struct identities *i, struct emu_request *q, struct emu_reply *r)
{
	scoped(identities_unlock) struct identities *held = identities_lock(i);
	struct ask a = {.i = held, .q = q, .r = r, .version = emu_query(q, "api-version")};
	if (!is_token_path(q))
		return refuse_imds(r, 404, "not_found", "There is nothing at this path");
	if (strcmp(q->method, "GET") != 0)
		return refuse_imds(r, 405, "invalid_request", "Only GET is allowed");
	if (!a.version)
		return no(
			&a, "invalid_request", "Required query variable 'api-version' is missing");
	if (q->port == EMU_ARC)
		return arc(&a);
	return q->port == EMU_APP_SERVICE ? app_service(&a) : imds(&a);
}
