// SPDX-License-Identifier: MIT
// See p11_login.h.
#include "p11_login.h"

#include "p11_rv.h"

#include <stdio.h>
#include <string.h>

#define WARNINGS (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)

// One PIN on its way to the token.
struct login {
	const struct p11_context *c;
	struct p11_session *s;
	CK_USER_TYPE user;
	char key[P11_FINGERPRINT];
	struct p11_pin_record before;
};

// What the token says by itself about its user's PIN, without one being tried.
static enum cmk_verdict check_flags(const struct p11_session *s, struct kp_outcome *o)
{
	if (s->token.flags & CKF_USER_PIN_LOCKED)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_IDENTITY,
			"%s has locked its user PIN after too many wrong ones; its security "
			"officer must set a new one",
			s->where);
	if (s->token.flags & CKF_USER_PIN_FINAL_TRY)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_IDENTITY,
			"%s locks its user PIN at the next wrong one, so none is tried here; log "
			"in with the right PIN once by another program, which gives it all its "
			"tries back",
			s->where);
	return CMK_GRANTED;
}

static enum cmk_verdict get_pin(const struct login *l, struct kp_outcome *o)
{
	if (l->s->pin.text)
		return CMK_GRANTED;
	enum cmk_verdict v = p11_pin_get(l->c->host, l->c->config, &l->s->pin, o);
	if (v != CMK_GRANTED || l->s->pin.text ||
		(l->s->token.flags & CKF_PROTECTED_AUTHENTICATION_PATH))
		return v;
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s wants a PIN and none is known; name a file that holds it with pin-source in "
		"the key URL, or start the command from a terminal",
		l->s->where);
}

// "the PIN in FILE", and what gives it another try.
static void describe(const struct login *l, char pin[256], const char **mend)
{
	const struct p11_config *config = l->c->config;
	if (!l->s->pin.text) {
		(void)snprintf(pin, 256, "the PIN from its own keypad");
		*mend = "start the command, or mount the disk, anew";
	} else if (config->pin) {
		(void)snprintf(pin, 256, "the PIN that was given");
		*mend = "give the right one to a new command or mount";
	} else {
		(void)snprintf(pin, 256, "the PIN in %.200s", config->pin_source);
		*mend = "write the right one into that file, or touch the file to have it shown "
			"once more";
	}
}

static enum cmk_verdict may_be_shown(struct login *l, struct kp_outcome *o)
{
	char name[P11_RV_TEXT], pin[256];
	const char *mend;
	describe(l, pin, &mend);
	if (l->before.state == P11_PIN_REFUSED) {
		p11_rv_name(l->before.rv, name);
		// Anew, so that it is not the oldest that the host keeps.
		p11_pin_note(l->c->pin_memory, l->c->host, l->key, P11_PIN_REFUSED, l->before.rv);
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_IDENTITY,
			"%s refused %s (%s), and is not shown it again; %s", l->s->where, pin, name,
			mend);
	}
	if (p11_pin_is_being_shown(&l->before))
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: another process is just showing it %s; what comes of that is waited "
			"for",
			l->s->where, pin);
	if (l->before.state == P11_PIN_TRIED)
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_IDENTITY,
			"%s: the module hung or crashed when it was shown %s, which may have been "
			"counted as a wrong one; it is not shown again; look into the module's own "
			"log, then %s",
			l->s->where, pin, mend);
	return CMK_GRANTED;
}

// Whether the token has come to warn of wrong PINs since before.
static bool warns(const struct p11_session *s)
{
	CK_TOKEN_INFO now;
	memset(&now, 0, sizeof(now));
	return s->f->C_GetTokenInfo(s->slot, &now) == CKR_OK &&
	       (now.flags & ~s->token.flags & WARNINGS);
}

static void note(struct login *l, enum p11_pin_state state, CK_RV rv)
{
	p11_pin_note(l->c->pin_memory, l->c->host, l->key, state, rv);
}

// The token said neither that the PIN is wrong nor that it never came.
static enum cmk_verdict doubt(struct login *l, CK_RV rv, struct kp_outcome *o)
{
	char name[P11_RV_TEXT], pin[256];
	const char *mend;
	bool warned = warns(l->s);
	// Of a PIN that was taken before, an answer like this tells of the token's troubles, which
	// may be over at a second look: SoftHSM answers so while another process writes its token.
	if (!warned && l->before.state != P11_PIN_DOUBTED) {
		l->s->pin_failed = l->before.state != P11_PIN_GOOD;
		if (l->before.state == P11_PIN_UNKNOWN)
			note(l, P11_PIN_DOUBTED, rv);
		return p11_session_failed(l->s, rv, "C_Login", o);
	}
	note(l, P11_PIN_REFUSED, rv);
	describe(l, pin, &mend);
	p11_rv_name(rv, name);
	return kp_outcome_set(o, CMK_DENIED, CMK_REASON_IDENTITY,
		"%s: C_Login said %s to %s, %s; it is not shown again; %s", l->s->where, name, pin,
		warned ? "and now the token warns of wrong PINs"
		       : "as before, which may be its way to say that it is wrong",
		mend);
}

static enum cmk_verdict show(struct login *l, struct kp_outcome *o)
{
	struct p11_session *s = l->s;
	if (l->before.state != P11_PIN_GOOD)
		note(l, P11_PIN_TRIED, CKR_OK);
	CK_RV rv = s->f->C_Login(
		s->handle, l->user, (CK_UTF8CHAR_PTR)s->pin.text, (CK_ULONG)s->pin.len);
	if (rv == CKR_OK) {
		if (l->before.state != P11_PIN_GOOD)
			note(l, P11_PIN_GOOD, CKR_OK);
		return CMK_GRANTED;
	}
	if (rv == CKR_USER_ALREADY_LOGGED_IN || p11_rv_spares_pin(rv)) {
		if (l->before.state != P11_PIN_GOOD)
			note(l, l->before.state, l->before.rv);
		if (rv == CKR_USER_ALREADY_LOGGED_IN)
			return CMK_GRANTED;
		s->pin_failed = !p11_rv_is_lost(rv);
		return p11_session_failed(s, rv, "C_Login", o);
	}
	s->pin_failed = true;
	if (!p11_rv_refuses_pin(rv))
		return doubt(l, rv, o);
	note(l, P11_PIN_REFUSED, rv);
	return p11_session_failed(s, rv, "C_Login", o);
}

enum cmk_verdict p11_login(
	const struct p11_context *c, struct p11_session *s, CK_USER_TYPE user, struct kp_outcome *o)
{
	struct login l = {.c = c, .s = s, .user = user};
	enum cmk_verdict v = check_flags(s, o);
	if (v == CMK_GRANTED)
		v = get_pin(&l, o);
	if (v == CMK_GRANTED && !p11_pin_fingerprint(&s->token, user, &s->pin, l.key))
		v = kp_outcome_set(
			o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s: out of memory", s->where);
	if (v == CMK_GRANTED) {
		l.before = p11_pin_recall(c->pin_memory, l.key);
		v = may_be_shown(&l, o);
	}
	if (v == CMK_GRANTED)
		v = show(&l, o);
	explicit_bzero(&l, sizeof(l));
	return v;
}
