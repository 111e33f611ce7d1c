// SPDX-License-Identifier: MIT
// One look at a token: find it, open a session, log in. Nothing is kept from one question to the
// next but the loaded modules: a session or a handle that has outlived its token may point to
// another key.
#ifndef CMK_P11_SESSION_H
#define CMK_P11_SESSION_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_config.h"
#include "p11_module.h"
#include "p11_pin_memory.h"
#include "p11_token.h"

#include <stdbool.h>

struct p11_session {
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE handle;
	CK_TOKEN_INFO token;
	char where[P11_WHERE]; // token "LABEL" (serial SERIAL, module NAME), for sentences
	struct p11_pin pin;    // for keys that want it again at each use (CKA_ALWAYS_AUTHENTICATE)
	bool pin_failed;       // it was shown for nothing: not again before the next question
	CK_RV lost;   // not CKR_OK: the call that failed shows that the module needs a new start
	CK_RV unseen; // see struct p11_token
};

// What it takes.
struct p11_context {
	const struct cmk_host *host;
	const struct p11_config *config;
	struct p11_modules *modules;
	struct p11_pin_memory *pin_memory;
};

// Looks through all slots of all modules for the one token that the URI matches (token,
// manufacturer, serial, model; slot-id, slot-description, slot-manufacturer; library-*), opens a
// session (read-only unless read_write) and logs in as the user where the token asks for that; a
// token of which the URI says nothing is only taken if it is the only one that is initialised.
// CMK_UNREACHABLE: no token matches, or the slot does not answer; CMK_MISCONFIGURED: several match
// (the sentence lists them), or a PIN is needed and there is none; CMK_DENIED (identity): the PIN
// is refused, locked, expired, or only one try is left, which is never used up here; see
// p11_login.h. CKR_USER_ALREADY_LOGGED_IN is success. *out needs p11_session_end() in either case.
enum cmk_verdict p11_session_begin(const struct p11_context *c, bool read_write,
	struct p11_session *out, struct kp_outcome *o) must_use;
void p11_session_end(const struct p11_context *c, struct p11_session *s);

// That it finds no key in this session means that there is none: the session lives, is the user's
// if the token wants a login (whatever the token said to C_Login: private keys are not there for
// others), and no slot was passed over that may hold the token that is meant. Else CMK_UNREACHABLE.
enum cmk_verdict p11_session_sees_all(struct p11_session *s, struct kp_outcome *o) must_use;

// p11_rv_verdict() for a call in this session, remembering what p11_rv_is_lost().
enum cmk_verdict p11_session_failed(
	struct p11_session *s, CK_RV rv, const char *call, struct kp_outcome *o) must_use;

#endif
