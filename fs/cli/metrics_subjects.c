// SPDX-License-Identifier: MIT
// See metrics_subjects.h.
#include "metrics_subjects.h"
#include "json.h"
#include "keyurl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool have_mount(const struct subjects *all, const char *mountpoint)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->at[i].mountpoint, mountpoint))
			return true;
	return false;
}

static bool have_version(const struct subjects *all, size_t from, const struct subject *s)
{
	for (size_t i = from; i < all->count; i++)
		if (all->at[i].first_of_version && !strcmp(all->at[i].version, s->version) &&
			!strcmp(all->at[i].key, s->key))
			return true;
	return false;
}

static int add_disk(struct subjects *all, const struct subject *mount, size_t first_disk,
	const struct json *disk)
{
	char url[BINDING_URL_MAX];
	const struct json *key = json_get(disk, "key");
	struct subject s = {.mount = mount->mount, .mountpoint = mount->mountpoint, .disk = disk};
	s.name = json_str_or(disk, "name", "");
	s.version = json_str_or(key, "version", "");
	if (strlen(json_str_or(key, "url", "")) >= sizeof(url))
		return -EBADMSG;
	key_url_unversioned(json_str_or(key, "url", ""), url);
	s.key = strdup(url);
	if (!s.key)
		return -ENOMEM;
	s.first_of_version = key && !have_version(all, first_disk, &s);
	all->at[all->count++] = s;
	return 0;
}

static int add_mount(struct subjects *all, const struct json *mount)
{
	const struct json *disks = json_get(mount, "disks");
	size_t n = json_array_len(disks);
	struct subject s = {
		.mount = mount, .mountpoint = json_str_or(mount, "mountpoint", ""), .name = ""};
	if (have_mount(all, s.mountpoint))
		return 0;
	struct subject *more = reallocarray(all->at, all->count + 1 + n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	all->at = more;
	all->at[all->count++] = s;
	size_t first_disk = all->count;
	for (size_t i = 0; i < n; i++) {
		int rc = add_disk(all, &s, first_disk, json_array_at(disks, i));
		if (rc)
			return rc;
	}
	return 0;
}

int subjects_of(const struct json *mounts, struct subjects *out)
{
	for (size_t i = 0; i < json_array_len(mounts); i++) {
		int rc = add_mount(out, json_array_at(mounts, i));
		if (rc)
			return rc;
	}
	return 0;
}

void subjects_free(struct subjects *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->at[i].key);
	free(s->at);
	*s = (struct subjects){NULL, 0};
}
