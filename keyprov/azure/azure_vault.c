// SPDX-License-Identifier: MIT
// See azure_vault.h.
#include "azure_vault.h"

#include "azure_clock.h"
#include "azure_guid.h"
#include "azure_sightings.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 640
#define BEARER "Authorization: Bearer "
#define ID_HEADER "x-ms-client-request-id: "

// One question under way.
struct asking {
	struct azure_vault *v;
	const struct azure_question *q;
	struct azure_answer *a;
	struct kp_outcome *o;
	struct azure_asked asked;
	char key[480], url[URL_MAX];
	struct token_want want;
	char claims[sizeof(((struct azure_challenge *)0)->claims)];
	bool retried_fresh, retried_claims, retried_tenant;
};

void azure_answer_end(struct azure_vault *v, struct azure_answer *answer)
{
	kp_json_free(&answer->tree);
	http_reply_end(v->http, &answer->reply);
}

static void note(const struct asking *k, const char *id, uint64_t began)
{
	const struct http_reply *r = &k->a->reply;
	k->v->host->log(k->v->host, CMK_LOG_DEBUG,
		"%s %s: status %d%s, %u ms, client request %s, request %s", k->q->operation, k->key,
		r->status, r->failure ? " (no whole answer)" : "",
		(unsigned)(azure_clock_ms() - began), id,
		r->request_id[0] ? r->request_id : "unknown");
}

// One request; with bearer NULL nobody's, and then without the body, which may hold a data key.
static void send(struct asking *k, const char *bearer)
{
	char id[AZURE_GUID_LEN + 1], id_header[sizeof(ID_HEADER) + AZURE_GUID_LEN];
	azure_guid(id);
	(void)snprintf(id_header, sizeof(id_header), ID_HEADER "%s", id);
	azure_answer_end(k->v, k->a);
	struct http_request request = {
		.method = k->q->body ? "POST" : "GET",
		.url = k->url,
		.headers = {"Accept: application/json", id_header},
	};
	if (k->q->body)
		request.headers[2] = "Content-Type: application/json";
	if (bearer) {
		request.headers[k->q->body ? 3 : 2] = bearer;
		request.body = k->q->body;
		request.body_len = k->q->body_len;
	}
	uint64_t began = azure_clock_ms();
	http_do(k->v->http, &request, &k->a->reply);
	note(k, id, began);
}

static enum cmk_verdict judge(struct asking *k)
{
	k->asked.now = k->v->host->wall_time(k->v->host);
	return azure_reply_judge(
		&k->asked, k->v->config, &k->a->reply, &k->a->tree, &k->a->error, k->o);
}

static enum cmk_verdict adopt(struct asking *k, const struct azure_challenge *c)
{
	struct kp_err err;
	if (azure_challenge_check(c, k->v->url, k->v->config, &err))
		return kp_outcome_set(
			k->o, CMK_MISCONFIGURED, CMK_REASON_NONE, "%s: %s", k->key, err.text);
	(void)snprintf(k->v->tenant, sizeof(k->v->tenant), "%s", c->tenant);
	(void)snprintf(k->v->resource, sizeof(k->v->resource), "%s", c->resource);
	return CMK_GRANTED;
}

// Who signs in for this vault? Asked once, by nobody in particular.
static enum cmk_verdict learn_challenge(struct asking *k)
{
	struct azure_challenge c;
	if (k->v->resource[0])
		return CMK_GRANTED;
	send(k, NULL);
	const struct http_reply *r = &k->a->reply;
	if (r->failure || r->status != 401) {
		enum cmk_verdict v = judge(k);
		kp_json_free(&k->a->tree);
		return v != CMK_GRANTED ? v
					: kp_outcome_set(k->o, CMK_UNREACHABLE, CMK_REASON_NONE,
						  "%s: it answers without asking who we are; this "
						  "is no key vault",
						  k->key);
	}
	if (!azure_challenge_parse(r->www_authenticate, &c))
		return kp_outcome_set(k->o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: its 401 does not say where to sign in, as a vault does; a proxy may "
			"stand between",
			k->key);
	return adopt(k, &c);
}

static enum cmk_verdict ask_with_token(struct asking *k)
{
	const struct cmk_host *host = k->v->host;
	const char *token = NULL;
	k->want.resource = k->v->resource;
	k->want.tenant = k->v->tenant;
	enum cmk_verdict v = token_get(k->v->tokens, &k->want, &token, k->o);
	if (v != CMK_GRANTED) {
		char key[480];
		(void)snprintf(key, sizeof(key), "%s/keys/%s", k->v->url->origin, k->v->url->name);
		kp_err_prefix(&k->o->err, key);
		return v;
	}
	size_t room = sizeof(BEARER) + strlen(token);
	char *bearer = host->secret_alloc(host, room);
	if (!bearer)
		return kp_outcome_set(k->o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: no locked memory for a token", k->key);
	(void)snprintf(bearer, room, BEARER "%s", token);
	send(k, bearer);
	host->secret_free(host, bearer);
	return CMK_GRANTED;
}

// After a 401: whether another token may do better. Each way is tried once for a question.
static bool may_retry(struct asking *k, enum cmk_verdict *verdict)
{
	struct azure_challenge c;
	bool known = azure_challenge_parse(k->a->reply.www_authenticate, &c);
	if (known && azure_challenge_wants_claims(&c)) {
		if (k->retried_claims || !c.claims[0])
			return false;
		k->retried_claims = true;
		memcpy(k->claims, c.claims, sizeof(k->claims));
		k->want.claims = k->claims;
		k->want.fresh = true;
		return true;
	}
	if (known && c.tenant[0] && strcmp(c.tenant, k->v->tenant) != 0) {
		if (k->retried_tenant)
			return false;
		k->retried_tenant = true;
		*verdict = adopt(k, &c);
		return *verdict == CMK_GRANTED;
	}
	if (k->retried_fresh || k->retried_claims)
		return false;
	return k->want.fresh = k->retried_fresh = true;
}

static enum cmk_verdict ask_signed_in(struct asking *k)
{
	for (;;) {
		enum cmk_verdict v = ask_with_token(k);
		if (v != CMK_GRANTED)
			return v;
		v = judge(k);
		if (k->a->reply.failure || k->a->reply.status != 401 || v != CMK_DENIED)
			return v;
		if (may_retry(k, &v))
			continue;
		// The vault may have moved to another tenant: next time it is asked anew.
		k->v->resource[0] = '\0';
		return v;
	}
}

static enum cmk_verdict weigh_absence(struct asking *k)
{
	uint32_t confirm_ms = k->v->config->confirm_ms;
	uint32_t left = azure_missed(k->v->seen, k->q->version, confirm_ms);
	if (!left)
		return CMK_DENIED;
	(void)kp_outcome_set(k->o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: %s: the vault does not find a key that was there before (404 KeyNotFound, "
		"request %s); it counts as deleted if it is still missing %u s after it was first "
		"missed",
		k->key, k->q->operation, k->o->request_id[0] ? k->o->request_id : "unknown",
		(confirm_ms + 999) / 1000);
	k->o->retry_after_ms = left;
	return CMK_UNREACHABLE;
}

enum cmk_verdict azure_vault_ask(struct azure_vault *v, const struct azure_question *q,
	struct azure_answer *answer, struct kp_outcome *o)
{
	struct asking k = {.v = v, .q = q, .a = answer, .o = o};
	memset(answer, 0, sizeof(*answer));
	memset(o, 0, sizeof(*o));
	(void)snprintf(k.key, sizeof(k.key), "%s/keys/%s%s%s", v->url->origin, v->url->name,
		*q->version ? "/" : "", q->version);
	(void)snprintf(k.url, sizeof(k.url), "%s%s?api-version=%s", k.key, q->action,
		v->config->api_version);
	k.asked = (struct azure_asked){.operation = q->operation,
		.key = k.key,
		.identity = token_source_name(v->tokens),
		.unwrap = q->unwrap};
	enum cmk_verdict verdict = learn_challenge(&k);
	if (verdict == CMK_GRANTED)
		verdict = ask_signed_in(&k);
	if (verdict == CMK_GRANTED)
		azure_seen(v->seen, q->version);
	else if (verdict == CMK_DENIED && answer->reply.status == 404 &&
		 strcmp(answer->error.code, "KeyNotFound") == 0)
		verdict = weigh_absence(&k);
	else if (verdict == CMK_DENIED && o->reason == CMK_REASON_FORBIDDEN)
		token_doubt(v->tokens);
	return verdict;
}
