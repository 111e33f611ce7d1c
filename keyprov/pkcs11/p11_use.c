// SPDX-License-Identifier: MIT
// See p11_use.h: unwrapping, by C_Decrypt or C_UnwrapKey.
#include "p11_use.h"

#include "p11_login.h"
#include "p11_object.h"
#include "p11_rsa.h"
#include "p11_rv.h"

#include <string.h>

#define SECRET_LEN 32 // of what a disk has wrapped; tried where a token wants to be told a length

CK_MECHANISM p11_mechanism(const struct p11_algorithm *alg, CK_RSA_PKCS_OAEP_PARAMS *oaep)
{
	*oaep = (CK_RSA_PKCS_OAEP_PARAMS){
		.hashAlg = alg->hash, .mgf = alg->mgf, .source = CKZ_DATA_SPECIFIED};
	if (alg->type == CKK_RSA)
		return (CK_MECHANISM){alg->mechanism, oaep, sizeof(*oaep)};
	return (CK_MECHANISM){.mechanism = alg->mechanism};
}

CK_FLAGS p11_mechanism_uses(const struct p11_session *s, CK_MECHANISM_TYPE mechanism)
{
	const CK_FLAGS all = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
	CK_MECHANISM_INFO info = {0};
	CK_RV rv = s->f->C_GetMechanismInfo(s->slot, mechanism, &info);
	if (rv == CKR_MECHANISM_INVALID)
		return 0;
	return rv == CKR_OK && (info.flags & all) ? info.flags & all : all;
}

enum cmk_verdict p11_use_failed(struct p11_use *u, CK_RV rv, const char *call, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	u->rv = rv;
	enum cmk_verdict v = p11_session_failed(u->s, rv, call, o);
	p11_key_text(u->key, text);
	kp_err_prefix(&o->err, text);
	return v;
}

static enum cmk_verdict nonsense(
	const struct p11_use *u, const char *call, CK_ULONG len, struct kp_outcome *o)
{
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: %s says that it made %lu bytes, which cannot be; the module is faulty",
		u->s->where, call, len);
}

// For keys that want the PIN at each use (CKA_ALWAYS_AUTHENTICATE), also where the token wants none
// for its session. u->rv stays as it is: no answer to a PIN is worth another try of anything.
static enum cmk_verdict log_in_again(struct p11_use *u, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	enum cmk_verdict v = p11_login(u->c, u->s, CKU_CONTEXT_SPECIFIC, o);
	if (v == CMK_GRANTED)
		return v;
	p11_key_text(u->key, text);
	kp_err_prefix(&o->err, text);
	return v;
}

static enum cmk_verdict decrypt(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	struct p11_session *s = u->s;
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	CK_MECHANISM m = p11_mechanism(u->alg, &oaep);
	CK_RV rv = s->f->C_DecryptInit(s->handle, &m, u->key->handle);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_DecryptInit", o);
	if (u->key->always_authenticate) {
		enum cmk_verdict v = log_in_again(u, o);
		if (v != CMK_GRANTED)
			return v;
	}
	CK_ULONG got = P11_ROOM;
	rv = s->f->C_Decrypt(s->handle, (uint8_t *)(uintptr_t)wrapped, wrapped_len, out, &got);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_Decrypt", o);
	if (got == 0 || got > P11_ROOM)
		return nonsense(u, "C_Decrypt", got, o);
	*len = got;
	return CMK_GRANTED;
}

static enum cmk_verdict read_value(
	struct p11_use *u, CK_OBJECT_HANDLE object, uint8_t *out, size_t *len, struct kp_outcome *o)
{
	CK_ATTRIBUTE a = {CKA_VALUE, out, P11_ROOM};
	CK_RV rv = u->s->f->C_GetAttributeValue(u->s->handle, object, &a, 1);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_GetAttributeValue", o);
	if (a.ulValueLen == 0 || a.ulValueLen > P11_ROOM)
		return nonsense(u, "C_UnwrapKey", a.ulValueLen, o);
	*len = a.ulValueLen;
	return CMK_GRANTED;
}

// A session object that may be read: the token has done its work by then. length 0: not told.
static CK_RV unwrap_object(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	CK_ULONG length, CK_OBJECT_HANDLE *object)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep;
	CK_MECHANISM m = p11_mechanism(u->alg, &oaep);
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &no, sizeof(no)}, {CKA_SENSITIVE, &no, sizeof(no)},
		{CKA_EXTRACTABLE, &yes, sizeof(yes)}, {CKA_VALUE_LEN, &length, sizeof(length)}};
	return u->s->f->C_UnwrapKey(u->s->handle, &m, u->key->handle, (uint8_t *)(uintptr_t)wrapped,
		wrapped_len, t, length ? 6 : 5, object);
}

static enum cmk_verdict unwrap_key(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	CK_OBJECT_HANDLE object;
	CK_RV rv = unwrap_object(u, wrapped, wrapped_len, 0, &object);
	if (rv == CKR_TEMPLATE_INCOMPLETE)
		rv = unwrap_object(u, wrapped, wrapped_len,
			u->alg->type == CKK_AES ? wrapped_len - 8 : SECRET_LEN, &object);
	if (rv != CKR_OK)
		return p11_use_failed(u, rv, "C_UnwrapKey", o);
	enum cmk_verdict v = read_value(u, object, out, len, o);
	(void)u->s->f->C_DestroyObject(u->s->handle, object);
	return v;
}

static const char *said(bool yes, bool untold)
{
	return yes ? "true" : untold ? "not told" : "false";
}

static enum cmk_verdict not_permitted(const struct p11_use *u, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	p11_key_text(u->key, text);
	const struct p11_key *k = u->key;
	bool neither = !k->decrypt && !k->unwrap;
	return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
		"%s: %s may not %s (CKA_DECRYPT %s, CKA_UNWRAP %s); permit it with cmkdisk "
		"tokenkey enable or the token's own tool",
		u->s->where, text, neither ? "unwrap" : "unwrap in the way that this token does",
		said(k->decrypt, k->decrypt_untold), said(k->unwrap, k->unwrap_untold));
}

// Whether C_UnwrapKey may do what C_Decrypt did not: the token does not do it that way, or says
// itself that the key may not, where its attributes say nothing.
static bool may_go_on(const struct p11_use *u)
{
	return p11_rv_is_unsupported(u->rv) ||
	       (u->rv == CKR_KEY_FUNCTION_NOT_PERMITTED && u->key->decrypt_untold);
}

enum cmk_verdict p11_use_unwrap(struct p11_use *u, const uint8_t *wrapped, size_t wrapped_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	const struct p11_key *k = u->key;
	if (!p11_key_may_unwrap(k))
		return not_permitted(u, o);
	CK_FLAGS uses = p11_mechanism_uses(u->s, u->alg->mechanism);
	if (!(uses & (CKF_DECRYPT | CKF_UNWRAP)))
		return p11_use_failed(u, CKR_MECHANISM_INVALID, u->alg->name, o);
	bool by_decrypt = (k->decrypt || k->decrypt_untold) && (uses & CKF_DECRYPT);
	bool by_unwrap = (k->unwrap || k->unwrap_untold) && (uses & CKF_UNWRAP);
	if (!by_decrypt && !by_unwrap)
		return not_permitted(u, o);
	enum cmk_verdict v = CMK_UNREACHABLE;
	u->rv = CKR_OK;
	if (by_decrypt)
		v = decrypt(u, wrapped, wrapped_len, out, len, o);
	if (by_unwrap && (!by_decrypt || (v != CMK_GRANTED && may_go_on(u)))) {
		u->rv = CKR_OK;
		v = unwrap_key(u, wrapped, wrapped_len, out, len, o);
	}
	// One attribute says no, and the token does not do what the other one is silent about.
	bool one_says_no = !k->decrypt && !k->unwrap && k->decrypt_untold != k->unwrap_untold;
	if (v != CMK_GRANTED && one_says_no && p11_rv_is_unsupported(u->rv)) {
		u->rv = CKR_OK;
		v = not_permitted(u, o);
	}
	return v;
}

enum cmk_verdict p11_use_wrap(struct p11_use *u, const uint8_t *plain, size_t plain_len,
	uint8_t *out, size_t *len, struct kp_outcome *o)
{
	u->rv = CKR_OK;
	if (u->alg->type == CKK_AES)
		return p11_aes_wrap(u, plain, plain_len, out, len, o);
	return p11_rsa_encrypt(u->s, u->key, u->alg->digest, plain, plain_len, out, len, o);
}
