// SPDX-License-Identifier: MIT
// See azure_reply.h.
#include "azure_reply.h"

#include "azure_challenge.h"
#include "azure_config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOW_MAX 160

static bool is_json(const struct http_reply *r)
{
	static const char type[] = "application/json";
	size_t n = sizeof(type) - 1;
	return strncasecmp(r->content_type, type, n) == 0 &&
	       (!r->content_type[n] || strchr("; \t", r->content_type[n]));
}

// For people: one line of printable ASCII.
static void show(char *out, size_t room, const char *text)
{
	size_t n = 0;
	for (; *text && n + 1 < room && n < SHOW_MAX; text++) {
		bool blank = (unsigned char)*text <= ' ' || *text == 0x7f;
		if (!blank)
			out[n++] = (char)((unsigned char)*text < 0x7f ? *text : '?');
		else if (n && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	out[n] = '\0';
}

bool azure_error_read(const struct http_reply *reply, struct azure_error *e)
{
	scoped(kp_json_free) struct kp_json *tree = NULL;
	*e = (struct azure_error){0};
	if (!is_json(reply) || !reply->len || kp_json_parse(reply->body, reply->len, &tree))
		return false;
	const struct kp_json *error = kp_json_get(tree, "error");
	const char *code = kp_json_str(error, "code");
	const char *message = kp_json_str(error, "message");
	const char *inner = kp_json_str(kp_json_get(error, "innererror"), "code");
	show(e->code, sizeof(e->code), code ? code : "");
	if (!e->code[0])
		return false;
	show(e->inner, sizeof(e->inner), inner ? inner : "");
	show(e->message, sizeof(e->message), message ? message : "");
	return true;
}

struct judge {
	const struct azure_asked *asked;
	const struct http_reply *reply;
	const struct azure_error *e;
	struct kp_outcome *o;
};

// "KEY: OPERATION: 403 Forbidden/KeyDisabled, request ID: " and then what it means.
static enum cmk_verdict say(
	const struct judge *j, enum cmk_verdict verdict, enum cmk_reason reason, const char *means)
{
	const struct azure_error *e = j->e;
	const char *id = j->reply->request_id;
	return kp_outcome_set(j->o, verdict, reason,
		"%s: %s: the vault answered %d%s%s%s%s%s%s: %s", j->asked->key, j->asked->operation,
		j->reply->status, e->code[0] ? " " : "", e->code, e->inner[0] ? "/" : "", e->inner,
		id[0] ? ", request " : "", id, means);
}

struct refusal {
	const char *inner;
	enum cmk_reason reason;
	const char *means;
};

static const struct refusal refusals[] = {
	{"KeyDisabled", CMK_REASON_DISABLED,
		"this key version is disabled; enable it to use it again"},
	{"KeyOperationForbidden", CMK_REASON_NOT_PERMITTED,
		"the key's permitted operations (key_ops) leave this one out; add it to the key"},
	{"ForbiddenByPolicy", CMK_REASON_FORBIDDEN,
		"the vault's access policy does not allow it; grant get, wrapKey and unwrapKey"},
	{"AccessDenied", CMK_REASON_FORBIDDEN,
		"the vault's access policy does not allow it; grant get, wrapKey and unwrapKey"},
	{"ForbiddenByRbac", CMK_REASON_FORBIDDEN,
		"no role allows it; check the key's name, and assign Key Vault Crypto Service "
		"Encryption User (a new assignment takes minutes)"},
	{"KeyExpired", CMK_REASON_NOT_PERMITTED,
		"this key version has expired; make a new version, or change its date"},
	{"KeyNotYetValid", CMK_REASON_NOT_PERMITTED,
		"this key version is not yet valid; wait, or change its date"},
};

static enum cmk_verdict forbidden(const struct judge *j, const struct azure_config *config)
{
	const char *inner = j->e->inner;
	char means[400];
	if (strcmp(inner, "ForbiddenByFirewall") == 0 ||
		strcmp(inner, "ForbiddenByConnection") == 0)
		return say(j, config->firewall, CMK_REASON_FORBIDDEN,
			"the vault's network rules keep this host out; allow its address or its "
			"private link");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (strcmp(refusals[i].inner, inner) == 0) {
			(void)snprintf(means, sizeof(means), "%s%s%s", refusals[i].means,
				refusals[i].reason == CMK_REASON_FORBIDDEN ? "; asked by the " : "",
				refusals[i].reason == CMK_REASON_FORBIDDEN ? j->asked->identity
									   : "");
			return say(j, CMK_DENIED, refusals[i].reason, means);
		}
	(void)snprintf(means, sizeof(means),
		"'%s'; check the key's dates and state, and what the %s may do with it",
		j->e->message, j->asked->identity);
	return say(j, CMK_DENIED, CMK_REASON_FORBIDDEN, means);
}

static enum cmk_verdict not_found(const struct judge *j, const struct azure_config *config)
{
	if (strcmp(j->e->code, "KeyNotFound") == 0)
		return say(j, CMK_DENIED, CMK_REASON_DELETED,
			"there is no such key or version; check the name, and recover it if it was "
			"deleted (a key recovered seconds ago may need another try)");
	if (strcmp(j->e->code, "VaultNotFound") == 0)
		return say(j, config->no_host, CMK_REASON_DELETED,
			"there is no such vault; check its name and private DNS, and recover the "
			"vault if it was deleted");
	return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
		"this says nothing about the key; check the key URL and what stands between");
}

// Gateways ask for sign-ins, too, and some give their refusals the same form; a vault's own has its
// code or number in the body, or names in a Bearer challenge where to sign in or what for.
static bool asks_for_sign_in(const struct judge *j)
{
	struct azure_challenge c;
	if (strcmp(j->e->code, "Unauthorized") == 0 || strncmp(j->e->message, "AKV", 3) == 0)
		return true;
	return azure_challenge_parse(j->reply->www_authenticate, &c) &&
	       (c.authority[0] || azure_challenge_wants_claims(&c));
}

static enum cmk_verdict not_signed_in(const struct judge *j)
{
	char means[300];
	// A new signing key of the authority takes a while to reach every vault.
	if (strncmp(j->e->message, "AKV10046", 8) == 0)
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"the vault does not yet know the key that signed our token; try "
			"again later");
	if (!asks_for_sign_in(j))
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"this is not how a vault asks for a sign-in; a proxy may stand between");
	(void)snprintf(means, sizeof(means),
		"a fresh token of the %s was refused%s%s%s; check that it still exists, in the "
		"vault's tenant",
		j->asked->identity, j->e->message[0] ? " ('" : "", j->e->message,
		j->e->message[0] ? "')" : "");
	return say(j, CMK_DENIED, CMK_REASON_IDENTITY, means);
}

static enum cmk_verdict bad_request(const struct judge *j)
{
	char means[400];
	if (j->asked->unwrap && strcmp(j->e->code, "BadParameter") == 0) {
		(void)snprintf(means, sizeof(means),
			"'%s'; these wrapped bytes are not the work of this key version",
			j->e->message);
		return say(j, CMK_BAD_BLOB, CMK_REASON_NONE, means);
	}
	(void)snprintf(means, sizeof(means),
		"'%s'; check the key's type, and alg and apiVersion in the key set's cmkdisk.azure",
		j->e->message);
	return say(j, CMK_MISCONFIGURED, CMK_REASON_NONE, means);
}

static enum cmk_verdict later(const struct judge *j)
{
	switch (j->reply->status) {
	case 409:
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"another change of the key is under way; nothing need be done");
	case 408:
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"the request was too slow for it; check the network");
	case 429:
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"too many requests to this vault at once; try again later");
	default:
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"the service has a fault; try again later");
	}
}

static enum cmk_verdict strange(const struct judge *j)
{
	char means[300];
	const char *type = j->reply->content_type;
	(void)snprintf(means, sizeof(means),
		"this is not a vault's own answer (%zu bytes of %.60s); a proxy or a sign-in page "
		"may stand between",
		j->reply->len, type[0] ? type : "no type");
	return say(j, CMK_UNREACHABLE, CMK_REASON_NONE, means);
}

// Of a vault's own; a gateway's code ("WAFBlocked") is another.
static bool is_refusal(const char *code)
{
	return strcmp(code, "Forbidden") == 0 || strcmp(code, "AccessDenied") == 0;
}

static enum cmk_verdict no_reply(const struct judge *j, const struct azure_config *config)
{
	enum cmk_verdict verdict = CMK_UNREACHABLE;
	if (j->reply->failure == HTTP_NO_HOST)
		verdict = config->no_host;
	else if (j->reply->failure == HTTP_REFUSED_URL)
		verdict = CMK_MISCONFIGURED;
	return kp_outcome_set(j->o, verdict, CMK_REASON_DELETED, "%s: %s: %s", j->asked->key,
		j->asked->operation, j->reply->err.text);
}

static enum cmk_verdict refused(
	const struct judge *j, const struct azure_config *config, bool own_error)
{
	int status = j->reply->status;
	if (status == 401)
		return not_signed_in(j);
	if (status == 408 || status == 429 || status >= 500)
		return later(j);
	if (status >= 300 && status < 400)
		return say(j, CMK_UNREACHABLE, CMK_REASON_NONE,
			"it points elsewhere, which is not followed; check the key URL and what "
			"stands between");
	if (!own_error || status < 400)
		return strange(j);
	switch (status) {
	case 400:
		return bad_request(j);
	case 403:
		return is_refusal(j->e->code) ? forbidden(j, config) : strange(j);
	case 404:
		return not_found(j, config);
	case 409:
		return later(j);
	default:
		return bad_request(j);
	}
}

enum cmk_verdict azure_reply_judge(const struct azure_asked *asked,
	const struct azure_config *config, struct http_reply *reply, struct kp_json **tree,
	struct azure_error *e, struct kp_outcome *o)
{
	const struct judge j = {.asked = asked, .reply = reply, .e = e, .o = o};
	*e = (struct azure_error){0};
	(void)snprintf(o->request_id, sizeof(o->request_id), "%s", reply->request_id);
	if (reply->failure)
		return no_reply(&j, config);
	if (reply->status == 200) {
		scoped(kp_json_free) struct kp_json *root = NULL;
		if (!is_json(reply) || kp_json_parse(reply->body, reply->len, &root) ||
			!kp_json_is_object(root))
			return strange(&j);
		*tree = TAKE(root);
		return kp_outcome_set(o, CMK_GRANTED, CMK_REASON_NONE, "%s", "");
	}
	bool own_error = azure_error_read(reply, e);
	enum cmk_verdict verdict = refused(&j, config, own_error);
	if (verdict == CMK_UNREACHABLE)
		o->retry_after_ms = http_retry_after_ms(reply, asked->now);
	// The service is known not to say how long; its guide begins with a second.
	if (reply->status == 429 && !o->retry_after_ms)
		o->retry_after_ms = 1000;
	return verdict;
}
