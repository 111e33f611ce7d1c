// SPDX-License-Identifier: MIT
// Finding keys in a token; see p11_key.h. What a module finds is looked at again: label, id and
// class must be what was searched for.
#include "p11_key.h"

#include "p11_key_dates.h"
#include "p11_object.h"
#include "p11_rsa.h"

#include <stdio.h>
#include <string.h>

#define OBJECTS_MAX 512 // of one class that may come up in a search
#define LABEL_ROOM 1024

struct search {
	const struct p11_context *c;
	struct p11_session *s;
	uint8_t id[P11_ID_MAX];
	size_t id_len; // 0 any
	struct p11_keys *out;
};

// What is read of each object. Not every one of them exists for each class.
struct raw {
	CK_OBJECT_CLASS class;
	CK_KEY_TYPE type;
	uint8_t id[P11_ID_MAX];
	uint8_t label[LABEL_ROOM];
	CK_ULONG value_len;
	CK_BBOOL decrypt, unwrap, encrypt, wrap, extractable, always;
};
// The last ones belong to one class alone, so they share their places.
enum { CLASS, TYPE, ID, LABEL, DECRYPT, UNWRAP, EXTRACTABLE, OWN };
enum { ALWAYS = OWN, PRIVATE_COUNT };
enum { ENCRYPT = OWN, WRAP, VALUE_LEN, COUNT };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_version(const char *version, uint8_t id[P11_ID_MAX], size_t *len)
{
	size_t n = strlen(version);
	if (n % 2 || n > (size_t)2 * P11_ID_MAX)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int high = hex_digit(version[i]), low = hex_digit(version[i + 1]);
		if (high < 0 || low < 0)
			return false;
		id[i / 2] = (uint8_t)(high << 4 | low);
	}
	*len = n / 2;
	return true;
}

static void set_names(struct p11_key *k, const struct raw *raw, const CK_ATTRIBUTE *a)
{
	k->id_len = a[ID].ulValueLen;
	memcpy(k->id, raw->id, k->id_len);
	for (size_t i = 0; i < k->id_len; i++)
		(void)snprintf(k->version + 2 * i, 3, "%02x", raw->id[i]);
	p11_plain_text(raw->label, a[LABEL].ulValueLen, k->label, sizeof(k->label));
}

// Any value but 0 is true (PKCS #11, CK_BBOOL).
static bool is_true(const CK_ATTRIBUTE *a, CK_BBOOL b)
{
	return a->ulValueLen == sizeof(b) && b != CK_FALSE;
}

static void set_uses(struct p11_key *k, const struct raw *raw, const CK_ATTRIBUTE *a)
{
	k->decrypt = is_true(&a[DECRYPT], raw->decrypt);
	k->unwrap = is_true(&a[UNWRAP], raw->unwrap);
	k->decrypt_untold = !a[DECRYPT].ulValueLen;
	k->unwrap_untold = !a[UNWRAP].ulValueLen;
	k->extractable = is_true(&a[EXTRACTABLE], raw->extractable);
	if (k->class == CKO_PRIVATE_KEY) {
		k->always_authenticate = is_true(&a[ALWAYS], raw->always);
		return;
	}
	k->encrypt = is_true(&a[ENCRYPT], raw->encrypt);
	k->wrap = is_true(&a[WRAP], raw->wrap);
	if (a[VALUE_LEN].ulValueLen == sizeof(raw->value_len) && raw->value_len <= 1024)
		k->bits = (uint32_t)raw->value_len * 8;
}

// A module may find more than was asked for. *untold: it may be wanted, but what it was searched
// for by is not told.
static bool is_wanted(const struct search *q, CK_OBJECT_CLASS class, const struct raw *raw,
	const CK_ATTRIBUTE *a, bool *untold)
{
	P11KitUri *uri = q->c->config->uri;
	const CK_ATTRIBUTE *by = &a[LABEL];
	*untold = q->id_len && !a[ID].ulValueLen;
	if (a[CLASS].ulValueLen != sizeof(raw->class) || raw->class != class)
		return false;
	if (q->id_len && !*untold &&
		(a[ID].ulValueLen != q->id_len || memcmp(raw->id, q->id, q->id_len) != 0))
		return false;
	if (by->ulValueLen || !p11_kit_uri_get_attribute(uri, CKA_LABEL))
		return p11_kit_uri_match_attributes(uri, by, 1) == 1;
	*untold = true;
	return true;
}

static enum cmk_verdict read_raw(struct p11_session *s, CK_OBJECT_CLASS class,
	CK_OBJECT_HANDLE object, struct raw *raw, CK_ATTRIBUTE a[COUNT], struct kp_outcome *o)
{
	size_t count = COUNT;
	const CK_ATTRIBUTE common[OWN] = {
		[CLASS] = {CKA_CLASS, &raw->class, sizeof(raw->class)},
		[TYPE] = {CKA_KEY_TYPE, &raw->type, sizeof(raw->type)},
		[ID] = {CKA_ID, raw->id, sizeof(raw->id)},
		[LABEL] = {CKA_LABEL, raw->label, sizeof(raw->label)},
		[DECRYPT] = {CKA_DECRYPT, &raw->decrypt, sizeof(CK_BBOOL)},
		[UNWRAP] = {CKA_UNWRAP, &raw->unwrap, sizeof(CK_BBOOL)},
		[EXTRACTABLE] = {CKA_EXTRACTABLE, &raw->extractable, sizeof(CK_BBOOL)},
	};
	memcpy(a, common, sizeof(common));
	if (class == CKO_PRIVATE_KEY) {
		a[ALWAYS] = (CK_ATTRIBUTE){CKA_ALWAYS_AUTHENTICATE, &raw->always, sizeof(CK_BBOOL)};
		count = PRIVATE_COUNT;
	} else {
		a[ENCRYPT] = (CK_ATTRIBUTE){CKA_ENCRYPT, &raw->encrypt, sizeof(CK_BBOOL)};
		a[WRAP] = (CK_ATTRIBUTE){CKA_WRAP, &raw->wrap, sizeof(CK_BBOOL)};
		a[VALUE_LEN] =
			(CK_ATTRIBUTE){CKA_VALUE_LEN, &raw->value_len, sizeof(raw->value_len)};
	}
	return p11_object_read(s, object, a, count, NULL, o);
}

// One object: into the list, or into the count of those that cannot serve.
static enum cmk_verdict look(
	struct search *q, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE object, struct kp_outcome *o)
{
	struct raw raw = {0};
	CK_ATTRIBUTE a[COUNT] = {0};
	struct p11_keys *out = q->out;
	bool untold;
	enum cmk_verdict v = read_raw(q->s, class, object, &raw, a, o);
	// It was found, so this is not "no such key".
	if (v == CMK_GRANTED && !a[CLASS].ulValueLen)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%s: the module finds a key and does not tell its class; it is faulty",
			q->s->where);
	if (v != CMK_GRANTED || !is_wanted(q, class, &raw, a, &untold))
		return v;
	if (untold || a[TYPE].ulValueLen != sizeof(raw.type)) {
		out->untold++;
		return CMK_GRANTED;
	}
	if (raw.type != (class == CKO_PRIVATE_KEY ? CKK_RSA : CKK_AES)) {
		out->other_type++;
		return CMK_GRANTED;
	}
	if (a[ID].ulValueLen == 0) {
		out->without_id++;
		return CMK_GRANTED;
	}
	if (out->count == P11_KEYS_MAX)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: more than %d keys match %.200s; name one with object= and id=",
			q->s->where, P11_KEYS_MAX, q->c->config->text);
	struct p11_key *k = &out->at[out->count++];
	*k = (struct p11_key){.handle = object, .class = class, .type = raw.type};
	set_names(k, &raw, a);
	set_uses(k, &raw, a);
	v = p11_key_read_dates(q->s, k, o);
	if (v == CMK_GRANTED && class == CKO_PRIVATE_KEY)
		v = p11_rsa_bits(q->s, k, &k->bits, o);
	return v;
}

static enum cmk_verdict find_class(struct search *q, CK_OBJECT_CLASS class, struct kp_outcome *o)
{
	CK_OBJECT_HANDLE found[OBJECTS_MAX];
	CK_ATTRIBUTE t[3] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_ULONG n = 1;
	size_t count;
	const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(q->c->config->uri, CKA_LABEL);
	if (label)
		t[n++] = *label;
	if (q->id_len)
		t[n++] = (CK_ATTRIBUTE){CKA_ID, q->id, q->id_len};
	enum cmk_verdict v = p11_objects_find(q->s, t, n, found, OBJECTS_MAX, &count, o);
	for (size_t i = 0; v == CMK_GRANTED && i < count; i++)
		v = look(q, class, found[i], o);
	return v;
}

enum cmk_verdict p11_keys_find(const struct p11_context *c, struct p11_session *s,
	const char *version, struct p11_keys *out, struct kp_outcome *o)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY};
	const char *pinned = c->config->id;
	const char *id = *version ? version : pinned;
	struct search q = {.c = c, .s = s, .out = out};
	memset(out, 0, sizeof(*out));
	if (!read_version(id, q.id, &q.id_len))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: %.*s is no version of a key in a token (its CKA_ID in lower-case "
			"hexadecimal digits); the disk was bound by something else",
			s->where, CMK_VERSION_MAX, id);
	if (*pinned && strcmp(id, pinned) != 0)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s: the disk is bound to the version %.*s of its key, and id= in the key "
			"URL pins another one, %s; name the disk's own, or no id",
			s->where, CMK_VERSION_MAX, id, pinned);
	const CK_ATTRIBUTE *only = p11_kit_uri_get_attribute(c->config->uri, CKA_CLASS);
	enum cmk_verdict v = CMK_GRANTED;
	for (size_t i = 0; v == CMK_GRANTED && i < 2; i++) {
		CK_OBJECT_CLASS class;
		if (only && only->ulValueLen == sizeof(class)) {
			memcpy(&class, only->pValue, sizeof(class));
			if (class != classes[i])
				continue;
		}
		v = find_class(&q, classes[i], o);
	}
	return v;
}
