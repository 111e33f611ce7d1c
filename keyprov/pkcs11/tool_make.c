// SPDX-License-Identifier: MIT
// tokenkey new and rotate; see tool.h. A key is made only if it will be provably the newest: else a
// disk that follows the newest would find none.
#include "tool.h"

#include "kp_program.h"
#include "p11_choose.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int check_label(const struct tool *t, struct kp_err *err)
{
	if (!tool_attribute(t, CKA_LABEL))
		return kp_fail(err, EINVAL,
			"%s: has no object=, which becomes the key's label; write "
			"pkcs11:token=...;object=NAME",
			t->config.text);
	return 0;
}

static void print_next(const struct tool *t, const struct tool_options *o, bool is_new)
{
	const char *query = o->url.query;
	if (is_new)
		(void)printf("Next step   cmkdisk create --size SIZE --key '%s%s%s' BACKING\n",
			t->config.text, *query ? "?" : "", query);
	else
		(void)puts("Next step   disks that follow the newest version move over by "
			   "themselves; for others: cmkdisk rotate");
}

static int print_made(const struct tool *t, const struct tool_options *o, const struct p11_key *key,
	bool is_new, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	if (!(o->given & OPT_JSON)) {
		(void)printf("Key URL     %s\nVersion     %s\n", t->config.text, key->version);
		print_next(t, o, is_new);
		return 0;
	}
	int ret = tool_key_json(key, &j);
	ret = ret ? ret : kp_json_add_str(j, "key_url", t->config.text);
	return ret ? kp_fail(err, ENOMEM, "no memory") : tool_print_json(j, err);
}

// What it would look like, for its order among the others.
static void foresee(const struct tool_options *o, const uint8_t *id, size_t id_len, bool dated,
	struct p11_key *out)
{
	*out = (struct p11_key){.id_len = id_len};
	memcpy(out->id, id, id_len);
	if (dated && o->starts.set)
		(void)p11_date_read(&o->starts.date, &out->nbf);
}

static int check_order(const struct p11_keys *others, const struct p11_key *key, struct kp_err *err)
{
	char day[TOOL_DATE_LEN];
	for (size_t i = 0; i < others->count; i++) {
		const struct p11_key *old = &others->at[i];
		int order = p11_key_compare(key, old);
		tool_date_print(old->nbf, day);
		if (order < 0)
			return kp_fail(err, EINVAL,
				"the new version would count as older than version %s, which "
				"starts on %s; give it a later day with --starts",
				old->version, day);
		if (order == 0)
			return kp_fail(err, EDOM,
				"nothing would prove that the new version is newer than version "
				"%s, which has %s and no id that tells its age; give that one an "
				"earlier day with cmkdisk tokenkey dates --version %s --starts",
				old->version, *day ? "the same day" : "no start date",
				old->version);
	}
	return 0;
}

// Dates that the token dropped: those that were asked for are missed.
static int check_dates(struct tool *t, const struct tool_options *o, bool dated,
	const struct p11_keys *others, const struct p11_key *key, struct kp_err *err)
{
	if (dated)
		return 0;
	int ret = 0;
	if (o->given & (OPT_STARTS | OPT_ENDS))
		ret = kp_fail(err, EDOM,
			"%s: keeps no dates of keys, so --starts and --ends would be without "
			"effect; the key was not kept",
			t->session.where);
	ret = ret ? ret : check_order(others, key, err);
	if (ret) {
		int gone = tool_destroy_objects(t, key, NULL);
		return gone ? kp_fail(err, EDOM,
				      "%s: keeps no dates of keys; version %s was made for nothing "
				      "and cannot be destroyed: do it with a program of the "
				      "token's",
				      t->session.where, key->version)
			    : ret;
	}
	kp_program_note("%s keeps no dates of keys; the order of versions is told by their ids",
		t->session.where);
	return 0;
}

static int make(struct tool *t, struct tool_options *o, const struct p11_keys *others, bool is_new,
	struct kp_err *err)
{
	const CK_ATTRIBUTE *pinned = tool_attribute(t, CKA_ID);
	uint8_t fresh[16];
	struct p11_key key;
	bool dated = false;
	if (!(o->given & OPT_STARTS))
		tool_date_of((int64_t)time(NULL), &o->starts);
	int ret = pinned ? 0 : tool_new_id(others, fresh, err);
	const uint8_t *id = pinned ? pinned->pValue : fresh;
	size_t id_len = pinned ? pinned->ulValueLen : sizeof(fresh);
	foresee(o, id, id_len, true, &key);
	ret = ret ? ret : check_order(others, &key, err);
	ret = ret ? ret : tool_generate(t, o, id, id_len, &key, &dated, err);
	ret = ret ? ret : check_dates(t, o, dated, others, &key, err);
	return ret ? ret : print_made(t, o, &key, is_new, err);
}

// CKO_PRIVATE_KEY, CKO_SECRET_KEY, or 0 if the URL does not say, or is none.
static CK_OBJECT_CLASS class_of(const char *key_url)
{
	CK_OBJECT_CLASS class = 0;
	P11KitUri *uri = p11_kit_uri_new();
	if (uri && p11_kit_uri_parse(key_url, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK) {
		const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(uri, CKA_CLASS);
		if (a && a->ulValueLen == sizeof(class))
			memcpy(&class, a->pValue, sizeof(class));
	}
	p11_kit_uri_free(uri);
	return class;
}

// What to make; before anything is asked of the token. A key that the URL does not match would not
// be found again.
static int choose(struct tool_options *o, struct kp_err *err)
{
	CK_OBJECT_CLASS class = class_of(o->url.key);
	if (class == CKO_SECRET_KEY && !(o->given & OPT_TYPE))
		o->type = CKK_AES;
	if (class == (o->type == CKK_RSA ? CKO_SECRET_KEY : CKO_PRIVATE_KEY))
		return kp_fail(err, EINVAL,
			"--type %s: the key URL says type=%s; leave one of them out",
			o->type == CKK_RSA ? "rsa" : "aes",
			class == CKO_SECRET_KEY ? "secret-key" : "private");
	if ((o->given & OPT_BITS) && (o->type == CKK_AES) != (o->bits == 256))
		return kp_fail(err, EINVAL,
			"--bits %u: an RSA key has 2048, 3072 or 4096 bits, an AES key 256",
			o->bits);
	o->bits = o->bits ? o->bits : (o->type == CKK_RSA ? 3072 : 256);
	return 0;
}

// That nothing has this name yet; what has it might count as the newest version.
static int check_free(struct tool *t, struct p11_keys *keys, struct kp_err *err)
{
	struct kp_outcome o = {0};
	if (p11_keys_find(&t->context, &t->session, "", keys, &o))
		return tool_outcome(&o, err);
	if (keys->count)
		return kp_fail(err, EEXIST,
			"%s: there is a key of this name already; choose another object=, or make "
			"a newer version of it with cmkdisk tokenkey rotate",
			t->session.where);
	return p11_choose_unfit(keys, t->session.where, &o) ? tool_outcome(&o, err) : 0;
}

int tool_new(const struct tool_options *given, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	struct tool_options o = *given;
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = choose(&o, err);
	ret = ret ? ret : tool_open(&o.url, true, &t, err);
	ret = ret ? ret : check_label(&t, err);
	ret = ret ? ret : check_free(&t, keys, err);
	return ret ? ret : make(&t, &o, keys, true, err);
}

// All versions of a key have one type and size, or nobody can say what the next is to be.
static int model(const struct tool *t, const struct p11_keys *keys, struct tool_options *o,
	struct kp_err *err)
{
	const struct p11_key *first = &keys->at[0];
	struct kp_outcome outcome = {0};
	const struct p11_key *like =
		p11_key_newest(keys, (int64_t)time(NULL), t->session.where, &outcome);
	for (size_t i = 1; !like && i < keys->count; i++)
		if (keys->at[i].type != first->type || keys->at[i].bits != first->bits)
			return tool_outcome(&outcome, err);
	like = like ? like : first;
	o->type = like->type;
	o->bits = like->bits;
	return 0;
}

int tool_rotate(const struct tool_options *given, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	struct tool_options o = *given;
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_open(&o.url, true, &t, err);
	ret = ret ? ret : check_label(&t, err);
	if (ret == 0 && *t.config.id)
		return kp_fail(err, EINVAL,
			"%s: names one version with id=, so there can be no newer one of it; "
			"leave the id out",
			t.config.text);
	ret = ret ? ret : tool_keys(&t, "", keys, err);
	ret = ret ? ret : model(&t, keys, &o, err);
	return ret ? ret : make(&t, &o, keys, false, err);
}
