// SPDX-License-Identifier: MIT
// Why a token service gave no token, as a verdict and a sentence. The tables here are the whole
// truth.
#include "cred_reply.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 200

// What a service says of its refusal, fit to be shown.
struct refusal {
	char error[48];	     // "" if the body is no refusal of the service's own
	char text[TEXT_MAX]; // the first line of the description
	char trace[48], correlation[48];
};

// Copies what can be shown: one line, no control characters, cut at a whole UTF-8 character.
static void show(char *out, size_t room, const char *s)
{
	size_t n = 0;
	for (; s && *s && *s != '\r' && *s != '\n' && n + 1 < room; s++)
		out[n++] = (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s;
	if (s && ((unsigned char)*s & 0xc0u) == 0x80)
		while (n && ((unsigned char)out[n - 1] & 0xc0u) == 0x80)
			n--;
	if (n && (unsigned char)out[n - 1] >= 0xc0u)
		n--;
	out[n] = '\0';
}

static const char *first_str(const struct kp_json *j, const char *a, const char *b, const char *c)
{
	const char *s = kp_json_str(j, a);
	if (!s)
		s = kp_json_str(j, b);
	return s ? s : kp_json_str(j, c);
}

static void read_refusal(const struct cred *c, struct http_reply *r, struct refusal *out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	const char *mine = cred_str(c->config->identity.client_secret);
	*out = (struct refusal){0};
	// A service that repeats what it was sent must not bring it into the log.
	if (*mine && strstr(r->body, mine)) {
		show(out->error, sizeof(out->error), "refused");
		return;
	}
	if (kp_json_parse(r->body, r->len, &j))
		return;
	show(out->error, sizeof(out->error), kp_json_str(j, "error"));
	show(out->text, sizeof(out->text), first_str(j, "error_description", "message", "Message"));
	// Entra's text repeats the ids, which are told apart from it.
	char *ids = strstr(out->text, " Trace ID:");
	if (ids)
		*ids = '\0';
	show(out->trace, sizeof(out->trace), kp_json_str(j, "trace_id"));
	show(out->correlation, sizeof(out->correlation),
		first_str(j, "correlation_id", "correlationId", "CorrelationId"));
}

static enum cmk_verdict no_reply(
	const struct cred *c, const struct http_reply *r, struct azure_outcome *o)
{
	// A URL that may not be asked stays one; all else says nothing about the identity.
	enum cmk_verdict v = r->failure == HTTP_REFUSED_URL ? CMK_MISCONFIGURED : CMK_UNREACHABLE;
	return azure_outcome_set(o, v, CMK_REASON_NONE, "no token for the %s: %s%s%s", c->name,
		r->err.text, *c->unused ? "; not used: " : "", c->unused);
}

static void set_ids(const struct cred *c, const struct http_reply *r, struct azure_outcome *o)
{
	if (*r->request_id)
		(void)snprintf(o->request_id, sizeof(o->request_id), "%s", r->request_id);
	o->retry_after_ms = http_retry_after_ms(r, c->host->wall_time(c->host));
}

// A verdict of the status alone: the service is there, but not now.
static enum cmk_verdict not_now(
	const struct cred *c, const struct http_reply *r, struct azure_outcome *o)
{
	const char *why = r->status == 429   ? "too many requests"
			  : r->status == 410 ? "the service is being updated"
			  : r->status >= 500 ? "the service failed"
			  : r->status / 100 == 3
				  ? "a redirection, which is not followed with credentials"
				  : "not an answer of the token service's own";
	(void)azure_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no token for the %s: HTTP status %d (%s)%s%s", c->name, r->status, why,
		*c->unused ? "; not used: " : "", c->unused);
	set_ids(c, r, o);
	return CMK_UNREACHABLE;
}

static const char *advice(enum cmk_verdict v)
{
	return v == CMK_DENIED ? "renew the credential or restore the identity"
	       : v == CMK_MISCONFIGURED
		       ? "compare tenant, application and vault with those in Azure"
		       : "it will be asked again";
}

static enum cmk_verdict refused(const struct cred *c, const struct http_reply *r,
	const struct refusal *f, enum cmk_verdict v, const char *what_now, struct azure_outcome *o)
{
	(void)azure_outcome_set(o, v, CMK_REASON_IDENTITY,
		"the token service refuses the %s: %s; %s%s%s%s%s%s%s%s%s", c->name,
		*f->error ? f->error : "no error code", what_now, *c->unused ? "; not used: " : "",
		c->unused, *f->text ? "; it says: " : "", f->text, *f->trace ? ", trace id " : "",
		f->trace, *f->correlation ? ", correlation id " : "", f->correlation);
	set_ids(c, r, o);
	return v;
}

// RFC 6749 section 5.2 and Entra's own. Any other is a mistake in the request: CMK_MISCONFIGURED.
static const struct {
	const char *error;
	enum cmk_verdict verdict;
} errors[] = {
	{"invalid_client", CMK_DENIED},	     // the credential is wrong, has ended or was removed
	{"unauthorized_client", CMK_DENIED}, // no such application, or disabled
	{"invalid_grant", CMK_DENIED},	     // an assertion that is no longer trusted, or a policy
	{"temporarily_unavailable", CMK_UNREACHABLE},
	{"server_error", CMK_UNREACHABLE},
};

static enum cmk_verdict by_error(const char *error)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(error, errors[i].error) == 0)
			return errors[i].verdict;
	return CMK_MISCONFIGURED;
}

static bool is_not_now(int status)
{
	return status == 408 || status == 429 || status >= 500 || status / 100 != 4;
}

enum cmk_verdict cred_reply_entra(
	const struct cred *c, struct http_reply *r, struct azure_outcome *o)
{
	struct refusal f;
	if (r->failure != HTTP_OK)
		return no_reply(c, r, o);
	if (is_not_now(r->status))
		return not_now(c, r, o);
	read_refusal(c, r, &f);
	if (!*f.error)
		return not_now(c, r, o);
	enum cmk_verdict v = by_error(f.error);
	return refused(c, r, &f, v, advice(v), o);
}

// A managed identity service has one code for everything; these are how each says that the identity
// is not assigned (any more): IMDS, App Service, App Service 2017.
static const char *const unassigned[] = {
	"Identity not found",
	"No User Assigned or Delegated Managed Identity found",
	"No MSI found for specified",
};

static bool is_unassigned(const char *text)
{
	for (size_t i = 0; i < sizeof(unassigned) / sizeof(*unassigned); i++)
		if (strcasestr(text, unassigned[i]))
			return true;
	return false;
}

enum cmk_verdict cred_reply_managed(
	const struct cred *c, struct http_reply *r, struct azure_outcome *o)
{
	struct refusal f;
	if (r->failure != HTTP_OK)
		return no_reply(c, r, o);
	if (is_not_now(r->status) || r->status == 404 || r->status == 410)
		return not_now(c, r, o);
	read_refusal(c, r, &f);
	if (!*f.error && !*f.text)
		return not_now(c, r, o);
	if (is_unassigned(f.text))
		return refused(c, r, &f, CMK_DENIED,
			"assign it to this machine; if it was assigned again just now, that can "
			"take some minutes",
			o);
	enum cmk_verdict v = by_error(f.error);
	return refused(c, r, &f, v,
		v == CMK_MISCONFIGURED ? "name the identity by client id, object id or resource id "
					 "if there are several"
				       : advice(v),
		o);
}
