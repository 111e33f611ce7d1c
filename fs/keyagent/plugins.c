// SPDX-License-Identifier: MIT
// Which file serves a key URL, and whether its place may be trusted. Nothing is loaded here.
#include "plugins.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME_MAX 32

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme_char(char c)
{
	return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

int key_url_scheme(const char *key_url, char *out, size_t room, struct errmsg *err)
{
	size_t n = 0;
	while (n <= SCHEME_MAX && is_scheme_char(key_url[n]))
		n++;
	// What follows one of these may hold a PIN.
	size_t shown = strcspn(key_url, "?;&") < 200 ? strcspn(key_url, "?;&") : 200;
	if (n == 0 || n > SCHEME_MAX || n >= room || key_url[n] != ':' || !is_alpha(key_url[0]))
		return errmsg_set(err, EINVAL,
			"\"%.*s\" is not a key URL; expected something like "
			"file:/etc/cmkdisk/key.json, pkcs11:token=T;object=NAME or "
			"https://VAULT.vault.azure.net/keys/NAME",
			(int)shown, key_url);
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)key_url[i]);
	out[n] = '\0';
	return 0;
}

int plugin_name(const char *path, char out[PLUGIN_NAME_ROOM], struct errmsg *err)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	size_t prefix = strlen(PLUGIN_PREFIX), suffix = strlen(PLUGIN_SUFFIX), all = strlen(base);
	size_t n = all > prefix + suffix ? all - prefix - suffix : 0;
	bool good = n >= 1 && n < PLUGIN_NAME_ROOM && strncmp(base, PLUGIN_PREFIX, prefix) == 0 &&
		    strcmp(base + all - suffix, PLUGIN_SUFFIX) == 0;
	for (size_t i = 0; good && i < n; i++) {
		char c = base[prefix + i];
		good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
		out[i] = c;
	}
	if (!good)
		return errmsg_set(err, EINVAL,
			"%s: a provider plug-in is called " PLUGIN_PREFIX "NAME" PLUGIN_SUFFIX
			", NAME being 1 to 32 of a-z, 0-9 and '-'",
			path);
	out[n] = '\0';
	return 0;
}

// Where every user has a group of its own, directories are commonly writable for it, and its number
// is the user's. A group with another number may have members.
static int check_place(const char *path, struct errmsg *err)
{
	struct stat st;
	if (stat(path, &st))
		return errmsg_set(err, errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return errmsg_set(err, EPERM,
			"%s belongs to user %u; plug-ins are loaded only from what root or the "
			"present user owns",
			path, (unsigned)st.st_uid);
	if ((st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != st.st_uid))
		return errmsg_set(err, EPERM,
			"%s may be written by others, so no plug-in is loaded from there; chmod "
			"go-w it",
			path);
	return 0;
}

int plugin_permitted(const char *path, struct errmsg *err)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	if (path[0] != '/' || n >= sizeof(dir))
		return errmsg_set(err, EINVAL, "%s: expected an absolute path", path);
	memcpy(dir, path, n);
	dir[n] = '\0';
	int r = check_place(n ? dir : "/", err);
	return r ? r : check_place(path, err);
}

// The provider itself refuses http: but for loopback addresses that a key set allows for tests.
static bool is_vault(const char *scheme)
{
	return strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0;
}

// A scheme may hold '+' and '.', a name may not: such a scheme has no plug-in of its own.
static const char *name_for(const char *scheme)
{
	if (is_vault(scheme))
		return "azure";
	return strpbrk(scheme, "+.") ? NULL : scheme;
}

// "azure, file": what there is, by the names of the files alone.
static void names_in(const char *plugin_dir, char *out, size_t room)
{
	DIR *d = opendir(plugin_dir);
	size_t used = 0;
	(void)snprintf(out, room, "none");
	for (const struct dirent *e; d && (e = readdir(d));) {
		char name[PLUGIN_NAME_ROOM];
		if (plugin_name(e->d_name, name, NULL) || used + strlen(name) + 3 > room)
			continue;
		used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "", name);
	}
	if (d)
		(void)closedir(d);
}

int plugin_path(
	const char *plugin_dir, const char *scheme, char *out, size_t room, struct errmsg *err)
{
	const char *name = name_for(scheme);
	int n = 0;
	if (name)
		n = snprintf(out, room, "%s/" PLUGIN_PREFIX "%s" PLUGIN_SUFFIX, plugin_dir, name);
	if (n < 0 || (size_t)n >= room)
		return errmsg_set(err, ENAMETOOLONG,
			"%s: the path of the plug-in directory is too long", plugin_dir);
	if (!name || (access(out, F_OK) && errno == ENOENT)) {
		char there[256];
		names_in(plugin_dir, there, sizeof(there));
		return errmsg_set(err, EDOM,
			"no key provider for %s: keys: there is no " PLUGIN_PREFIX
			"%s" PLUGIN_SUFFIX " in %s, only: %s (see cmkdisk providers)",
			scheme, name ? name : scheme, plugin_dir, there);
	}
	return plugin_permitted(out, err);
}
