// SPDX-License-Identifier: MIT
// Key URLs as far as commands look into them.
#include "keyurl.h"
#include "key_uri.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	size_t len;
};

// https://HOST[:PORT]/keys/NAME[/VERSION][/]; http for a test's vault on this host.
struct vault_url {
	bool https;
	struct span host, port, name, version;
};

static bool same_case(struct span a, struct span b)
{
	return a.len == b.len && !strncasecmp(a.at, b.at, a.len);
}

// Up to the next slash, which is skipped.
static struct span segment(const char **at)
{
	struct span s = {*at, strcspn(*at, "/")};
	*at += s.len + ((*at)[s.len] == '/');
	return s;
}

static void split_port(struct span authority, struct vault_url *out)
{
	out->host = authority;
	out->port = out->https ? (struct span){"443", 3} : (struct span){"80", 2};
	for (size_t i = authority.len; i > 0 && authority.at[i - 1] != ']'; i--)
		if (authority.at[i - 1] == ':') {
			out->host.len = i - 1;
			out->port = (struct span){authority.at + i, authority.len - i};
			return;
		}
}

// False for what has another shape, or a part that no vault URL has.
static bool vault_url(const char *url, struct vault_url *out)
{
	out->https = !strncasecmp(url, "https://", 8);
	if ((!out->https && strncasecmp(url, "http://", 7)) || strpbrk(url, "?#@\\%"))
		return false;
	const char *at = strstr(url, "//") + 2;
	split_port(segment(&at), out);
	if (!same_case(segment(&at), (struct span){"keys", 4}))
		return false;
	out->name = segment(&at);
	out->version = segment(&at);
	return out->host.len && out->name.len && !*at;
}

// RFC 8089: the URL of a file of this host may have an empty host, or none.
const char *key_url_path(const char *url)
{
	if (strncmp(url, "file:/", 6))
		return NULL;
	return strncmp(url, "file:///", 8) ? url + 5 : url + 7;
}

bool key_url_same(const char *a, const char *b)
{
	struct vault_url va, vb;
	const char *pa = key_url_path(a), *pb = key_url_path(b);
	if (!strcmp(a, b) || (pa && pb && !strcmp(pa, pb)))
		return true;
	if (key_uri_is(a) && key_uri_is(b))
		return key_uri_same(a, b);
	return vault_url(a, &va) && vault_url(b, &vb) && va.https == vb.https &&
	       same_case(va.host, vb.host) && same_case(va.port, vb.port) &&
	       same_case(va.name, vb.name);
}

// Where the URL without its version ends; 0 if it has none.
static size_t unversioned_len(const char *url)
{
	struct vault_url v;
	if (vault_url(url, &v))
		return v.version.len ? (size_t)(v.version.at - 1 - url) : 0;
	const char *query = key_url_path(url) ? strstr(url, "?version=") : NULL;
	return query ? (size_t)(query - url) : 0;
}

bool key_url_has_version(const char *url)
{
	char id[CMK_VERSION_MAX];
	if (!key_uri_is(url))
		return unversioned_len(url) > 0;
	key_uri_id(url, id);
	return *id;
}

void key_url_unversioned(const char *url, char out[BINDING_URL_MAX])
{
	size_t len = unversioned_len(url);
	if (key_uri_is(url))
		key_uri_without_id(url, out);
	else
		(void)snprintf(out, BINDING_URL_MAX, "%.*s", (int)(len ? len : strlen(url)), url);
}

void key_url_version(const char *url, char out[CMK_VERSION_MAX])
{
	size_t len = unversioned_len(url);
	const char *at = len ? strpbrk(url + len, "/=") + 1 : "";
	if (key_uri_is(url))
		key_uri_id(url, out);
	else
		(void)snprintf(out, CMK_VERSION_MAX, "%.*s", (int)strcspn(at, "/"), at);
}

bool key_url_rotates(const char *url)
{
	struct vault_url v;
	return vault_url(url, &v);
}

// The decoded value of an attribute in a pkcs11: URI's path; "" if there is none that can be shown.
static void attribute(const char *url, const char *name, char out[KEY_URL_SHORT_MAX])
{
	struct key_uri_attribute a;
	const char *at = strchr(url, ':') + 1;
	size_t len;
	out[0] = '\0';
	while (key_uri_next(&at, ';', &a))
		if (key_uri_named(&a, name) && a.value &&
			!key_uri_decode(&a, out, KEY_URL_SHORT_MAX, &len))
			return;
	out[0] = '\0';
}

// The first label of a host name; of a numeric address all of it.
static struct span short_host(struct span host)
{
	if (!isdigit((unsigned char)*host.at) && *host.at != '[')
		host.len = strcspn(host.at, ".:/");
	return host;
}

// Up to the last slash.
static struct span directory(const char *path)
{
	const char *end = path + strcspn(path, "?"), *last = path;
	for (const char *at = path; at < end; at++)
		last = *at == '/' ? at : last;
	return (struct span){path, (size_t)(last - path)};
}

static void short_token(const char *url, char out[KEY_URL_SHORT_MAX])
{
	char token[KEY_URL_SHORT_MAX], object[CMK_VERSION_MAX];
	attribute(url, "token", token);
	attribute(url, "object", object);
	if (!*object)
		key_uri_id(url, object);
	(void)snprintf(out, KEY_URL_SHORT_MAX, "%.31s%s%.31s", token, *token && *object ? "/" : "",
		object);
	if (!*out)
		(void)snprintf(out, KEY_URL_SHORT_MAX, "%s", url);
}

void key_url_short(const char *url, char out[KEY_URL_SHORT_MAX])
{
	struct vault_url v;
	const char *path = key_url_path(url);
	if (key_uri_is(url)) {
		short_token(url, out);
	} else if (vault_url(url, &v)) {
		struct span host = short_host(v.host);
		(void)snprintf(out, KEY_URL_SHORT_MAX, "%.*s/%.*s", (int)host.len, host.at,
			(int)v.name.len, v.name.at);
	} else if (path) {
		const char *name = path + directory(path).len + 1;
		(void)snprintf(out, KEY_URL_SHORT_MAX, "%.*s", (int)strcspn(name, "?"), name);
	} else {
		(void)snprintf(out, KEY_URL_SHORT_MAX, "%s", url);
	}
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && !strncmp(a.at, b.at, a.len);
}

bool key_url_same_store(const char *a, const char *b)
{
	struct vault_url va, vb;
	const char *pa = key_url_path(a), *pb = key_url_path(b);
	char ta[KEY_URL_SHORT_MAX], tb[KEY_URL_SHORT_MAX];
	if (pa && pb)
		return same(directory(pa), directory(pb));
	if (key_uri_is(a) && key_uri_is(b)) {
		attribute(a, "token", ta);
		attribute(b, "token", tb);
		return *ta && !strcmp(ta, tb);
	}
	return vault_url(a, &va) && vault_url(b, &vb) && va.https == vb.https &&
	       same_case(va.host, vb.host) && same_case(va.port, vb.port);
}
