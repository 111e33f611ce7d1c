// SPDX-License-Identifier: MIT
// What token services answer: a token, or why not.
#ifndef CMK_AZURE_CRED_REPLY_H
#define CMK_AZURE_CRED_REPLY_H

#include "cred.h"
#include "kp_json.h"

// The identity that a managed identity's reply must name, or NULL members.
struct cred_echo {
	const char *member, *value;
};

// A reply of status 200. Not granted: CMK_UNREACHABLE, as something else than the service may have
// answered; CMK_MISCONFIGURED if the echo differs.
enum cmk_verdict cred_reply_token(const struct cred *c, struct http_reply *r,
	const struct cred_echo *echo, struct cred_token *out, struct kp_outcome *o) must_use;

// Any other reply or none, of Entra (RFC 6749 section 5.2) or of a managed identity service. Acts
// on `error` and the status; never on Entra's texts.
enum cmk_verdict cred_reply_entra(const struct cred *c, struct http_reply *r, struct kp_outcome *o);
enum cmk_verdict cred_reply_managed(
	const struct cred *c, struct http_reply *r, struct kp_outcome *o);

// Whether a text holds a secret that we sign in with, in any way of writing it, or what looks like
// one: it is not to be shown.
bool cred_is_echo(const struct cred *c, const char *text);

// Unix seconds, or a date as App Service writes it ("1/31/2027 11:05:09 PM +00:00") or RFC 3339 in
// UTC. 0 if it is neither.
int64_t cred_reply_date(const char *text);

#endif
