// SPDX-License-Identifier: MIT
// See key_uri.h.
#include "key_uri.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define SCHEME "pkcs11:"
#define SCHEME_LEN (sizeof(SCHEME) - 1)
#define ATTRIBUTES_MAX 32 // more than the RFC knows of
#define ID_MAX ((CMK_VERSION_MAX - 1) / 2)

struct path {
	struct key_uri_attribute at[ATTRIBUTES_MAX];
	size_t count;
};

bool key_uri_is(const char *url)
{
	return !strncasecmp(url, SCHEME, SCHEME_LEN);
}

bool key_uri_next(const char **at, char separator, struct key_uri_attribute *out)
{
	if (!*at || !**at)
		return false;
	const char ends[] = {separator, separator == ';' ? '?' : '\0', '\0'};
	size_t len = strcspn(*at, ends);
	const char *equals = memchr(*at, '=', len);
	out->name = *at;
	out->name_len = equals ? (size_t)(equals - *at) : len;
	out->value = equals ? equals + 1 : NULL;
	out->value_len = equals ? len - out->name_len - 1 : 0;
	*at = (*at)[len] == separator ? *at + len + 1 : NULL;
	return true;
}

bool key_uri_named(const struct key_uri_attribute *a, const char *name)
{
	return a->name_len == strlen(name) && !strncmp(a->name, name, a->name_len);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -EBADMSG;
}

// The byte at offset *i of the value, which moves on; -EBADMSG.
static int next_byte(const struct key_uri_attribute *a, size_t *i)
{
	const char *p = a->value + *i;
	if (*p != '%') {
		(*i)++;
		return (unsigned char)*p;
	}
	if (a->value_len - *i < 3)
		return -EBADMSG;
	int high = hex_digit(p[1]), low = hex_digit(p[2]);
	*i += 3;
	return high < 0 || low < 0 ? -EBADMSG : high * 16 + low;
}

static int decode(
	const struct key_uri_attribute *a, bool nul_allowed, char *out, size_t room, size_t *len)
{
	*len = 0;
	if (!a->value)
		return -EBADMSG;
	for (size_t i = 0; i < a->value_len;) {
		int byte = next_byte(a, &i);
		if (byte < 0 || (byte == 0 && !nul_allowed))
			return -EBADMSG;
		if (*len + 1 >= room)
			return -ENOSPC;
		out[(*len)++] = (char)byte;
	}
	out[*len] = '\0';
	return 0;
}

int key_uri_decode(const struct key_uri_attribute *a, char *out, size_t room, size_t *len)
{
	return decode(a, false, out, room, len);
}

const char *key_uri_misplaced_pin(const char *url)
{
	static const char *const names[] = {"pin-value", "pin-source"};
	size_t end = strcspn(url, "?");
	for (size_t at = key_uri_is(url) ? SCHEME_LEN : end; at < end;) {
		size_t len = strcspn(url + at, ";&?=");
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (len == strlen(names[i]) && !strncasecmp(url + at, names[i], len))
				return names[i];
		at += strcspn(url + at, ";&?") + 1;
	}
	return NULL;
}

static const struct key_uri_attribute *find(const struct path *p, const char *name, size_t name_len)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].name_len == name_len && !strncmp(p->at[i].name, name, name_len))
			return &p->at[i];
	return NULL;
}

static bool well_formed(const struct key_uri_attribute *a)
{
	bool binary = key_uri_named(a, "id"); // the only value that is not text
	if (!a->name_len || !a->value)
		return false;
	for (size_t i = 0; i < a->value_len;) {
		int byte = next_byte(a, &i);
		if (byte < 0 || (byte == 0 && !binary))
			return false;
	}
	return true;
}

// False if it is malformed, says something twice, or has a query.
static bool parse(const char *url, struct path *out)
{
	*out = (struct path){.count = 0};
	size_t len = strlen(url);
	if (!key_uri_is(url) || strchr(url, '?') || len == SCHEME_LEN || url[len - 1] == ';')
		return false;
	const char *at = url + SCHEME_LEN;
	struct key_uri_attribute a;
	while (key_uri_next(&at, ';', &a)) {
		if (out->count == ATTRIBUTES_MAX || !well_formed(&a) ||
			find(out, a.name, a.name_len))
			return false;
		out->at[out->count++] = a;
	}
	return true;
}

static bool same_value(const struct key_uri_attribute *a, const struct key_uri_attribute *b)
{
	size_t i = 0, j = 0;
	while (i < a->value_len && j < b->value_len)
		if (next_byte(a, &i) != next_byte(b, &j))
			return false;
	return i == a->value_len && j == b->value_len;
}

bool key_uri_same(const char *a, const char *b)
{
	struct path pa, pb;
	if (!strcmp(a, b))
		return true;
	if (!parse(a, &pa) || !parse(b, &pb) || pa.count != pb.count)
		return false;
	for (size_t i = 0; i < pa.count; i++) {
		const struct key_uri_attribute *other = find(&pb, pa.at[i].name, pa.at[i].name_len);
		if (!other || !same_value(&pa.at[i], other))
			return false;
	}
	return true;
}

void key_uri_id(const char *url, char out[CMK_VERSION_MAX])
{
	struct path p;
	char id[ID_MAX + 1];
	size_t len = 0;
	out[0] = '\0';
	const struct key_uri_attribute *a = parse(url, &p) ? find(&p, "id", 2) : NULL;
	if (a && !decode(a, true, id, sizeof(id), &len))
		hex_encode(id, len, out);
}

void key_uri_without_id(const char *url, char out[BINDING_URL_MAX])
{
	struct path p;
	bool drop = parse(url, &p) && find(&p, "object", 6);
	size_t used = drop ? SCHEME_LEN : strnlen(url, BINDING_URL_MAX - 1);
	memcpy(out, url, used);
	for (size_t i = 0; drop && i < p.count; i++) {
		const struct key_uri_attribute *a = &p.at[i];
		size_t len = (size_t)(a->value + a->value_len - a->name);
		size_t between = used > SCHEME_LEN;
		if (key_uri_named(a, "id") || used + between + len >= BINDING_URL_MAX)
			continue;
		memcpy(out + used, ";", between);
		memcpy(out + used + between, a->name, len);
		used += between + len;
	}
	out[used] = '\0';
}
