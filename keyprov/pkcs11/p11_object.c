// SPDX-License-Identifier: MIT
// See p11_object.h.
#include "p11_object.h"

#define BATCH 16
#define LIST_MAX 16

static bool is_known(const CK_OBJECT_HANDLE *known, size_t count, CK_OBJECT_HANDLE object)
{
	for (size_t i = 0; i < count; i++)
		if (known[i] == object)
			return true;
	return false;
}

static enum cmk_verdict take(struct p11_session *s, const CK_OBJECT_HANDLE *batch, CK_ULONG got,
	CK_OBJECT_HANDLE *out, size_t room, size_t *count, struct kp_outcome *o)
{
	if (got > BATCH)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: C_FindObjects says that it found %lu objects where it was asked for "
			"%d; the module is faulty",
			s->where, got, BATCH);
	for (CK_ULONG i = 0; i < got; i++) {
		if (is_known(out, *count, batch[i]))
			return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
				"%s: C_FindObjects tells the same object over again; the module is "
				"faulty",
				s->where);
		if (*count == room)
			return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
				"%s: more than %zu objects match the key URL; name the key with "
				"object= and id=",
				s->where, room);
		out[(*count)++] = batch[i];
	}
	return CMK_GRANTED;
}

enum cmk_verdict p11_objects_find(struct p11_session *s, CK_ATTRIBUTE *template, CK_ULONG length,
	CK_OBJECT_HANDLE *out, size_t room, size_t *count, struct kp_outcome *o)
{
	*count = 0;
	CK_RV rv = s->f->C_FindObjectsInit(s->handle, template, length);
	if (rv != CKR_OK)
		return p11_session_failed(s, rv, "C_FindObjectsInit", o);
	enum cmk_verdict v = CMK_GRANTED;
	CK_ULONG got;
	do {
		CK_OBJECT_HANDLE batch[BATCH];
		got = 0;
		rv = s->f->C_FindObjects(s->handle, batch, BATCH, &got);
		if (rv != CKR_OK)
			v = p11_session_failed(s, rv, "C_FindObjects", o);
		else
			v = take(s, batch, got, out, room, count, o);
	} while (v == CMK_GRANTED && got > 0);
	(void)s->f->C_FindObjectsFinal(s->handle);
	return v;
}

// What PKCS #11 allows C_GetAttributeValue to say of one attribute without failing at the rest.
static bool is_about_attribute(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
	       rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_BUFFER_TOO_SMALL;
}

static bool is_vague(CK_RV rv)
{
	return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

// Not every module goes on after the first attribute that it refuses: then each is asked alone.
static enum cmk_verdict read_each(struct p11_session *s, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE *list, const CK_ULONG *room, size_t length, unsigned *vague,
	struct kp_outcome *o)
{
	unsigned may_fail = *vague;
	*vague = 0;
	for (size_t i = 0; i < length; i++) {
		list[i].ulValueLen = room[i];
		CK_RV rv = s->f->C_GetAttributeValue(s->handle, object, &list[i], 1);
		if (rv == CKR_OK)
			continue;
		if (is_vague(rv) && (may_fail & (1U << i)))
			*vague |= 1U << i;
		else if (!is_about_attribute(rv))
			return p11_session_failed(s, rv, "C_GetAttributeValue", o);
		list[i].ulValueLen = 0;
	}
	return CMK_GRANTED;
}

enum cmk_verdict p11_object_read(struct p11_session *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list,
	size_t length, unsigned *vague, struct kp_outcome *o)
{
	CK_ULONG room[LIST_MAX];
	unsigned none = 0;
	if (!vague)
		vague = &none;
	if (length > LIST_MAX)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: too many attributes at once", s->where);
	for (size_t i = 0; i < length; i++)
		room[i] = list[i].ulValueLen;
	enum cmk_verdict v = CMK_GRANTED;
	CK_RV rv = s->f->C_GetAttributeValue(s->handle, object, list, length);
	if (is_about_attribute(rv) || (is_vague(rv) && *vague))
		v = read_each(s, object, list, room, length, vague, o);
	else if (rv != CKR_OK)
		v = p11_session_failed(s, rv, "C_GetAttributeValue", o);
	else
		*vague = 0;
	for (size_t i = 0; i < length; i++) {
		CK_ULONG said = list[i].ulValueLen;
		if (v != CMK_GRANTED || said > room[i])
			list[i].ulValueLen = 0;
		if (v == CMK_GRANTED && said > room[i] && said != CK_UNAVAILABLE_INFORMATION)
			v = kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
				"%s: C_GetAttributeValue says that it wrote %lu bytes where there "
				"was room for %lu; the module is faulty",
				s->where, said, room[i]);
	}
	return v;
}
