// SPDX-License-Identifier: MIT
// From a key URL to a token that is logged in, by the provider's own core; see tool.h.
#include "tool.h"

#include "kp_json.h"
#include "kp_program.h"
#include "p11_choose.h"
#include "p11_object.h"

#include <errno.h>
#include <string.h>

#define LOOKS 4 // at a token that does not seem to be there

// What the provider gets as its key set.
static int settings(const struct tool_url *url, char **out)
{
	scoped(kp_json_free) struct kp_json *root = NULL, *ours = NULL, *mine = NULL;
	int ret = kp_json_object(&root);
	ret = ret ? ret : kp_json_object(&ours);
	ret = ret ? ret : kp_json_object(&mine);
	if (ret == 0 && *url->query)
		ret = kp_json_add_str(mine, "query", url->query);
	ret = ret ? ret : kp_json_add(ours, "pkcs11", TAKE(mine));
	ret = ret ? ret : kp_json_add(root, "cmkdisk", TAKE(ours));
	return ret ? ret : kp_json_print(root, false, out);
}

int tool_outcome(const struct kp_outcome *o, struct kp_err *err)
{
	static const int errnums[] = {
		[CMK_GRANTED] = 0,
		[CMK_DENIED] = EKEYREVOKED,
		[CMK_UNREACHABLE] = EHOSTUNREACH,
		[CMK_MISCONFIGURED] = EDOM,
		[CMK_BAD_BLOB] = EBADMSG,
	};
	return o->verdict == CMK_GRANTED ? 0 : kp_fail(err, errnums[o->verdict], "%s", o->err.text);
}

// *pin: "CMKDISK_PIN=...", the caller's; NULL if the person gave none.
static int ask_pin(const char *key, char **pin, struct kp_err *err)
{
	static const char variable[] = "CMKDISK_PIN=";
	size_t head = sizeof(variable) - 1, room = P11_PIN_MAX + 2;
	scoped(kp_program_free_secret) char *text =
		kp_program_host()->secret_alloc(kp_program_host(), head + room);
	char prompt[512];
	if (!text)
		return kp_fail(err, ENOMEM, "no locked memory for the PIN");
	memcpy(text, variable, head);
	(void)snprintf(prompt, sizeof(prompt), "PIN for %.400s (Enter: none): ", key);
	int ret = tool_ask(prompt, false, text + head, room);
	if (ret == -E2BIG)
		return kp_fail(err, EINVAL, "the PIN is longer than %d bytes", P11_PIN_MAX);
	if (ret && ret != -ENOTTY)
		return kp_fail(err, EIO, "no PIN was given on the terminal");
	if (ret == 0 && text[head])
		*pin = TAKE(text);
	return 0;
}

// The text of the settings need not outlive the reading.
static int read_config(
	const struct tool_url *url, const char *pin, struct tool *t, struct kp_err *err)
{
	char *config autofree = NULL;
	const char *environment[] = {pin, NULL};
	struct kp_outcome o = {0};
	if (settings(url, &config))
		return kp_fail(err, ENOMEM, "no memory");
	struct cmk_key_ref ref = {.struct_size = sizeof(ref),
		.key_url = url->key,
		.config = config,
		.disk = "",
		.environment = environment};
	if (p11_config_read(kp_program_host(), &ref, &t->config, &o))
		return tool_outcome(&o, err);
	return 0;
}

static enum cmk_verdict begin(struct tool *t, bool read_write, struct kp_outcome *o)
{
	enum cmk_verdict v = p11_session_begin(&t->context, read_write, &t->session, o);
	for (int i = 1; i < LOOKS && v == CMK_UNREACHABLE && !t->session.pin_failed; i++) {
		p11_session_end(&t->context, &t->session);
		v = p11_modules_restart_later(&t->modules, o);
		if (v == CMK_GRANTED)
			v = p11_session_begin(&t->context, read_write, &t->session, o);
	}
	return v;
}

int tool_open(const struct tool_url *url, bool read_write, struct tool *t, struct kp_err *err)
{
	scoped(kp_program_free_secret) char *asked = NULL;
	struct kp_outcome o = {0};
	*t = (struct tool){.context = {.host = kp_program_host(),
				   .config = &t->config,
				   .modules = &t->modules,
				   .pin_memory = &t->pins}};
	// A mistake in the URL is told before anybody types a PIN.
	int ret = read_config(url, url->pin, t, err);
	if (ret == 0 && !url->pin && !url->source) {
		ret = ask_pin(url->key, &asked, err);
		if (ret == 0 && asked) {
			p11_config_free(kp_program_host(), &t->config);
			t->config = (struct p11_config){0};
			ret = read_config(url, asked, t, err);
		}
	}
	if (ret)
		return ret;
	if (p11_modules_load(&t->config, &t->modules, &o))
		return tool_outcome(&o, err);
	t->begun = true;
	if (begin(t, read_write, &o))
		return tool_outcome(&o, err);
	return 0;
}

void tool_close(struct tool *t)
{
	if (t->begun)
		p11_session_end(&t->context, &t->session);
	p11_modules_free(&t->modules);
	p11_config_free(kp_program_host(), &t->config);
	explicit_bzero(&t->pins, sizeof(t->pins));
}

int tool_keys(struct tool *t, const char *version, struct p11_keys *out, struct kp_err *err)
{
	struct kp_outcome o = {0};
	if (p11_keys_find(&t->context, &t->session, version, out, &o))
		return tool_outcome(&o, err);
	if (out->count > 0)
		return 0;
	if (p11_choose_unfit(out, t->session.where, &o))
		return tool_outcome(&o, err);
	return *version ? kp_fail(err, ENOENT,
				  "%s: there is no version %s of this key; cmkdisk tokenkey show "
				  "lists them",
				  t->session.where, version)
			: kp_fail(err, ENOENT,
				  "%s: there is no such key; cmkdisk tokenkey new makes one",
				  t->session.where);
}

// True also for what is no URL, which tool_open() says better.
static bool names_key(const char *key_url)
{
	P11KitUri *uri = p11_kit_uri_new();
	bool names = !uri || p11_kit_uri_parse(key_url, P11_KIT_URI_FOR_ANY, uri) ||
		     p11_kit_uri_get_attribute(uri, CKA_LABEL) ||
		     p11_kit_uri_get_attribute(uri, CKA_ID);
	p11_kit_uri_free(uri);
	return names;
}

int tool_begin(
	const struct tool_options *o, struct tool *t, struct p11_keys *keys, struct kp_err *err)
{
	// What follows the first ';' of an unquoted URL never got here.
	if (!*o->version && !names_key(o->url.key))
		return kp_fail(err, EINVAL,
			"%.400s: has neither object= nor id=, which would be every key in the "
			"token; name the key, and quote the URL, for a shell ends it at its first "
			"';'",
			o->url.key);
	int ret = tool_open(&o->url, true, t, err);
	return ret ? ret : tool_keys(t, o->version, keys, err);
}

int tool_public_halves(struct tool *t, const struct p11_key *key, CK_OBJECT_HANDLE out[TOOL_HALVES],
	size_t *count, struct kp_err *err)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	const CK_ATTRIBUTE *label = tool_attribute(t, CKA_LABEL);
	struct tool_template a = {.count = 0};
	struct kp_outcome o = {0};
	*count = 0;
	if (key->class != CKO_PRIVATE_KEY)
		return 0;
	tool_put(&a, CKA_CLASS, &class, sizeof(class));
	tool_put(&a, CKA_ID, key->id, key->id_len);
	if (label)
		tool_put(&a, CKA_LABEL, label->pValue, label->ulValueLen);
	return p11_objects_find(&t->session, a.at, a.count, out, TOOL_HALVES, count, &o)
		       ? tool_outcome(&o, err)
		       : 0;
}

int tool_failed(struct tool *t, CK_RV rv, const char *call, struct kp_err *err)
{
	struct kp_outcome o = {0};
	enum cmk_verdict v = p11_session_failed(&t->session, rv, call, &o);
	return v == CMK_GRANTED
		       ? kp_fail(err, EHOSTUNREACH, "%s: %s failed", t->session.where, call)
		       : tool_outcome(&o, err);
}

const CK_ATTRIBUTE *tool_attribute(const struct tool *t, CK_ATTRIBUTE_TYPE type)
{
	const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(t->config.uri, type);
	return a && a->pValue && a->ulValueLen > 0 && a->ulValueLen < 1024 ? a : NULL;
}

void tool_put(struct tool_template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	if (t->count < TOOL_ATTRIBUTES)
		t->at[t->count++] = (CK_ATTRIBUTE){type, (void *)value, len};
}

void tool_put_bool(struct tool_template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	static const CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
	tool_put(t, type, value ? &yes : &no, sizeof(yes));
}

void tool_put_ulong(struct tool_template *t, CK_ATTRIBUTE_TYPE type, const CK_ULONG *value)
{
	tool_put(t, type, value, sizeof(*value));
}
