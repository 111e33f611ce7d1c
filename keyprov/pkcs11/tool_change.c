// SPDX-License-Identifier: MIT
// tokenkey enable, disable and destroy; see tool.h. Every change is looked at again: a token
// may say yes and do nothing.
#include "tool.h"

#include "p11_object.h"
#include "p11_rv.h"

#include <errno.h>
#include <string.h>

#define LABEL_ROOM 1024

int tool_refused(
	struct tool *t, const struct p11_key *key, CK_RV rv, const char *call, struct kp_err *err)
{
	char name[P11_RV_TEXT];
	p11_rv_name(rv, name);
	if (rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_ACTION_PROHIBITED ||
		rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
		rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_FUNCTION_NOT_SUPPORTED)
		return kp_fail(err, EPERM,
			"%s: does not let version %s be changed like this (%s: %s); make a new "
			"version instead",
			t->session.where, key->version, call, name);
	return tool_failed(t, rv, call, err);
}

static int change(
	struct tool *t, const struct p11_key *key, struct tool_template *a, struct kp_err *err)
{
	CK_RV rv =
		t->session.f->C_SetAttributeValue(t->session.handle, key->handle, a->at, a->count);
	return rv == CKR_OK ? 0 : tool_refused(t, key, rv, "C_SetAttributeValue", err);
}

static int set_uses(struct tool *t, const struct p11_key *key, bool on, struct kp_err *err)
{
	struct tool_template both = {.count = 0}, one = {.count = 0};
	if (key->decrypt == on && key->unwrap == on)
		return 0;
	tool_put_bool(&both, CKA_DECRYPT, on);
	tool_put_bool(&both, CKA_UNWRAP, on);
	int ret = change(t, key, &both, err);
	// Some tokens know only the one of them; what is off must be off altogether.
	if (ret == 0 || (!on && key->decrypt && key->unwrap))
		return ret;
	tool_put_bool(&one, !on && key->unwrap ? CKA_UNWRAP : CKA_DECRYPT, on);
	return change(t, key, &one, err);
}

static int set_all(const struct tool_options *o, bool on, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_begin(o, &t, keys, err);
	for (size_t i = 0; ret == 0 && i < keys->count; i++)
		ret = set_uses(&t, &keys->at[i], on, err);
	ret = ret ? ret : tool_keys(&t, o->version, keys, err);
	for (size_t i = 0; ret == 0 && i < keys->count; i++) {
		const struct p11_key *k = &keys->at[i];
		if (on ? !k->decrypt && !k->unwrap : k->decrypt || k->unwrap)
			ret = kp_fail(err, EPERM,
				"%s: took the change of version %s, but the key may still %s",
				t.session.where, k->version,
				on ? "not be used" : "decrypt or unwrap");
	}
	return ret;
}

int tool_enable(const struct tool_options *o, struct kp_err *err)
{
	return set_all(o, true, err);
}

int tool_disable(const struct tool_options *o, struct kp_err *err)
{
	return set_all(o, false, err);
}

// Both halves; a public one that is not there is no loss.
int tool_destroy_objects(struct tool *t, const struct p11_key *key, struct kp_err *err)
{
	CK_OBJECT_HANDLE halves[TOOL_HALVES];
	size_t count = 0;
	int ret = tool_public_halves(t, key, halves, &count, err);
	if (ret)
		return ret;
	CK_RV rv = t->session.f->C_DestroyObject(t->session.handle, key->handle);
	for (size_t i = 0; rv == CKR_OK && i < count; i++)
		rv = t->session.f->C_DestroyObject(t->session.handle, halves[i]);
	return rv == CKR_OK ? 0 : tool_refused(t, key, rv, "C_DestroyObject", err);
}

// Versions of one key have one label. A URL without object= matches whatever has the id.
static int check_one_label(struct tool *t, const struct p11_keys *keys, struct kp_err *err)
{
	uint8_t label[2][LABEL_ROOM] = {{0}};
	size_t len = 0;
	for (size_t i = 0; i < keys->count; i++) {
		CK_ATTRIBUTE a = {CKA_LABEL, label[i > 0], LABEL_ROOM};
		struct kp_outcome o = {0};
		if (p11_object_read(&t->session, keys->at[i].handle, &a, 1, NULL, &o))
			return tool_outcome(&o, err);
		len = i ? len : a.ulValueLen;
		if (a.ulValueLen == len && memcmp(label[0], label[i > 0], len) == 0)
			continue;
		char list[P11_KEYS_TEXT];
		p11_keys_text(keys, list, sizeof(list));
		return kp_fail(err, EINVAL,
			"destroy: keys of several labels match %.200s; name one with object=: %s",
			t->config.text, list);
	}
	return 0;
}

static void print_key(FILE *f, const char *before, const struct p11_key *key)
{
	char text[P11_KEY_TEXT];
	p11_key_text(key, text);
	(void)fprintf(f, "%s%s, %s %u\n", before, text, tool_key_type(key), key->bits);
}

// What goes, one line each. The caller frees it; NULL without memory.
static char *question(const struct tool *t, const struct p11_keys *keys)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	(void)fprintf(f, "To be destroyed in %s:\n", t->session.where);
	for (size_t i = 0; i < keys->count; i++)
		print_key(f, "  ", &keys->at[i]);
	(void)fputs("Disks bound to what is destroyed are lost. Type yes: ", f);
	bool good = !ferror(f);
	if (fclose(f) == 0 && good)
		return text;
	free(text);
	return NULL;
}

static int confirm(const struct tool *t, const struct tool_options *o, const struct p11_keys *keys,
	struct kp_err *err)
{
	char answer[16];
	if (o->given & OPT_YES)
		return 0;
	char *prompt autofree = question(t, keys);
	if (!prompt)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_ask(prompt, true, answer, sizeof(answer));
	if (ret == -ENOTTY)
		return kp_fail(err, EINVAL,
			"destroy: there is no terminal to ask on; say --yes if you are sure");
	if (ret || strcmp(answer, "yes") != 0)
		return kp_fail(err, EPERM, "nothing was destroyed");
	return 0;
}

int tool_destroy(const struct tool_options *o, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	if (!*o->version == !(o->given & OPT_ALL))
		return kp_fail(err, EINVAL, "destroy: give --version V or --all, one of them");
	int ret = tool_begin(o, &t, keys, err);
	ret = ret ? ret : check_one_label(&t, keys, err);
	ret = ret ? ret : confirm(&t, o, keys, err);
	for (size_t i = 0; ret == 0 && i < keys->count; i++) {
		ret = tool_destroy_objects(&t, &keys->at[i], err);
		if (ret == 0)
			print_key(stdout, "Destroyed   ", &keys->at[i]);
	}
	return ret;
}
