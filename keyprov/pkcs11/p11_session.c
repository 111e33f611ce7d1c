// SPDX-License-Identifier: MIT
// See p11_session.h.
#include "p11_session.h"

#include "p11_login.h"
#include "p11_rv.h"
#include "p11_token.h"

#include <string.h>

static enum cmk_verdict open_session(struct p11_session *s, bool read_write, struct kp_outcome *o)
{
	if (read_write && (s->token.flags & CKF_WRITE_PROTECTED))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s is write-protected: keys in it can be used, but neither made nor "
			"changed",
			s->where);
	CK_FLAGS flags = CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0);
	CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
	CK_RV rv = s->f->C_OpenSession(s->slot, flags, NULL, NULL, &handle);
	if (rv != CKR_OK)
		return p11_session_failed(s, rv, "C_OpenSession", o);
	s->handle = handle;
	return CMK_GRANTED;
}

enum cmk_verdict p11_session_begin(
	const struct p11_context *c, bool read_write, struct p11_session *out, struct kp_outcome *o)
{
	struct p11_token token;
	memset(out, 0, sizeof(*out));
	enum cmk_verdict v = p11_token_find(c->config, c->modules, &token, &out->lost, o);
	if (v != CMK_GRANTED)
		return v;
	out->f = token.f;
	out->slot = token.slot;
	out->token = token.info;
	out->unseen = token.unseen;
	memcpy(out->where, token.where, sizeof(out->where));
	v = open_session(out, read_write, o);
	if (v == CMK_GRANTED)
		v = token.info.flags & CKF_LOGIN_REQUIRED ? p11_login(c, out, CKU_USER, o) : v;
	return v;
}

void p11_session_end(const struct p11_context *c, struct p11_session *s)
{
	// Whoever closes the last session is logged out by that (PKCS #11, C_CloseSession). What it
	// answers changes nothing: a session that is gone is closed.
	if (s->handle != CK_INVALID_HANDLE)
		(void)s->f->C_CloseSession(s->handle);
	s->handle = CK_INVALID_HANDLE;
	p11_pin_free(c->host, &s->pin);
}

static enum cmk_verdict passed_over(struct p11_session *s, struct kp_outcome *o)
{
	char why[P11_RV_TEXT];
	s->lost = s->unseen;
	p11_rv_name(s->unseen, why);
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: no such key is seen, but another slot or module cannot be looked at (%s), and "
		"may hold another token that the key URL means; mend that one, or name the token "
		"with serial= in the key URL",
		s->where, why);
}

static enum cmk_verdict session_gone(struct p11_session *s, CK_RV rv, struct kp_outcome *o)
{
	char why[P11_RV_TEXT];
	s->lost = rv;
	p11_rv_name(rv, why);
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: no such key is seen, but the session itself is not there any more "
		"(C_GetSessionInfo said %s); look whether the HSM was started anew",
		s->where, why);
}

enum cmk_verdict p11_session_sees_all(struct p11_session *s, struct kp_outcome *o)
{
	CK_SESSION_INFO info = {0};
	if (s->unseen != CKR_OK)
		return passed_over(s, o);
	CK_RV rv = s->f->C_GetSessionInfo(s->handle, &info);
	if (rv == CKR_FUNCTION_NOT_SUPPORTED)
		return CMK_GRANTED;
	if (rv != CKR_OK)
		return session_gone(s, rv, o);
	bool public = info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RW_PUBLIC_SESSION;
	if (!public || !(s->token.flags & CKF_LOGIN_REQUIRED))
		return CMK_GRANTED;
	s->lost = CKR_USER_NOT_LOGGED_IN;
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: no such key is seen, but the token has forgotten the login, and shows its "
		"keys to nobody else; look whether it was reset",
		s->where);
}

enum cmk_verdict p11_session_failed(
	struct p11_session *s, CK_RV rv, const char *call, struct kp_outcome *o)
{
	if (p11_rv_is_lost(rv))
		s->lost = rv;
	return p11_rv_verdict(rv, s->where, call, o);
}
