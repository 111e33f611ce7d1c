// SPDX-License-Identifier: MIT
// Showing a PIN to a token. Each wrong one brings it nearer to locking itself, so all reasons not
// to are looked at before.
#ifndef CMK_P11_LOGIN_H
#define CMK_P11_LOGIN_H

#include "p11_session.h"

// As CKU_USER, or as CKU_CONTEXT_SPECIFIC for a key that wants it again (CKA_ALWAYS_AUTHENTICATE).
// Gets the PIN if the session has none yet. CMK_DENIED (identity): refused now or before, a process
// hung or crashed when it showed it, the token has locked it, or only one try is left.
// CMK_MISCONFIGURED: none is known. CMK_UNREACHABLE: the answer says nothing about the PIN; a
// second one of the kind for a PIN that was never taken counts as a refusal, and so does one after
// which the token has come to warn of wrong PINs. s->pin_failed tells that the PIN was shown for
// nothing and must wait for the next question; not so for one that was taken before, of which the
// answer said nothing.
enum cmk_verdict p11_login(const struct p11_context *c, struct p11_session *s, CK_USER_TYPE user,
	struct kp_outcome *o) must_use;

#endif
