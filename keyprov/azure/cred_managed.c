// SPDX-License-Identifier: MIT
// Managed identities: the token service that Azure gives to a machine, in its five forms. Never
// through a proxy.
#include "cred.h"
#include "cred_reply.h"
#include "cred_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH "/metadata/identity/oauth2/token"
#define URL_ROOM 4096
#define HEADER_ROOM 8192
#define PROBE_MS 1000
#define UPDATE_WAIT_MS 10000 // between two tries while the service is being updated
#define UPDATE_MS 70000	     // how long such an update may take
#define TAIL_MS 1000	     // what a wait must leave of the callback

// How each form is asked. An identity is selected by client id, object id or resource id, under
// the names that the form has for them; NULL: it cannot be.
static const struct form {
	const char *method, *version;
	const char *header; // "Name: " of the secret, or NULL
	const char *client_id, *object_id, *resource_id;
	bool metadata; // "Metadata: true", against requests that somebody was tricked into
} forms[] = {
	[MANAGED_APP_SERVICE] = {"GET", "2019-08-01", "X-IDENTITY-HEADER: ", "client_id",
		"principal_id", "mi_res_id", false},
	[MANAGED_APP_SERVICE_2017] = {"GET", "2017-09-01", "secret: ", "clientid", NULL, NULL,
		false},
	[MANAGED_CLOUD_SHELL] = {"POST", NULL, NULL, NULL, NULL, NULL, true},
	[MANAGED_ARC] = {"GET", "2020-06-01", NULL, "client_id", "object_id", "msi_res_id", true},
	[MANAGED_IMDS] = {"GET", "2018-02-01", NULL, "client_id", "object_id", "msi_res_id", true},
};

struct call {
	struct cred_text url, header, body;
	struct http_request q;
};

static void call_end(struct call *call)
{
	cred_text_end(&call->url);
	cred_text_end(&call->header);
	cred_text_end(&call->body);
}

static void add_endpoint(const struct cred *c, struct cred_text *url)
{
	const struct azure_identity *id = &c->config->identity;
	const char *imds = cred_str(id->imds_host);
	switch (c->managed) {
	case MANAGED_APP_SERVICE:
		cred_text_add(url, id->identity_endpoint);
		break;
	case MANAGED_APP_SERVICE_2017:
	case MANAGED_CLOUD_SHELL:
		cred_text_add(url, id->msi_endpoint);
		break;
	case MANAGED_ARC:
		cred_text_add(url, *cred_str(id->identity_endpoint)
					   ? id->identity_endpoint
					   : "http://127.0.0.1:40342" PATH);
		break;
	case MANAGED_IMDS:
		cred_text_add(url, *imds ? imds : "http://169.254.169.254");
		while (url->len && url->p[url->len - 1] == '/')
			url->p[--url->len] = '\0';
		cred_text_add(url, PATH);
		break;
	}
}

// The one selector that is used: of several they name the same identity.
static struct cred_echo selector(const struct cred *c)
{
	const struct azure_identity *id = &c->config->identity;
	const struct form *f = &forms[c->managed];
	if (f->client_id && *cred_str(id->client_id))
		return (struct cred_echo){f->client_id, id->client_id};
	if (f->resource_id && *cred_str(id->resource_id))
		return (struct cred_echo){f->resource_id, id->resource_id};
	if (f->object_id && *cred_str(id->object_id))
		return (struct cred_echo){f->object_id, id->object_id};
	return (struct cred_echo){0};
}

static void add_query(const struct cred *c, const char *resource, struct cred_text *url)
{
	struct cred_echo s = selector(c);
	cred_text_add(url, strchr(url->p, '?') ? "&api-version=" : "?api-version=");
	cred_text_add(url, forms[c->managed].version);
	cred_text_add_field(url, "resource", resource);
	if (s.member)
		cred_text_add_field(url, s.member, s.value);
}

static int build(
	const struct cred *c, const struct cred_ask *ask, struct call *call, struct kp_err *err)
{
	const struct azure_identity *id = &c->config->identity;
	const struct form *f = &forms[c->managed];
	size_t n = 0;
	int ret = cred_text_new(c->host, URL_ROOM, &call->url, err);
	if (ret == 0)
		ret = cred_text_new(c->host, HEADER_ROOM, &call->header, err);
	if (ret == 0)
		ret = cred_text_new(c->host, URL_ROOM, &call->body, err);
	if (ret)
		return ret;
	add_endpoint(c, &call->url);
	// Arc's agent runs on this machine, and the proof for it is to go to nobody else.
	call->q = (struct http_request){
		.method = f->method, .direct = true, .this_host = c->managed == MANAGED_ARC};
	if (f->version) {
		add_query(c, ask->resource, &call->url);
	} else {
		cred_text_add_field(&call->body, "resource", ask->resource);
		call->q.headers[n++] = "Content-Type: application/x-www-form-urlencoded";
		call->q.body = call->body.p;
		call->q.body_len = call->body.len;
	}
	if (f->metadata)
		call->q.headers[n++] = "Metadata: true";
	if (f->header) {
		cred_text_add(&call->header, f->header);
		cred_text_add(&call->header,
			c->managed == MANAGED_APP_SERVICE ? id->identity_header : id->msi_secret);
		call->q.headers[n++] = call->header.p;
	}
	call->q.url = call->url.p;
	call->q.timeout_ms = ask->limit_ms;
	ret = cred_text_check(&call->url, err);
	return ret ? ret : cred_text_check(&call->header, err);
}

// Arc answers the first request with the name of a file that only its friends can read.
static enum cmk_verdict answer_arc(
	const struct cred *c, struct call *call, struct http_reply *r, struct kp_outcome *o)
{
	size_t n = 0;
	call->header.len = 0;
	cred_text_add(&call->header, "Authorization: Basic ");
	enum cmk_verdict v = cred_arc_key(c, r->www_authenticate, &call->header, o);
	if (v != CMK_GRANTED)
		return v;
	struct http_request again = call->q;
	while (again.headers[n])
		n++;
	again.headers[n] = call->header.p;
	http_reply_end(c->http, r);
	http_do(c->http, &again, r);
	return CMK_GRANTED;
}

// CMK_GRANTED: *r is the service's answer, or says why there is none.
static enum cmk_verdict ask_once(
	struct cred *c, struct call *call, struct http_reply *r, struct kp_outcome *o)
{
	http_do(c->http, &call->q, r);
	c->answered |= r->failure == HTTP_OK;
	if (c->managed != MANAGED_ARC || r->failure != HTTP_OK || r->status != 401)
		return CMK_GRANTED;
	return answer_arc(c, call, r, o);
}

// False if the callback has not that much time.
static bool wait_for(const struct cred *c, uint32_t ms)
{
	const struct cmk_host *host = c->host;
	if (host->time_left(host) < ms + TAIL_MS)
		return false;
	while (ms && !host->cancelled(host)) {
		uint32_t slice = ms < 200 ? ms : 200;
		c->system->sleep(c->system->ctx, slice);
		ms -= slice;
	}
	return ms == 0;
}

// What to wait before asking again after this answer, the `tries`th; 0: ask no more.
static uint32_t next_wait(
	const struct cred *c, const struct http_reply *r, unsigned tries, int64_t since_ms)
{
	static const uint16_t waits[] = {2000, 6000, 14000, 30000};
	uint32_t asked = http_retry_after_ms(r, c->host->wall_time(c->host));
	if (r->failure != HTTP_OK)
		return 0;
	if (r->status == 410)
		return since_ms + UPDATE_WAIT_MS <= UPDATE_MS ? UPDATE_WAIT_MS : 0;
	bool again = r->status == 404 || r->status == 408 || r->status == 429 || r->status >= 500;
	if (!again || tries > sizeof(waits) / sizeof(*waits))
		return 0;
	return asked > waits[tries - 1] ? asked : waits[tries - 1];
}

static enum cmk_verdict ask_patiently(struct cred *c, const struct cred_ask *ask, struct call *call,
	struct cred_token *out, struct kp_outcome *o)
{
	const struct cred_echo echo = selector(c);
	int64_t begun = c->system->boot_ms(c->system->ctx);
	for (unsigned tries = 1;; tries++) {
		struct http_reply r;
		enum cmk_verdict v = ask_once(c, call, &r, o);
		uint32_t wait = next_wait(c, &r, tries, c->system->boot_ms(c->system->ctx) - begun);
		bool good = v == CMK_GRANTED && r.failure == HTTP_OK && r.status == 200;
		if (good)
			v = cred_reply_token(
				c, &r, c->managed == MANAGED_ARC ? &echo : NULL, out, o);
		else if (v == CMK_GRANTED)
			v = cred_reply_managed(c, &r, o);
		http_reply_end(c->http, &r);
		if (good || v != CMK_UNREACHABLE || !wait)
			return v;
		if (ask->limit_ms || !wait_for(c, wait)) {
			o->retry_after_ms = wait;
			return v;
		}
	}
}

// Whether there is a metadata service at all. Without one, the address may answer nothing, and the
// chain has come here for want of anything else.
static enum cmk_verdict probe(struct cred *c, struct call *call, struct kp_outcome *o)
{
	struct http_reply r;
	struct http_request q = {
		.method = "GET", .url = call->q.url, .direct = true, .timeout_ms = PROBE_MS};
	if (c->answered || !c->chosen || c->managed != MANAGED_IMDS)
		return CMK_GRANTED;
	http_do(c->http, &q, &r);
	c->answered = r.failure == HTTP_OK;
	enum cmk_verdict v = c->answered ? CMK_GRANTED : cred_reply_managed(c, &r, o);
	http_reply_end(c->http, &r);
	return v;
}

static enum cmk_verdict ask_managed(
	struct cred *c, const struct cred_ask *ask, struct cred_token *out, struct kp_outcome *o)
{
	scoped(call_end) struct call call = {0};
	struct kp_err err = {""};
	int ret = build(c, ask, &call, &err);
	if (ret)
		return kp_outcome_set(o, ret == -ENOMEM ? CMK_UNREACHABLE : CMK_MISCONFIGURED,
			CMK_REASON_NONE, "%s", err.text);
	enum cmk_verdict v = probe(c, &call, o);
	return v == CMK_GRANTED ? ask_patiently(c, ask, &call, out, o) : v;
}

enum cmk_verdict cred_managed(
	struct cred *c, const struct cred_ask *ask, struct cred_token *out, struct kp_outcome *o)
{
	const char *application = cred_str(c->config->identity.federated_client_id);
	if (!*application)
		return ask_managed(c, ask, out, o);
	const struct cred_ask proof = {
		.resource = cred_entra_exchange_audience(c), .limit_ms = ask->limit_ms};
	struct cred_token assertion = {0};
	enum cmk_verdict v = ask_managed(c, &proof, &assertion, o);
	if (v != CMK_GRANTED)
		return v;
	v = cred_entra_exchange(c, ask, application, assertion.bearer, out, o);
	c->host->secret_free(c->host, assertion.bearer);
	return v;
}
