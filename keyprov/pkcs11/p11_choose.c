// SPDX-License-Identifier: MIT
// See p11_choose.h.
#include "p11_choose.h"

#include <string.h>

enum cmk_verdict p11_choose_version(const struct p11_keys *keys, const char *alg, const char *where,
	const struct p11_key **out, struct kp_outcome *o)
{
	char text[P11_KEYS_TEXT];
	size_t fitting = 0;
	for (size_t i = 0; i < keys->count; i++)
		if (p11_algorithm_fits(alg, &keys->at[i])) {
			*out = &keys->at[i];
			fitting++;
		}
	if (fitting == 1)
		return CMK_GRANTED;
	p11_keys_text(keys, text, sizeof(text));
	if (fitting == 0)
		return kp_outcome_set(o, CMK_BAD_BLOB, CMK_REASON_NONE,
			"%s: the key there is of another type than %.*s is for; the wrapped secret "
			"is another key's work: %s",
			where, CMK_ALG_MAX, alg, text);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%s: several keys have the same id; give each its own (CKA_ID), or tell them apart "
		"with object= in the key URL: %s",
		where, text);
}

enum cmk_verdict p11_choose_unfit(
	const struct p11_keys *keys, const char *where, struct kp_outcome *o)
{
	if (keys->untold)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: a key is found that may be it, but the module does not tell its type, "
			"id or label; look into the module's own log",
			where);
	if (keys->without_id)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: a key matches, but has no id (CKA_ID) of 1 to %d bytes; give it one "
			"with a program of the token's",
			where, P11_ID_MAX);
	if (keys->other_type)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: a key of another kind stands there, neither RSA nor AES; choose "
			"another name for the disk's key (object=), and make one with cmkdisk "
			"tokenkey new",
			where);
	return CMK_GRANTED;
}

// Why none of them is usable.
static enum cmk_verdict none_usable(
	const struct p11_keys *keys, int64_t wall_s, const char *where, struct kp_outcome *o)
{
	const struct p11_key *k = &keys->at[0];
	char text[P11_KEY_TEXT];
	for (size_t i = 0; i < keys->count; i++)
		if (p11_key_may_unwrap(&keys->at[i]))
			k = &keys->at[i];
	p11_key_text(k, text);
	if (!p11_key_may_unwrap(k))
		return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
			"%s: %s may neither decrypt nor unwrap (CKA_DECRYPT, CKA_UNWRAP); permit "
			"it "
			"with cmkdisk tokenkey enable or the token's own tool",
			where, text);
	return kp_outcome_set(o, CMK_DENIED, CMK_REASON_NOT_PERMITTED,
		"%s: %s %s; make a new version with cmkdisk tokenkey rotate, or change its dates "
		"with cmkdisk tokenkey dates",
		where, text,
		k->nbf > wall_s ? "has its start date (CKA_START_DATE) ahead"
				: "is past its end date (CKA_END_DATE)");
}

static enum cmk_verdict take(
	const struct p11_key *k, const char *where, struct p11_key *out, struct kp_outcome *o)
{
	char text[P11_KEY_TEXT];
	if (!k)
		return o->verdict;
	p11_key_text(k, text);
	if (k->bad_date)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: %s: its CKA_START_DATE or CKA_END_DATE cannot be read, or is no date; "
			"set it "
			"anew with cmkdisk tokenkey dates, or take it away if this token cannot "
			"tell "
			"dates",
			where, text);
	*out = *k;
	return CMK_GRANTED;
}

enum cmk_verdict p11_choose_strictest(
	const struct p11_keys *keys, const char *where, struct p11_key *out, struct kp_outcome *o)
{
	struct p11_key k = keys->at[0];
	for (size_t i = 1; i < keys->count; i++) {
		const struct p11_key *other = &keys->at[i];
		if (other->nbf > k.nbf)
			k.nbf = other->nbf;
		if (other->exp && (!k.exp || other->exp < k.exp))
			k.exp = other->exp;
		k.bad_date |= other->bad_date;
		k.decrypt |= other->decrypt;
		k.unwrap |= other->unwrap;
		k.decrypt_untold |= other->decrypt_untold;
		k.unwrap_untold |= other->unwrap_untold;
	}
	return take(&k, where, out, o);
}

enum cmk_verdict p11_choose_newest(const struct p11_keys *keys, int64_t wall_s, bool any_state,
	const char *where, struct p11_key *out, struct kp_outcome *o)
{
	struct p11_keys usable = {.count = 0};
	for (size_t i = 0; i < keys->count; i++)
		if (p11_key_may_unwrap(&keys->at[i]) && p11_key_is_current(&keys->at[i], wall_s))
			usable.at[usable.count++] = keys->at[i];
	if (usable.count)
		return take(p11_key_newest(&usable, wall_s, where, o), where, out, o);
	if (any_state)
		return take(p11_key_newest(keys, wall_s, where, o), where, out, o);
	return none_usable(keys, wall_s, where, o);
}
