// SPDX-License-Identifier: MIT
// Finding the one token that a key URL means, among all slots of all modules.
#ifndef CMK_P11_TOKEN_H
#define CMK_P11_TOKEN_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_config.h"
#include "p11_module.h"

#define P11_WHERE 160

// Text of a token's for sentences and prompts: what is not printable ASCII, and '"', becomes '?',
// for whoever names a token or a key must not command a terminal. At most room - 1 chars and a NUL.
void p11_plain_text(const void *text, size_t len, char *out, size_t room);

struct p11_token {
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;    // texts padded with blanks, as they ought to be
	char where[P11_WHERE]; // token "LABEL" (serial SERIAL, module NAME), for sentences
	// What a slot or a module said that could not be looked at, and may hold another token that
	// the URI matches; CKR_OK: there is none, or the URI names the serial number.
	CK_RV unseen;
};

// Verdicts as p11_session_begin(). *lost: what showed that a module needs a new start
// (p11_rv_is_lost()), or CKR_OK.
enum cmk_verdict p11_token_find(const struct p11_config *config, const struct p11_modules *modules,
	struct p11_token *out, CK_RV *lost, struct kp_outcome *o) must_use;

#endif
