// SPDX-License-Identifier: MIT
// See azure_url.h.
#include "azure_url.h"

#include "azure_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORM "https://VAULT.vault.azure.net/keys/NAME or .../keys/NAME/VERSION"
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool azure_is_version(const char *text)
{
	return strlen(text) == AZURE_VERSION_LEN &&
	       strspn(text, DIGITS "abcdef") == AZURE_VERSION_LEN;
}

static int bad(struct kp_err *err, const char *text, const char *why)
{
	return kp_fail(err, EINVAL, "%.200s: %s; write the key's URL as " FORM, text, why);
}

// Copies len chars of one kind; false if there are none, too many or others among them.
static bool take(char *out, size_t room, const char *from, size_t len, const char *kind)
{
	if (len == 0 || len >= room || strspn(from, kind) < len)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

static bool take_port(struct azure_url *u, const char *from, size_t len)
{
	char port[6];
	if (!take(port, sizeof(port), from, len, DIGITS))
		return false;
	unsigned long n = strtoul(port, NULL, 10);
	u->has_port = n != (u->plain_http ? 80 : 443);
	if (u->has_port) {
		size_t used = strlen(u->origin);
		(void)snprintf(u->origin + used, sizeof(u->origin) - used, ":%lu", n);
	}
	return n >= 1 && n <= 65535;
}

static bool take_site(struct azure_url *u, const char *from, size_t len)
{
	const char *colon = memchr(from, ':', len);
	size_t host = colon ? (size_t)(colon - from) : len;
	if (!take(u->host, sizeof(u->host), from, host, LETTERS DIGITS "-.") || u->host[0] == '.' ||
		u->host[host - 1] == '.' || strstr(u->host, ".."))
		return false;
	for (char *p = u->host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	(void)snprintf(
		u->origin, sizeof(u->origin), "%s://%s", u->plain_http ? "http" : "https", u->host);
	return !colon || take_port(u, colon + 1, len - host - 1);
}

int azure_url_parse(const char *text, struct azure_url *out, struct kp_err *err)
{
	struct azure_url u = {.plain_http = strncasecmp(text, "http://", 7) == 0};
	if (!u.plain_http && strncasecmp(text, "https://", 8) != 0)
		return bad(err, text, "this is no https URL");
	const char *site = text + (u.plain_http ? 7 : 8);
	size_t site_len = strcspn(site, "/?#");
	if (!take_site(&u, site, site_len))
		return bad(err, text, "its host or port is not well-formed");
	const char *path = site + site_len;
	if (strncmp(path, "/keys/", 6) != 0 || strpbrk(path, "?#"))
		return bad(err, text, "its path is not /keys/ and a name");
	const char *name = path + 6;
	size_t name_len = strcspn(name, "/");
	if (!take(u.name, sizeof(u.name), name, name_len, LETTERS DIGITS "-"))
		return bad(err, text,
			"a key's name has 1 to 127 letters, digits and hyphens, and nothing else");
	const char *version = name + name_len + (name[name_len] == '/');
	size_t version_len = strcspn(version, "/");
	(void)snprintf(u.version, sizeof(u.version), "%.*s", (int)version_len, version);
	const char *end = version + version_len + (version[version_len] == '/');
	if (*end ||
		(version_len && (version_len != AZURE_VERSION_LEN || !azure_is_version(u.version))))
		return bad(err, text, "a key's version is 32 digits and letters a to f");
	*out = u;
	return 0;
}

static void list_allowed(const struct azure_config *c, char *out, size_t room)
{
	size_t used = 0;
	for (const struct azure_cloud *k = azure_clouds; k->suffix && used < room; k++)
		used += (size_t)snprintf(
			out + used, room - used, "%s*.%s", used ? ", " : "", k->suffix);
	for (size_t i = 0; i < c->suffix_count && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, ", *.%s", c->suffixes[i]);
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
	       azure_host_under(host, strlen(host), "localhost");
}

int azure_url_allow(struct azure_url *u, const struct azure_config *config, struct kp_err *err)
{
	char allowed[400];
	size_t len = strlen(u->host);
	u->suffix = NULL;
	u->cloud = NULL;
	for (size_t i = 0; i < config->suffix_count; i++)
		if (azure_host_under(u->host, len, config->suffixes[i]))
			u->suffix = config->suffixes[i];
	if (!u->suffix && !u->has_port && !u->plain_http) {
		u->cloud = azure_cloud_of(u->host, len);
		u->suffix = u->cloud ? u->cloud->suffix : NULL;
	}
	list_allowed(config, allowed, sizeof(allowed));
	if (!u->suffix)
		return kp_fail(err, EINVAL,
			"%s is not asked: a key vault's host is one of %s; name further ones in "
			"vaultSuffixes of the key set's cmkdisk.azure",
			u->origin, allowed);
	if (u->plain_http && !(config->http_loopback && is_loopback(u->host)))
		return kp_fail(err, EINVAL,
			"%s is not asked by http, which shows everything on the way; write https",
			u->origin);
	return 0;
}
