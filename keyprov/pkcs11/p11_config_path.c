// SPDX-License-Identifier: MIT
// The key URL of a PKCS#11 key (RFC 7512 section 2.3), which names the key and nothing else. Its
// attributes are looked at here before p11-kit gets them, because p11_kit_uri_parse() is kinder
// than a header from outside deserves: what follows an empty attribute (";;") it takes for a
// query, it finds a pin-source in the path, drops blanks, lets the last of two win, and matches
// anything to a value that begins with a NUL.
#include "p11_config_read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME "pkcs11:"
#define LABEL_BYTES 255

static bool is_field(const char *value, size_t len, size_t max)
{
	return len <= max && (len == 0 || value[0]);
}

static bool is_bytes(const char *value, size_t len, size_t max)
{
	(void)value;
	return len > 0 && len <= max;
}

static bool is_type(const char *value, size_t len, size_t max)
{
	(void)max;
	return strlen(value) == len &&
	       (strcmp(value, "private") == 0 || strcmp(value, "secret-key") == 0);
}

static bool is_number(const char *value, size_t len, size_t max)
{
	return len > 0 && len <= max && strspn(value, "0123456789") == len;
}

// 0 to 254, for the highest byte stands for "not said" in p11-kit.
static bool is_version_part(const char *value, size_t len)
{
	return is_number(value, strspn(value, "0123456789"), 3) && len <= 3 &&
	       strtoul(value, NULL, 10) < 255;
}

static bool is_version(const char *value, size_t len, size_t max)
{
	(void)max;
	const char *dot = memchr(value, '.', len);
	if (strspn(value, "0123456789.") != len)
		return false;
	if (!dot)
		return is_version_part(value, len);
	size_t major = (size_t)(dot - value);
	return !strchr(dot + 1, '.') && is_version_part(value, major) &&
	       is_version_part(dot + 1, len - major - 1);
}

struct attribute {
	const char *name;
	bool (*fits)(const char *value, size_t len, size_t max);
	size_t max;
	const char *wanted;
};

#define FIELD(name, max)                                                             \
	{                                                                            \
		name, is_field, max, "at most " #max " bytes and not begin with %00" \
	}
static const struct attribute attributes[] = {
	FIELD("token", 32),
	FIELD("manufacturer", 32),
	FIELD("serial", 16),
	FIELD("model", 16),
	FIELD("library-manufacturer", 32),
	FIELD("library-description", 32),
	{"library-version", is_version, 0, "a number such as 2 or 2.61"},
	FIELD("slot-manufacturer", 32),
	FIELD("slot-description", 64),
	{"slot-id", is_number, 18, "a decimal number"},
	{"object", is_bytes, LABEL_BYTES, "the key's label, 1 to 255 bytes"},
	{"id", is_bytes, P11_ID_MAX, "1 to 60 bytes, such as %01%a0"},
	{"type", is_type, 0, "private or secret-key, which can unwrap"},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(*attributes))

// ATTRIBUTES if there is none of that name.
static size_t find(const struct p11_part *part)
{
	size_t i = 0;
	while (i < ATTRIBUTES && !p11_part_is(part, attributes[i].name))
		i++;
	return i;
}

static enum cmk_verdict unknown(const struct p11_part *part, struct kp_outcome *o)
{
	if (p11_part_is(part, "pin-value") || p11_part_is(part, "pin-source") ||
		p11_part_is(part, "module-path") || p11_part_is(part, "module-name"))
		return p11_config_refuse(o,
			"key URL: '%.*s' does not name the key; write it after a '?'",
			(int)part->name_len, part->name);
	return p11_config_refuse(o,
		"key URL: there is no attribute '%.*s'; write those of RFC 7512, such as token, "
		"serial, object, id and type",
		(int)(part->name_len < 64 ? part->name_len : 64), part->name);
}

static enum cmk_verdict check_part(
	const struct p11_part *part, char *room, unsigned *seen, struct kp_outcome *o)
{
	size_t i = find(part), len;
	if (i == ATTRIBUTES)
		return unknown(part, o);
	const struct attribute *a = &attributes[i];
	if (*seen & (1U << i))
		return p11_config_refuse(o, "key URL: '%s' is there twice; write it once", a->name);
	*seen |= 1U << i;
	if (!p11_decode(part->value, part->value_len, room, &len))
		return p11_config_refuse(o,
			"key URL: the value of '%s' is not properly encoded; write a blank as "
			"%%20, "
			"'#' as %%23 and '%%' as %%25",
			a->name);
	if (!a->fits(room, len, a->max))
		return p11_config_refuse(
			o, "key URL: the value of '%s' must be %s", a->name, a->wanted);
	return CMK_GRANTED;
}

static enum cmk_verdict check(const char *path, struct kp_outcome *o)
{
	unsigned seen = 0;
	autofree char *room = malloc(strlen(path) + 1);
	if (!room)
		return p11_config_no_memory(o);
	for (const char *at = path; at;) {
		struct p11_part part;
		if (!p11_part_next(&at, ';', &part))
			return p11_config_refuse(o,
				"key URL: write name=value with a ';' between two, such as "
				"pkcs11:token=bank;object=disk");
		enum cmk_verdict v = check_part(&part, room, &seen, o);
		if (v != CMK_GRANTED)
			return v;
	}
	return CMK_GRANTED;
}

static enum cmk_verdict parse(const char *path, P11KitUri *uri, struct kp_outcome *o)
{
	size_t size = sizeof(SCHEME) + strlen(path);
	autofree char *text = malloc(size);
	if (!text || !uri)
		return p11_config_no_memory(o);
	(void)snprintf(text, size, SCHEME "%s", path);
	int ret = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (ret == P11_KIT_URI_UNEXPECTED)
		return p11_config_no_memory(o);
	if (ret != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri))
		return p11_config_refuse(o, "key URL: p11-kit does not understand it (%s)",
			ret ? p11_kit_uri_message(ret) : "a value is unknown to it");
	return CMK_GRANTED;
}

static void print_id(const CK_ATTRIBUTE *id, char out[CMK_VERSION_MAX])
{
	const uint8_t *bytes = id->pValue;
	for (size_t i = 0; i < id->ulValueLen && i < P11_ID_MAX; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

enum cmk_verdict p11_config_path(struct p11_config *c, const char *key_url, struct kp_outcome *o)
{
	if (strncasecmp(key_url, SCHEME, strlen(SCHEME)) != 0)
		return p11_config_refuse(o,
			"key URL: it does not begin with " SCHEME "; write one such as "
			"pkcs11:token=bank;object=disk");
	const char *path = key_url + strlen(SCHEME);
	if (strchr(path, '?'))
		return p11_config_refuse(o,
			"key URL: it has a query, which does not name the key; what stands after "
			"the '?' belongs into cmkdisk.pkcs11.query of the key set");
	if (strchr(path, '#'))
		return p11_config_refuse(o,
			"key URL: it has a fragment; a '#' that belongs to a name is written %%23");
	if (!*path)
		return p11_config_refuse(o, "key URL: it names no key; write one such as "
					    "pkcs11:token=bank;object=disk");
	enum cmk_verdict v = check(path, o);
	if (v != CMK_GRANTED)
		return v;
	c->uri = p11_kit_uri_new();
	v = parse(path, c->uri, o);
	const CK_ATTRIBUTE *id =
		v == CMK_GRANTED ? p11_kit_uri_get_attribute(c->uri, CKA_ID) : NULL;
	if (id)
		print_id(id, c->id);
	return v;
}
