// SPDX-License-Identifier: MIT
// Why a token service gave no token, as a verdict and a sentence. The tables here are the whole
// truth.
#include "cred_reply.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 200

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

// A managed identity service has one code for everything; these are how each says that the identity
// is not assigned (any more): IMDS, App Service, App Service 2017.
static const char *const unassigned[] = {
	"Identity not found",
	"No User Assigned or Delegated Managed Identity found",
	"No MSI found for specified",
};

// What a service says of its refusal, fit to be shown.
struct refusal {
	bool has_error, has_text; // else the body is no refusal of the service's own
	enum cmk_verdict verdict;
	bool unassigned;
	char error[48];
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

static void show_unless_ours(const struct cred *c, char *out, size_t room, const char *s)
{
	show(out, room, s && cred_is_echo(c, s) ? "" : s);
}

static const char *first_str(const struct kp_json *j, const char *a, const char *b, const char *c)
{
	const char *s = kp_json_str(j, a);
	if (!s)
		s = kp_json_str(j, b);
	return s ? s : kp_json_str(j, c);
}

static void read_error(const struct cred *c, const char *error, struct refusal *out)
{
	out->verdict = CMK_MISCONFIGURED;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(error, errors[i].error) == 0) {
			out->verdict = errors[i].verdict;
			show(out->error, sizeof(out->error), error);
			return;
		}
	show_unless_ours(c, out->error, sizeof(out->error), error);
}

static void read_text(const struct cred *c, const char *text, struct refusal *out)
{
	for (size_t i = 0; i < sizeof(unassigned) / sizeof(*unassigned); i++)
		out->unassigned |= strcasestr(text, unassigned[i]) != NULL;
	show_unless_ours(c, out->text, sizeof(out->text), text);
	// Entra's text repeats the ids, which are told apart from it.
	char *ids = strstr(out->text, " Trace ID:");
	if (ids)
		*ids = '\0';
	size_t len = strlen(out->text);
	if (len > 0 && out->text[len - 1] == '.')
		out->text[len - 1] = '\0'; // our sentence goes on
}

static void read_refusal(const struct cred *c, struct http_reply *r, struct refusal *out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	*out = (struct refusal){.has_error = false};
	if (kp_json_parse(r->body, r->len, &j))
		return;
	const char *error = cred_str(kp_json_str(j, "error"));
	const char *text = cred_str(first_str(j, "error_description", "message", "Message"));
	out->has_error = *error;
	out->has_text = *text;
	read_error(c, error, out);
	read_text(c, text, out);
	show_unless_ours(c, out->trace, sizeof(out->trace), kp_json_str(j, "trace_id"));
	show_unless_ours(c, out->correlation, sizeof(out->correlation),
		first_str(j, "correlation_id", "correlationId", "CorrelationId"));
}

static enum cmk_verdict no_reply(
	const struct cred *c, const struct http_reply *r, struct kp_outcome *o)
{
	// A URL that may not be asked stays one; all else says nothing about the identity.
	enum cmk_verdict v = r->failure == HTTP_REFUSED_URL ? CMK_MISCONFIGURED : CMK_UNREACHABLE;
	return kp_outcome_set(o, v, CMK_REASON_NONE, "no token for the %s: %s%s%s", c->name,
		r->err.text, *c->unused ? "; not used: " : "", c->unused);
}

static void set_ids(const struct cred *c, const struct http_reply *r, struct kp_outcome *o)
{
	if (*r->request_id)
		(void)snprintf(o->request_id, sizeof(o->request_id), "%s", r->request_id);
	o->retry_after_ms = http_retry_after_ms(r, c->host->wall_time(c->host));
}

// A verdict of the status alone: the service is there, but not now.
static enum cmk_verdict not_now(
	const struct cred *c, const struct http_reply *r, struct kp_outcome *o)
{
	const char *why = r->status == 429   ? "too many requests"
			  : r->status == 410 ? "the service is being updated"
			  : r->status >= 500 ? "the service failed"
			  : r->status / 100 == 3
				  ? "a redirection, which is not followed with credentials"
				  : "not an answer of the token service's own";
	(void)kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
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
		       : "try again later";
}

static enum cmk_verdict refused(const struct cred *c, const struct http_reply *r,
	const struct refusal *f, enum cmk_verdict v, const char *what_now, struct kp_outcome *o)
{
	(void)kp_outcome_set(o, v, CMK_REASON_IDENTITY,
		"the token service refuses the %s: %s; %s%s%s%s%s%s%s%s%s", c->name,
		*f->error ? f->error : "no error code", what_now, *c->unused ? "; not used: " : "",
		c->unused, *f->text ? "; it says: " : "", f->text, *f->trace ? ", trace id " : "",
		f->trace, *f->correlation ? ", correlation id " : "", f->correlation);
	set_ids(c, r, o);
	return v;
}

static bool is_not_now(int status)
{
	return status == 408 || status == 429 || status >= 500 || status / 100 != 4;
}

enum cmk_verdict cred_reply_entra(const struct cred *c, struct http_reply *r, struct kp_outcome *o)
{
	struct refusal f;
	if (r->failure != HTTP_OK)
		return no_reply(c, r, o);
	if (is_not_now(r->status))
		return not_now(c, r, o);
	read_refusal(c, r, &f);
	if (!f.has_error)
		return not_now(c, r, o);
	return refused(c, r, &f, f.verdict, advice(f.verdict), o);
}

enum cmk_verdict cred_reply_managed(
	const struct cred *c, struct http_reply *r, struct kp_outcome *o)
{
	struct refusal f;
	if (r->failure != HTTP_OK)
		return no_reply(c, r, o);
	if (is_not_now(r->status) || r->status == 404 || r->status == 410)
		return not_now(c, r, o);
	read_refusal(c, r, &f);
	if (!f.has_error && !f.has_text)
		return not_now(c, r, o);
	if (f.unassigned)
		return refused(c, r, &f, CMK_DENIED,
			"assign it to this machine; if it was assigned again just now, that can "
			"take some minutes",
			o);
	return refused(c, r, &f, f.verdict,
		f.verdict == CMK_MISCONFIGURED
			? "name the identity by client id, object id or resource id if there are "
			  "several"
			: advice(f.verdict),
		o);
}
