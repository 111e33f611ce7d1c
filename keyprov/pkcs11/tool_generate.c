// SPDX-License-Identifier: MIT
// Making a key in the token; see tool.h. Tokens differ in what they take in a template: what a key
// can do without is left out step by step, never what protects it.
#include "tool.h"

#include "p11_object.h"
#include "p11_rv.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

// What a template has beside what every key has.
struct rung {
	bool dates;
	bool uses;     // CKA_UNWRAP and CKA_WRAP
	bool no_signs; // an explicit "may not sign": a TPM takes none
};

static void put_common(const struct tool *t, const struct tool_options *o, const struct rung *r,
	struct tool_template *a, const uint8_t *id, size_t id_len)
{
	const CK_ATTRIBUTE *label = tool_attribute(t, CKA_LABEL);
	tool_put_bool(a, CKA_TOKEN, true);
	if (label)
		tool_put(a, CKA_LABEL, label->pValue, label->ulValueLen);
	tool_put(a, CKA_ID, id, id_len);
	if (r->dates && o->starts.set)
		tool_put(a, CKA_START_DATE, &o->starts.date, sizeof(o->starts.date));
	if (r->dates && o->ends.set)
		tool_put(a, CKA_END_DATE, &o->ends.date, sizeof(o->ends.date));
}

static void put_private(const struct tool_options *o, const struct rung *r, struct tool_template *a)
{
	tool_put_bool(a, CKA_PRIVATE, true);
	tool_put_bool(a, CKA_SENSITIVE, true);
	tool_put_bool(a, CKA_EXTRACTABLE, o->given & OPT_EXPORTABLE);
	tool_put_bool(a, CKA_DECRYPT, true);
	if (r->uses)
		tool_put_bool(a, CKA_UNWRAP, true);
	if (r->no_signs)
		tool_put_bool(a, CKA_SIGN, false);
}

// What was made. Of an AES key there is no public half.
struct made {
	CK_OBJECT_HANDLE key, public_half;
};

static CK_RV generate_rsa(struct tool *t, const struct tool_options *o, const struct rung *r,
	const uint8_t *id, size_t id_len, struct made *made)
{
	static const uint8_t exponent[] = {1, 0, 1};
	CK_ULONG bits = o->bits;
	CK_MECHANISM m = {.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN};
	struct tool_template pub = {.count = 0}, priv = {.count = 0};
	put_common(t, o, r, &pub, id, id_len);
	put_common(t, o, r, &priv, id, id_len);
	tool_put_ulong(&pub, CKA_MODULUS_BITS, &bits);
	tool_put(&pub, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	tool_put_bool(&pub, CKA_ENCRYPT, true);
	if (r->uses)
		tool_put_bool(&pub, CKA_WRAP, true);
	if (r->no_signs)
		tool_put_bool(&pub, CKA_VERIFY, false);
	put_private(o, r, &priv);
	return t->session.f->C_GenerateKeyPair(t->session.handle, &m, pub.at, pub.count, priv.at,
		priv.count, &made->public_half, &made->key);
}

static CK_RV generate_aes(struct tool *t, const struct tool_options *o, const struct rung *r,
	const uint8_t *id, size_t id_len, struct made *made)
{
	CK_ULONG len = o->bits / 8;
	CK_MECHANISM m = {.mechanism = CKM_AES_KEY_GEN};
	struct tool_template a = {.count = 0};
	put_common(t, o, r, &a, id, id_len);
	tool_put_ulong(&a, CKA_VALUE_LEN, &len);
	tool_put_bool(&a, CKA_ENCRYPT, true);
	if (r->uses)
		tool_put_bool(&a, CKA_WRAP, true);
	put_private(o, r, &a);
	return t->session.f->C_GenerateKey(t->session.handle, &m, a.at, a.count, &made->key);
}

static bool is_about_template(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	       rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_READ_ONLY ||
	       rv == CKR_TEMPLATE_INCOMPLETE;
}

static CK_RV generate(struct tool *t, const struct tool_options *o, const uint8_t *id,
	size_t id_len, struct made *made)
{
	static const struct rung rungs[] = {{true, true, true}, {true, true, false},
		{true, false, false}, {false, true, false}, {false, false, false}};
	CK_RV rv = CKR_OK;
	for (size_t i = 0; i < sizeof(rungs) / sizeof(*rungs); i++) {
		rv = o->type == CKK_RSA ? generate_rsa(t, o, &rungs[i], id, id_len, made)
					: generate_aes(t, o, &rungs[i], id, id_len, made);
		// tpm2-pkcs11 has no better word for a "may not sign" that it does not like; but it
		// says the same when it is busy, and that must not cost the key its dates.
		bool vague = rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
		if (!is_about_template(rv) && !(vague && rungs[i].no_signs))
			break;
	}
	if (rv == CKR_OK)
		(void)tool_tidy_dates(t, made->key);
	return rv;
}

static int not_made(struct tool *t, const struct tool_options *o, CK_RV rv, struct kp_err *err)
{
	const char *call = o->type == CKK_RSA ? "C_GenerateKeyPair" : "C_GenerateKey";
	char name[P11_RV_TEXT];
	p11_rv_name(rv, name);
	if (rv == CKR_MECHANISM_INVALID || rv == CKR_KEY_SIZE_RANGE || is_about_template(rv))
		return kp_fail(err, EDOM,
			"%s: makes no %s key of %u bits like this (%s: %s); try another size or "
			"type, or make it with a program of the token's",
			t->session.where, o->type == CKK_RSA ? "RSA" : "AES", o->bits, call, name);
	return tool_failed(t, rv, call, err);
}

// Whether it is protected as it was asked for: the template said so, and the token said yes.
static int check_protection(
	struct tool *t, const struct tool_options *o, const struct p11_key *key, struct kp_err *err)
{
	CK_BBOOL private = CK_FALSE, sensitive = CK_FALSE;
	CK_ATTRIBUTE a[] = {{CKA_PRIVATE, &private, sizeof(private)},
		{CKA_SENSITIVE, &sensitive, sizeof(sensitive)}};
	bool wanted = o->given & OPT_EXPORTABLE;
	struct kp_outcome outcome = {0};
	if (p11_object_read(&t->session, key->handle, a, 2, NULL, &outcome))
		return tool_outcome(&outcome, err);
	if (private != CK_TRUE || sensitive != CK_TRUE || key->extractable != wanted)
		return kp_fail(err, EDOM,
			"%s: made a key that is %s, though it was asked for a private, sensitive "
			"one that %s leave; it was not kept",
			t->session.where,
			private != CK_TRUE     ? "not private"
			: sensitive != CK_TRUE ? "not sensitive"
			: key->extractable     ? "extractable"
					       : "not extractable",
			wanted ? "may" : "must not");
	return 0;
}

// What the token shows of it must be what was asked for.
static int look(struct tool *t, const struct tool_options *o, const uint8_t *id, size_t id_len,
	struct p11_key *key, bool *dated, struct kp_err *err)
{
	char version[CMK_VERSION_MAX] = "";
	for (size_t i = 0; i < id_len && i < P11_ID_MAX; i++)
		(void)snprintf(version + 2 * i, 3, "%02x", id[i]);
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_keys(t, version, keys, err);
	if (ret)
		return ret;
	*key = keys->at[0];
	if (keys->count != 1 || key->type != o->type || (key->bits && key->bits != o->bits))
		return kp_fail(err, EDOM,
			"%s: the key that it made (version %s) is not what was asked for; it was "
			"not kept",
			t->session.where, version);
	ret = check_protection(t, o, key, err);
	if (ret)
		return ret;
	int64_t starts = 0, last = 0;
	char ends[TOOL_DATE_LEN] = "", has[TOOL_DATE_LEN];
	if (o->starts.set)
		(void)p11_date_read(&o->starts.date, &starts);
	if (o->ends.set && p11_date_read(&o->ends.date, &last))
		tool_date_print(last, ends);
	tool_date_print(tool_last_day(key->exp), has);
	*dated = !key->bad_date && key->nbf == starts && strcmp(ends, has) == 0;
	return 0;
}

// By its handles, for it may not be found by anything else.
static int unmake(struct tool *t, const struct tool_options *o, const struct made *made, int ret,
	struct kp_err *err)
{
	CK_RV rv = t->session.f->C_DestroyObject(t->session.handle, made->key);
	if (o->type == CKK_RSA) {
		CK_RV other = t->session.f->C_DestroyObject(t->session.handle, made->public_half);
		rv = rv == CKR_OK ? other : rv;
	}
	if (rv != CKR_OK)
		kp_err_prefix(err, "a new key was made that is of no use, and cannot be "
				   "destroyed: do it with a program of the token's");
	return ret;
}

int tool_generate(struct tool *t, const struct tool_options *o, const uint8_t *id, size_t id_len,
	struct p11_key *key, bool *dated, struct kp_err *err)
{
	struct made made = {0};
	CK_RV rv = generate(t, o, id, id_len, &made);
	if (rv != CKR_OK)
		return not_made(t, o, rv, err);
	int ret = look(t, o, id, id_len, key, dated, err);
	return ret ? unmake(t, o, &made, ret, err) : 0;
}

static void put_time(uint8_t id[16], uint64_t ms)
{
	for (size_t i = 0; i < 6; i++)
		id[i] = (uint8_t)(ms >> (40 - 8 * i));
}

// Whether the id alone proves it, for what has such an id.
static bool is_later(const uint8_t id[16], const struct p11_key *key)
{
	struct p11_key mine = {.id_len = 16}, theirs = *key;
	memcpy(mine.id, id, 16);
	theirs.nbf = 0;
	return p11_key_created(key) == 0 || p11_key_compare(&mine, &theirs) > 0;
}

int tool_new_id(const struct p11_keys *keys, uint8_t id[16], struct kp_err *err)
{
	struct timespec now;
	if (RAND_bytes(id, 16) != 1 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return kp_fail(err, EIO, "no random numbers for the key's id");
	// RFC 9562 section 5.7.
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
	put_time(id, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	// A clock set back must not make the new key look old.
	for (size_t i = 0; i < keys->count; i++)
		if (!is_later(id, &keys->at[i]))
			put_time(id, (uint64_t)(p11_key_created(&keys->at[i]) + 1) * 1000);
	return 0;
}
