// SPDX-License-Identifier: MIT
// tokenkey dates, and what tokens make of dates; see tool.h. A key's dates are set on both its
// halves: SoftHSM 2.6 takes those of a private object and then cannot tell them
// (CKR_GENERAL_ERROR), but it tells those of the public half.
#include "tool.h"

#include "p11_rv.h"

#include <errno.h>
#include <string.h>

bool tool_tidy_dates(struct tool *t, CK_OBJECT_HANDLE object)
{
	CK_DATE start, end;
	CK_ATTRIBUTE tells[] = {
		{CKA_START_DATE, &start, sizeof(start)}, {CKA_END_DATE, &end, sizeof(end)}};
	CK_ATTRIBUTE none[] = {{CKA_START_DATE, NULL, 0}, {CKA_END_DATE, NULL, 0}};
	CK_SESSION_HANDLE session = t->session.handle;
	CK_RV rv = t->session.f->C_GetAttributeValue(session, object, tells, 2);
	if (rv != CKR_GENERAL_ERROR && rv != CKR_FUNCTION_FAILED)
		return true;
	(void)t->session.f->C_SetAttributeValue(session, object, none, 2);
	return false;
}

static void put_date(struct tool_template *a, CK_ATTRIBUTE_TYPE type, const struct tool_date *d)
{
	tool_put(a, type, d->set ? &d->date : NULL, d->set ? sizeof(d->date) : 0);
}

static bool same_day(const struct tool_date *wanted, int64_t day)
{
	struct tool_date has;
	tool_date_of(day, &has);
	return has.set == wanted->set &&
	       (!has.set || memcmp(&has.date, &wanted->date, sizeof(has.date)) == 0);
}

// On both halves, as far as they take it; what counts is what the token then tells.
static CK_RV set_dates(struct tool *t, const struct p11_key *key, struct tool_template *a,
	const CK_OBJECT_HANDLE *halves, size_t count)
{
	CK_SESSION_HANDLE session = t->session.handle;
	CK_RV rv = t->session.f->C_SetAttributeValue(session, key->handle, a->at, a->count);
	CK_RV first = tool_tidy_dates(t, key->handle) ? rv : CKR_OK;
	for (size_t i = 0; i < count; i++) {
		rv = t->session.f->C_SetAttributeValue(session, halves[i], a->at, a->count);
		first = first == CKR_OK ? rv : first;
	}
	return first;
}

static bool is_done(const struct tool_options *o, const struct p11_key *key)
{
	return (!(o->given & OPT_STARTS) || same_day(&o->starts, key->nbf)) &&
	       (!(o->given & OPT_ENDS) || same_day(&o->ends, tool_last_day(key->exp)));
}

static int apply(
	struct tool *t, const struct tool_options *o, struct p11_keys *keys, struct kp_err *err)
{
	struct tool_template a = {.count = 0};
	struct p11_key key = keys->at[0];
	CK_OBJECT_HANDLE halves[TOOL_HALVES];
	size_t count;
	if (o->given & OPT_STARTS)
		put_date(&a, CKA_START_DATE, &o->starts);
	if (o->given & OPT_ENDS)
		put_date(&a, CKA_END_DATE, &o->ends);
	int ret = tool_public_halves(t, &key, halves, &count, err);
	if (ret)
		return ret;
	CK_RV rv = set_dates(t, &key, &a, halves, count);
	ret = tool_keys(t, key.version, keys, err);
	if (ret || is_done(o, &keys->at[0]))
		return ret;
	if (rv != CKR_OK)
		return tool_refused(t, &key, rv, "C_SetAttributeValue", err);
	return kp_fail(err, EDOM,
		"%s: tells no dates of version %s, so these would be without effect",
		t->session.where, key.version);
}

int tool_dates(const struct tool_options *o, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	if (!(o->given & (OPT_STARTS | OPT_ENDS)))
		return kp_fail(err, EINVAL, "dates: needs --starts, --ends or both");
	int ret = tool_begin(o, &t, keys, err);
	if (ret == 0 && keys->count > 1)
		return kp_fail(err, EINVAL,
			"%s: there are %zu versions of this key; say with --version which one "
			"gets the dates",
			t.session.where, keys->count);
	return ret ? ret : apply(&t, o, keys, err);
}
