// SPDX-License-Identifier: MIT
// See p11_key_dates.h. SoftHSM 2.6 and older store the dates of a private key so that they cannot
// tell them; those of its public half then stand for them.
#include "p11_key_dates.h"

#include "p11_object.h"
#include "p11_rsa.h"

#define DAY 86400

enum { START, END, DATES };

struct told {
	bool bad;   // something is there, but cannot be read or is no date
	int64_t at; // 0 none
};

static enum cmk_verdict read_object(struct p11_session *s, CK_OBJECT_HANDLE object,
	struct told out[DATES], struct kp_outcome *o)
{
	CK_DATE raw[DATES];
	CK_ATTRIBUTE a[DATES] = {[START] = {CKA_START_DATE, &raw[START], sizeof(raw[START])},
		[END] = {CKA_END_DATE, &raw[END], sizeof(raw[END])}};
	unsigned vague = 1U << START | 1U << END;
	enum cmk_verdict v = p11_object_read(s, object, a, DATES, &vague, o);
	for (int i = 0; i < DATES; i++) {
		CK_ULONG len = a[i].ulValueLen;
		out[i] = (struct told){.bad = vague & (1U << i)};
		if (len && (len != sizeof(raw[i]) || !p11_date_read(&raw[i], &out[i].at)))
			out[i].bad = true;
	}
	return v;
}

// A proper date beats what is none: who puts a second public half there must not hide the first.
static void add(struct told sum[DATES], const struct told one[DATES])
{
	for (int i = 0; i < DATES; i++) {
		bool stricter = i == START ? one[i].at > sum[i].at : one[i].at < sum[i].at;
		sum[i].bad |= one[i].bad;
		if (one[i].at && (!sum[i].at || stricter))
			sum[i].at = one[i].at;
	}
}

static enum cmk_verdict read_halves(struct p11_session *s, const struct p11_key *key,
	struct told sum[DATES], struct kp_outcome *o)
{
	CK_OBJECT_HANDLE halves[P11_RSA_HALVES];
	size_t count;
	enum cmk_verdict v = p11_rsa_public_halves(s, key, halves, &count, o);
	for (size_t i = 0; v == CMK_GRANTED && i < count; i++) {
		struct told one[DATES];
		v = read_object(s, halves[i], one, o);
		add(sum, one);
	}
	return v;
}

enum cmk_verdict p11_key_read_dates(
	struct p11_session *s, struct p11_key *key, struct kp_outcome *o)
{
	struct told own[DATES], halves[DATES] = {{0}};
	enum cmk_verdict v = read_object(s, key->handle, own, o);
	if (v == CMK_GRANTED && key->class == CKO_PRIVATE_KEY && (!own[START].at || !own[END].at))
		v = read_halves(s, key, halves, o);
	for (int i = 0; i < DATES; i++) {
		if (!own[i].at)
			own[i].at = halves[i].at;
		// A date that cannot be read is told as bad: the owner meant something by it.
		key->bad_date |= !own[i].at && (own[i].bad || halves[i].bad);
	}
	// A day before 1970 is as good as 1970, and 0 means none.
	key->nbf = own[START].at > 0 ? own[START].at : 0;
	if (own[END].at)
		key->exp = own[END].at + DAY > 0 ? own[END].at + DAY : 1;
	return v;
}
