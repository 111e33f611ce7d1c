// SPDX-License-Identifier: MIT
// Strict reading of our LUKS2 tokens. Knows JSON and text, but not what the members mean.
#include "token.h"

#include "bytes.h"
#include "json.h"
#include "scope.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LUKS2_KEYSLOTS 32

int token_bad(const struct token_reader *r, const char *fmt, ...)
{
	struct errmsg what;
	va_list ap;

	va_start(ap, fmt);
	(void)errmsg_vset(&what, EBADMSG, fmt, ap);
	va_end(ap);
	return errmsg_set(r->err, EBADMSG,
		"LUKS2 token %d (%s): %s; restore a header backup (cryptsetup luksHeaderRestore)",
		r->token, r->type, what.text);
}

int token_open(struct token_reader *r, int token, const char *type, int version, const char *text,
	size_t len, struct errmsg *err)
{
	int64_t found;
	*r = (struct token_reader){.type = type, .token = token, .err = err};

	int ret = json_parse(text, len, &r->root);
	if (ret == -EBADMSG)
		return token_bad(r, "the text is not JSON");
	if (ret)
		return ret;
	const char *found_type = json_str(r->root, "type");
	if (!found_type || strcmp(found_type, type) != 0)
		return token_bad(r, "the member \"type\" is not \"%s\"", type);
	if (!json_int(r->root, "version", &found))
		return token_bad(r, "the member \"version\" is missing or not an integer");
	if (found != version)
		return errmsg_set(err, EBADMSG,
			"LUKS2 token %d (%s) has format version %lld, this cmkdisk knows version "
			"%d; use "
			"the cmkdisk that wrote it, or a newer one",
			token, type, (long long)found, version);
	return 0;
}

void token_close(struct token_reader *r)
{
	json_free(&r->root);
}

int token_str(const struct token_reader *r, const char *member, char *out, size_t room)
{
	const char *text = json_str(r->root, member);
	if (!text)
		return token_bad(r, "the member \"%s\" is missing or not a string", member);
	size_t len = strlen(text);
	if (len == 0 || len >= room)
		return token_bad(r, "the member \"%s\" has %zu characters, expected 1 to %zu",
			member, len, room - 1);
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return token_bad(r,
				"the member \"%s\" holds a character that is not printable ASCII",
				member);
	memcpy(out, text, len + 1);
	return 0;
}

int token_int(
	const struct token_reader *r, const char *member, int64_t min, int64_t max, int64_t *out)
{
	int64_t value;
	if (!json_int(r->root, member, &value))
		return token_bad(r, "the member \"%s\" is missing or not an integer", member);
	if (value < min || value > max)
		return token_bad(r, "the member \"%s\" is %lld, expected %lld to %lld", member,
			(long long)value, (long long)min, (long long)max);
	*out = value;
	return 0;
}

int token_bytes(const struct token_reader *r, const char *member, const char *text, size_t min,
	uint8_t *out, size_t *len)
{
	if (!text)
		return token_bad(r, "the member \"%s\" is missing or not a string", member);
	size_t room = *len;
	int ret = base64url_decode(text, out, len);
	if (ret == -ENOSPC)
		return token_bad(r, "the member \"%s\" holds more than %zu bytes", member, room);
	if (ret == -EBADMSG)
		return token_bad(
			r, "the member \"%s\" is not base64url (damaged or cut short)", member);
	if (ret)
		return ret;
	if (*len < min)
		return token_bad(r,
			"the member \"%s\" holds %zu bytes, expected at least %zu (cut short)",
			member, *len, min);
	return 0;
}

int token_keyslot(const struct token_reader *r, int *out)
{
	const struct json *slots = json_get(r->root, "keyslots");
	size_t count = json_array_len(slots);

	if (!json_is_array(slots))
		return token_bad(r, "the member \"keyslots\" is missing or not an array");
	if (count == 0)
		return token_bad(r, "its keyslot is gone, so its key opens nothing any more "
				    "(cryptsetup erase or luksKillSlot)");
	if (count > 1)
		return token_bad(r, "it names %zu keyslots, expected exactly one", count);
	const char *text = json_as_str(json_array_at(slots, 0));
	size_t len = text ? strlen(text) : 0;
	int slot = 0;
	for (size_t i = 0; i < len && len <= 2; i++) {
		if (text[i] < '0' || text[i] > '9')
			return token_bad(r, "its keyslot is not a number");
		slot = slot * 10 + (text[i] - '0');
	}
	if (len == 0 || len > 2 || (len == 2 && text[0] == '0') || slot >= LUKS2_KEYSLOTS)
		return token_bad(r, "its keyslot is not a number from 0 to %d", LUKS2_KEYSLOTS - 1);
	*out = slot;
	return 0;
}

int token_new(const char *type, int keyslot, int version, struct json **out)
{
	struct json *obj scoped(json_free) = NULL;
	struct json *slots = NULL;

	int ret = json_object(&obj);
	if (!ret)
		ret = json_add_str(obj, "type", type);
	if (!ret)
		ret = json_array(&slots);
	if (!ret)
		ret = json_add(obj, "keyslots", slots);
	if (!ret && keyslot >= 0) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%d", keyslot);
		ret = json_push_str(slots, text);
	}
	if (!ret)
		ret = json_add_int(obj, "version", version);
	if (!ret)
		*out = TAKE(obj);
	return ret;
}

int token_add_bytes(struct json *obj, const char *member, const uint8_t *data, size_t len)
{
	char *text autofree = malloc(BASE64URL_LEN(len) + 1);
	if (!text)
		return -ENOMEM;
	base64url_encode(data, len, text);
	return json_add_str(obj, member, text);
}
