// SPDX-License-Identifier: MIT
// Wrapping with an AES key, in the token: C_WrapKey where the token does the mechanism that way,
// C_Encrypt where it does it so.
#include "p11_use.h"

// What is to be wrapped, as a key object of this session: C_WrapKey takes nothing else.
static CK_RV make_object(
	const struct p11_use *u, const uint8_t *plain, size_t plain_len, CK_OBJECT_HANDLE *object)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &no, sizeof(no)}, {CKA_SENSITIVE, &no, sizeof(no)},
		{CKA_EXTRACTABLE, &yes, sizeof(yes)},
		{CKA_VALUE, (uint8_t *)(uintptr_t)plain, plain_len}};
	return u->s->f->C_CreateObject(u->s->handle, t, sizeof(t) / sizeof(t[0]), object);
}

static enum cmk_verdict take(
	const struct p11_use *u, const char *call, CK_ULONG got, size_t *len, struct kp_outcome *o)
{
	if (got == 0 || got > *len)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: %s says that it made %lu bytes, which cannot be; the module is faulty",
			u->s->where, call, got);
	*len = got;
	return CMK_GRANTED;
}

static enum cmk_verdict wrap_key(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	CK_RSA_PKCS_OAEP_PARAMS none;
	CK_MECHANISM m = p11_mechanism(u->alg, &none);
	CK_OBJECT_HANDLE object;
	CK_RV rv = make_object(u, plain, plain_len, &object);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_CreateObject", o);
	CK_ULONG got = *len;
	rv = u->s->f->C_WrapKey(u->s->handle, &m, u->key->handle, object, out, &got);
	(void)u->s->f->C_DestroyObject(u->s->handle, object);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_WrapKey", o);
	return take(u, "C_WrapKey", got, len, o);
}

static enum cmk_verdict encrypt(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	CK_RSA_PKCS_OAEP_PARAMS none;
	CK_MECHANISM m = p11_mechanism(u->alg, &none);
	CK_RV rv = u->s->f->C_EncryptInit(u->s->handle, &m, u->key->handle);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_EncryptInit", o);
	CK_ULONG got = *len;
	rv = u->s->f->C_Encrypt(u->s->handle, (uint8_t *)(uintptr_t)plain, plain_len, out, &got);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_Encrypt", o);
	return take(u, "C_Encrypt", got, len, o);
}

enum cmk_verdict p11_aes_wrap(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	const struct p11_key *k = u->key;
	CK_FLAGS uses = p11_mechanism_uses(u->s, u->alg->mechanism);
	if (uses == 0)
		return p11_use_failed(u, CKR_MECHANISM_INVALID, u->alg->name, o);
	bool by_wrap = k->wrap && (uses & CKF_WRAP),
	     by_encrypt = k->encrypt && (uses & CKF_ENCRYPT);
	if (!by_wrap && !by_encrypt) {
		char text[P11_KEY_TEXT];
		p11_key_text(k, text);
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
			"%s: %s may not wrap in the way that this token does %s (CKA_WRAP %s, "
			"CKA_ENCRYPT %s); permit it with the token's own tool",
			u->s->where, text, u->alg->name, k->wrap ? "true" : "false",
			k->encrypt ? "true" : "false");
	}
	enum cmk_verdict v = CMK_UNREACHABLE;
	size_t room = *len;
	if (by_wrap)
		v = wrap_key(u, plain, plain_len, out, len, o);
	// A token that takes no key from outside may still encrypt with this one.
	if (by_encrypt && v != CMK_GRANTED) {
		*len = room;
		u->rv = CKR_OK;
		v = encrypt(u, plain, plain_len, out, len, o);
	}
	return v;
}
