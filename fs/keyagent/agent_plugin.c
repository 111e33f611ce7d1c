// SPDX-License-Identifier: MIT
// What keyprov.h promises about versions and required members, kept here and nowhere else.
#include "agent_plugin.h"

#include "plugins.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static int check_table(const char *path, const struct cmk_keyprov *t, struct errmsg *err)
{
	const struct {
		const char *name;
		bool there;
	} required[] = {
		{"name", t->name != NULL},
		{"version", t->version != NULL},
		{"description", t->description != NULL},
		{"schemes", t->schemes != NULL},
		{"open", t->open != NULL},
		{"close", t->close != NULL},
		{"unwrap", t->unwrap != NULL},
		{"unwatch (required with watch)", !t->watch || t->unwatch},
	};
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (!required[i].there)
			return errmsg_set(err, ENOEXEC,
				"%s: the plug-in lacks its required member %s; it was built "
				"wrongly, "
				"tell its author",
				path, required[i].name);
	}
	char name[PLUGIN_NAME_ROOM];
	int r = plugin_name(path, name, err);
	if (r)
		return r;
	if (strcmp(name, t->name) != 0)
		return errmsg_set(err, ENOEXEC,
			"%s: the plug-in calls itself \"%.64s\"; its file must be "
			"called " PLUGIN_PREFIX "%.64s" PLUGIN_SUFFIX,
			path, t->name, t->name);
	return 0;
}

static int take_table(const char *path, void *handle, struct cmk_keyprov *out, struct errmsg *err)
{
	cmk_keyprov_init_fn init = NULL;
	void *symbol = dlsym(handle, CMK_KEYPROV_SYMBOL);
	if (!symbol)
		return errmsg_set(err, ENOEXEC,
			"%s: not a key provider: it does not export " CMK_KEYPROV_SYMBOL "()",
			path);
	memcpy(&init, &symbol, sizeof(init)); // ISO C has no cast from object to function pointer
	const struct cmk_keyprov *theirs = init();
	if (!theirs)
		return errmsg_set(err, ENOEXEC, "%s: the plug-in refuses to be used", path);
	if (theirs->struct_size < offsetof(struct cmk_keyprov, name) || theirs->api_version == 0)
		return errmsg_set(err, ENOEXEC,
			"%s: the plug-in was not registered by CMK_KEYPROV_REGISTER()", path);
	if (theirs->api_version > CMK_KEYPROV_API_VERSION)
		return errmsg_set(err, ENOEXEC,
			"%s: the plug-in speaks version %u of the provider interface, this cmkdisk "
			"only "
			"%u; install a newer cmkdisk or an older plug-in",
			path, theirs->api_version, CMK_KEYPROV_API_VERSION);
	memset(out, 0, sizeof(*out));
	size_t size = theirs->struct_size < sizeof(*out) ? theirs->struct_size : sizeof(*out);
	memcpy(out, theirs, size);
	return check_table(path, out, err);
}

int plugin_load(const char *path, struct loaded *out, struct errmsg *err)
{
	char name[PLUGIN_NAME_ROOM];
	int r = plugin_permitted(path, err);
	if (r == 0)
		r = plugin_name(path, name, err);
	if (r)
		return r;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return errmsg_set(err, ENOEXEC, "cannot load the plug-in: %s", dlerror());
	r = take_table(path, handle, &out->table, err);
	if (r) {
		(void)dlclose(handle);
		return r;
	}
	out->handle = handle;
	return 0;
}

void plugin_unload(struct loaded *p)
{
	if (p->handle)
		(void)dlclose(p->handle);
	memset(p, 0, sizeof(*p));
}

bool plugin_serves(const struct loaded *p, const char *scheme)
{
	size_t n = strlen(scheme);
	const char *s = p->table.schemes;
	while (*s) {
		size_t word = strcspn(s, " ");
		if (word == n && strncmp(s, scheme, n) == 0)
			return true;
		s += word;
		s += strspn(s, " ");
	}
	return false;
}
