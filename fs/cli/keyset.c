// SPDX-License-Identifier: MIT
// Reading key sets. What is ours in them is read strictly: a mistyped name must not weaken a policy
// without a word. What is Azure's is looked at only where it decides something here.
#include "keyset.h"
#include "cli.h"
#include "fileio.h"
#include "json.h"
#include "key_uri.h"
#include "keyset_query.h"
#include "keyurl.h"
#include "plugins.h"
#include "scope.h"
#include "secret.h"
#include "units.h"

#include <errno.h>
#include <string.h>

#define KEYSET_BYTES_MAX (256u * 1024)

// The key alone matters here: which of the three it is changes nothing.
static const char *const encryption_types[] = {"EncryptionAtRestWithCustomerKey",
	"EncryptionAtRestWithPlatformAndCustomerKeys", "ConfidentialVmEncryptedWithCustomerKey"};

static const char *const our_members[] = {
	"graceDenied", "graceUnreachable", "interval", "onExpiry", "nearExpiry", "azure", "pkcs11"};

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

// One reading of one file.
struct reading {
	const char *path;
	struct keyset *out;
	struct errmsg *err;
};

void keyset_free(struct keyset *k)
{
	// A key set that was refused may have a PIN in it.
	if (k->config)
		wipe(k->config, strlen(k->config));
	free(k->config);
	k->config = NULL;
	secret_free(&k->pin);
}

// *query: what stands behind the '?' of a pkcs11: URI, NULL if there is nothing.
static int set_url(const char *what, const char *url, struct keyset *out, const char **query,
	struct errmsg *err)
{
	char scheme[33];
	int rc = key_url_scheme(url, scheme, sizeof(scheme), err);
	if (rc)
		return rc;
	const char *pin = key_uri_misplaced_pin(url);
	if (pin)
		return errmsg_set(err, EINVAL,
			"%s: %s does not name the key; write it behind a '?', best as "
			"?pin-source=file:/PATH",
			what, pin);
	size_t all = strlen(url), len = key_uri_is(url) ? strcspn(url, "?") : all;
	if (len >= sizeof(out->key_url))
		return errmsg_set(err, EINVAL, "%s: longer than %zu characters", what,
			sizeof(out->key_url) - 1);
	for (size_t i = 0; i < all; i++)
		if (url[i] <= ' ' || url[i] > '~')
			return errmsg_set(err, EINVAL,
				"%s: a character that is not printable ASCII; write it as %%XX",
				what);
	memcpy(out->key_url, url, len);
	out->key_url[len] = '\0';
	*query = len + 1 < all ? url + len + 1 : NULL;
	return 0;
}

// The provider finds it in the config, and nowhere else. present: what the config has of it, or "".
static int take_query(const char *what, const char *query, const char *present, bool in_arguments,
	struct keyset *out, struct errmsg *err)
{
	char *rest autofree = NULL, *config = NULL;
	int rc = keyset_query_read(what, query, in_arguments, out, &rest, err);
	if (rc || !strcmp(rest ? rest : "", present))
		return rc;
	if (keyset_query_put(out->config, rest ? rest : "", &config))
		return errmsg_set(err, ENOMEM, "out of memory");
	free(out->config);
	out->config = config;
	return 0;
}

int keyset_of_url(const char *key_url, struct keyset *out, struct errmsg *err)
{
	const char *query = NULL;
	*out = (struct keyset)KEYSET_NONE;
	out->config = strdup("{}");
	if (!out->config)
		return errmsg_set(err, ENOMEM, "out of memory");
	int rc = set_url("--key", key_url, out, &query, err);
	return rc || !query ? rc : take_query("--key", query, "", true, out, err);
}

static int wrong(const struct reading *r, const char *member, const char *expected)
{
	return errmsg_set(r->err, EBADMSG, "%s: %s: expected %s", r->path, member, expected);
}

// As az prints what is not set.
static bool absent(const struct json *value)
{
	return !value || json_is_null(value);
}

static int encryption_type(const struct reading *r, const struct json *value)
{
	const char *text = json_as_str(value);
	if (absent(value))
		return 0;
	for (size_t i = 0; text && i < COUNT_OF(encryption_types); i++)
		if (!strcmp(text, encryption_types[i]))
			r->out->encryption_type = encryption_types[i];
	if (r->out->encryption_type)
		return 0;
	return wrong(r, "encryptionType",
		"EncryptionAtRestWithCustomerKey, EncryptionAtRestWithPlatformAndCustomerKeys or "
		"ConfidentialVmEncryptedWithCustomerKey");
}

static int rotation(const struct reading *r, const struct json *set, const struct json *root)
{
	const struct json *value = json_get(root, "rotationToLatestKeyVersionEnabled");
	bool on = false;
	if (absent(value))
		value = json_get(set, "rotationToLatestKeyVersionEnabled");
	if (absent(value))
		return 0;
	if (!json_as_bool(value, &on))
		return wrong(r, "rotationToLatestKeyVersionEnabled", "true, false or null");
	r->out->rotation = on ? KEYSET_ROTATION_ON : KEYSET_ROTATION_OFF;
	return 0;
}

// Only its shape: whose identity it is matters to the provider.
static int identity(const struct reading *r, const struct json *value)
{
	const struct json *type = json_get(value, "type"),
			  *users = json_get(value, "userAssignedIdentities");
	if (absent(value))
		return 0;
	if (!json_is_object(value))
		return wrong(r, "identity", "an object or null");
	if (!absent(type) && !json_as_str(type))
		return wrong(r, "identity.type", "a string such as \"SystemAssigned\"");
	if (!absent(users) && !json_is_object(users))
		return wrong(r, "identity.userAssignedIdentities", "an object or null");
	return 0;
}

static int only_known_members(const struct reading *r, const struct json *ours)
{
	const char *name = NULL;
	for (size_t i = 0; json_member_at(ours, i, &name); i++) {
		bool known = false;
		for (size_t j = 0; j < COUNT_OF(our_members); j++)
			known |= !strcmp(name, our_members[j]);
		if (!known)
			return errmsg_set(r->err, EBADMSG,
				"%s: cmkdisk.%s: there is no such member; known are graceDenied, "
				"graceUnreachable, interval, onExpiry, nearExpiry, azure and "
				"pkcs11",
				r->path, name);
	}
	return 0;
}

static int duration(
	const struct reading *r, const struct json *ours, const char *member, uint64_t *ms)
{
	const struct json *value = json_get(ours, member);
	if (!value)
		return 0;
	const char *text = json_as_str(value);
	if (!text)
		return errmsg_set(r->err, EBADMSG,
			"%s: cmkdisk.%s: expected a string such as \"1h\"", r->path, member);
	int rc = parse_duration_ms(member, text, ms, r->err);
	if (rc)
		errmsg_prefix(r->err, "%s: cmkdisk", r->path);
	return rc ? -EBADMSG : 0;
}

static int durations(const struct reading *r, const struct json *ours)
{
	struct keyset *out = r->out;
	uint64_t near_ms = DURATION_UNSET;
	int rc = duration(r, ours, "graceDenied", &out->grace_denied_ms);
	if (!rc)
		rc = duration(r, ours, "graceUnreachable", &out->grace_unreachable_ms);
	if (!rc)
		rc = duration(r, ours, "interval", &out->interval_ms);
	if (!rc)
		rc = duration(r, ours, "nearExpiry", &near_ms);
	if (rc)
		return rc;
	if (out->grace_unreachable_ms < GRACE_UNREACHABLE_MIN_MS)
		return errmsg_set(r->err, EBADMSG,
			"%s: cmkdisk.graceUnreachable: a disk that stops at the first missed "
			"answer is of no use; expected at least 1s",
			r->path);
	if (near_ms < 1000)
		return wrong(r, "cmkdisk.nearExpiry", "at least 1s");
	out->near_expiry_s = near_ms == DURATION_UNSET ? 0 : near_ms / 1000;
	return 0;
}

static int read_ours(const struct reading *r, const struct json *ours)
{
	if (!ours)
		return 0;
	if (!json_is_object(ours))
		return wrong(r, "cmkdisk", "an object");
	int rc = only_known_members(r, ours);
	if (!rc)
		rc = durations(r, ours);
	if (!rc && json_get(ours, "azure") && !json_is_object(json_get(ours, "azure")))
		rc = wrong(r, "cmkdisk.azure", "an object");
	if (!rc && json_get(ours, "pkcs11") && !json_is_object(json_get(ours, "pkcs11")))
		rc = wrong(r, "cmkdisk.pkcs11", "an object");
	if (rc || !json_get(ours, "onExpiry"))
		return rc;
	const char *text = json_str(ours, "onExpiry");
	if (!text || (strcmp(text, "stop") && strcmp(text, "ignore")))
		return wrong(r, "cmkdisk.onExpiry", "\"stop\" or \"ignore\"");
	r->out->on_expiry_given = true;
	r->out->expiry_stops = !strcmp(text, "stop");
	return 0;
}

// The object in which Azure's members stand.
static const struct json *azure_members(const struct json *root)
{
	return json_get(root, "activeKey") ? root : json_get(root, "properties");
}

// url_query: the one of the key URL, or NULL.
static int read_query(const struct reading *r, const struct json *root, const char *url_query)
{
	const struct json *pkcs11 = json_get(json_get(root, "cmkdisk"), "pkcs11");
	const struct json *own = json_get(pkcs11, "query");
	if (!key_uri_is(r->out->key_url) || (!own && !url_query))
		return 0;
	if (own && url_query)
		return errmsg_set(r->err, EBADMSG,
			"%s: cmkdisk.pkcs11.query: activeKey.keyUrl has a query, too; expected one "
			"of them",
			r->path);
	if (own && !json_as_str(own))
		return wrong(r, "cmkdisk.pkcs11.query", "a string");
	int rc = own ? take_query("cmkdisk.pkcs11.query", json_as_str(own), json_as_str(own), false,
			       r->out, r->err)
		     : take_query("activeKey.keyUrl", url_query, "", false, r->out, r->err);
	if (rc)
		errmsg_prefix(r->err, "%s", r->path);
	return rc == -ENOMEM || !rc ? rc : -EBADMSG;
}

static int read_azure(const struct reading *r, const struct json *root, const char **query)
{
	const struct json *set = azure_members(root);
	const struct json *active = json_get(set, "activeKey");
	const char *url = json_str(active, "keyUrl");
	if (!url)
		return errmsg_set(r->err, EBADMSG,
			"%s: no activeKey.keyUrl; expected what `az disk-encryption-set show` "
			"prints",
			r->path);
	int rc = set_url("activeKey.keyUrl", url, r->out, query, r->err);
	if (rc) {
		errmsg_prefix(r->err, "%s", r->path);
		return -EBADMSG;
	}
	rc = encryption_type(r, json_get(set, "encryptionType"));
	if (!rc)
		rc = rotation(r, set, root);
	return rc ? rc : identity(r, json_get(root, "identity"));
}

int keyset_read(const char *path, struct keyset *out, struct errmsg *err)
{
	const struct reading r = {path, out, err};
	*out = (struct keyset)KEYSET_NONE;
	size_t len = 0;
	int rc = read_text_file(path, KEYSET_BYTES_MAX, &out->config, &len, err);
	if (rc)
		return rc == -EFBIG ? -EBADMSG : rc;
	struct json *root scoped(json_free) = NULL;
	rc = json_parse(out->config, len, &root);
	if (rc || !json_is_object(root))
		return errmsg_set(err, EBADMSG,
			"%s: not a JSON object; expected what `az disk-encryption-set show` prints",
			path);
	const char *query = NULL;
	rc = read_azure(&r, root, &query);
	if (!rc && json_get(json_get(root, "properties"), "cmkdisk"))
		rc = errmsg_set(err, EBADMSG,
			"%s: properties.cmkdisk: the member cmkdisk stands at the top, beside "
			"properties",
			path);
	if (!rc)
		rc = read_ours(&r, json_get(root, "cmkdisk"));
	return rc ? rc : read_query(&r, root, query);
}

int keyset_config_pinned(const struct keyset *k, char **out)
{
	struct json *root scoped(json_free) = NULL;
	int rc = json_parse(k->config, strlen(k->config), &root);
	struct json *properties = json_member(root, "properties");
	if (!rc)
		rc = json_set_bool(root, "rotationToLatestKeyVersionEnabled", false);
	if (!rc && json_is_object(properties))
		rc = json_set_bool(properties, "rotationToLatestKeyVersionEnabled", false);
	return rc ? rc : json_print(root, false, out);
}

int keyset_choose(
	void *key_choice, const struct cli_option *o, const char *value, struct errmsg *err)
{
	(void)err;
	struct key_choice *c = key_choice;
	*(!strcmp(o->name, "key") ? &c->key : &c->set) = value;
	return 0;
}

int keyset_pin(const char *command, const char *key, const char *set, struct keyset *out,
	struct errmsg *err)
{
	if (key && set)
		return errmsg_set(
			err, EINVAL, "%s: expected one of --key and --set, not both", command);
	if (!key && !set)
		return 0;
	int rc = key ? keyset_of_url(key, out, err) : keyset_read(set, out, err);
	return rc ? rc : 1;
}

bool keyset_pins(const struct keyset *pin, const char *key_url)
{
	return !pin || key_url_same(pin->key_url, key_url);
}
