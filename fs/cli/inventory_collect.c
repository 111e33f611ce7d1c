// SPDX-License-Identifier: MIT
// Backing files, named, in directories or behind mounts: what their headers say.
#include "inventory.h"
#include "json.h"
#include "keyurl.h"
#include "mountpoint.h"
#include "path.h"
#include "scope.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

// How long a header that is just being written may look damaged.
#define SECOND_LOOK_NS 100000000L

static bool is_replaced(const struct volume_info *v, const struct binding *b)
{
	for (size_t i = 0; i < v->binding_count; i++)
		if (binding_replaces(&v->bindings[i], b))
			return true;
	return false;
}

static int take_header(struct inventory *r, struct inventory_disk *d, const struct volume_info *v)
{
	memcpy(d->uuid, v->uuid, sizeof(d->uuid));
	memcpy(d->label, v->label, sizeof(d->label));
	d->kind = INVENTORY_CMKDISK;
	d->policy = v->policy;
	d->header_seen = true;
	d->moving = v->pending;
	d->foreign_keyslots = v->keyslot_count - v->binding_count;
	for (size_t i = 0; i < v->binding_count; i++) {
		const struct binding *from = &v->bindings[i];
		struct inventory_binding *to = NULL;
		int rc = inventory_bind(r, d, from->key_url, from->key_version, &to);
		if (rc)
			return rc;
		memcpy(to->alg, from->alg, sizeof(to->alg));
		to->created = from->created;
		to->replaced = is_replaced(v, from);
		d->moving |= to->replaced;
	}
	return 0;
}

static int take_failure(
	struct inventory *r, struct inventory_disk *d, int rc, const struct errmsg *why)
{
	d->errnum = -rc;
	d->error = strdup(why->text);
	inventory_failed(r, rc, why);
	return d->error ? 0 : -ENOMEM;
}

// No lock keeps a daemon from changing a header while it is read here, so what looks damaged is
// looked at again.
static int open_header(
	const char *path, struct volume **v, enum volume_kind *kind, struct errmsg *why)
{
	*kind = VOLUME_KIND_CMKDISK;
	int rc = volume_open(path, false, v, why);
	struct errmsg unseen;
	if (rc == -EBADMSG && volume_kind(path, kind, &unseen))
		*kind = VOLUME_KIND_DAMAGED;
	if (rc != -EBADMSG || *kind == VOLUME_KIND_NONE || *kind == VOLUME_KIND_LUKS2)
		return rc;
	(void)nanosleep(&(struct timespec){0, SECOND_LOOK_NS}, NULL);
	return volume_open(path, false, v, why);
}

// 1: no LUKS2 container, which a directory may be full of.
static int read_header(struct inventory *r, struct inventory_disk *d)
{
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg why = {{0}};
	enum volume_kind kind;
	int rc = open_header(d->backing, &v, &kind, &why);
	if (!rc)
		return take_header(r, d, volume_info(v));
	if (rc == -ENOMEM)
		return rc;
	d->kind = rc == -EBADMSG ? INVENTORY_DAMAGED : INVENTORY_UNREADABLE;
	if (kind == VOLUME_KIND_NONE)
		d->kind = INVENTORY_OTHER;
	if (kind == VOLUME_KIND_LUKS2)
		d->kind = INVENTORY_LUKS2;
	if (d->kind == INVENTORY_OTHER || d->kind == INVENTORY_LUKS2)
		return d->kind == INVENTORY_OTHER;
	return take_failure(r, d, rc, &why);
}

static void identify(struct inventory_disk *d, const struct stat *st)
{
	bool device = S_ISBLK(st->st_mode);
	d->dev = device ? st->st_rdev : st->st_dev;
	d->ino = device ? 0 : st->st_ino;
}

static bool is_there_already(const struct inventory *r, const struct inventory_disk *d)
{
	for (size_t i = 0; i < r->disk_count; i++)
		if (r->disks[i].dev == d->dev && r->disks[i].ino == d->ino)
			return d->dev || d->ino;
	return false;
}

static int new_disk(struct inventory *r, const char *path, struct inventory_disk **out)
{
	if (inventory_grow(&r->disks, r->disk_count, sizeof(*r->disks)))
		return -ENOMEM;
	*out = &r->disks[r->disk_count];
	(*out)->backing = strdup(path);
	return (*out)->backing ? 0 : -ENOMEM;
}

static void drop(struct inventory_disk *d)
{
	free(d->backing);
	d->backing = NULL;
}

static int overlay_if_mounted(struct inventory *r, struct inventory_disk *d)
{
	const struct json *mount = NULL, *disk = *d->uuid ? inventory_mounted(r, d, &mount) : NULL;
	return disk ? inventory_overlay(r, d, mount, disk) : 0;
}

// in_directory: whoever named it did not say that it is a disk.
static int add_file(struct inventory *r, const char *path, const struct stat *st, bool in_directory)
{
	struct inventory_disk *d = NULL;
	int rc = new_disk(r, path, &d);
	if (rc)
		return rc;
	identify(d, st);
	if (is_there_already(r, d)) {
		drop(d);
		return 0;
	}
	rc = read_header(r, d);
	if (rc == 1 && in_directory) {
		r->others++;
		drop(d);
		return 0;
	}
	r->disk_count++;
	return rc < 0 ? rc : overlay_if_mounted(r, d);
}

static int add_unreachable(struct inventory *r, const char *path, int errnum)
{
	struct errmsg why;
	struct inventory_disk *d = NULL;
	int rc = new_disk(r, path, &d);
	if (rc)
		return rc;
	r->disk_count++;
	d->kind = INVENTORY_UNREADABLE;
	return take_failure(r, d, path_failed(path, errnum, &why), &why);
}

// The file that the daemon has open may have another name by now, and another file its name.
static int expect_uuid(struct inventory *r, struct inventory_disk *d, const char *uuid)
{
	struct errmsg why;
	if (d->errnum || (d->header_seen && uuid && !strcmp(uuid, d->uuid)))
		return 0;
	d->header_seen = d->moving = false;
	d->foreign_keyslots = d->binding_count = 0;
	return take_failure(r, d,
		errmsg_set(&why, EBADMSG,
			"%s: not the disk that is mounted under this name; the file was replaced",
			d->backing),
		&why);
}

static int add_mounted(struct inventory *r, const struct json *mount, const struct json *disk)
{
	const char *backing = json_str(disk, "backing");
	struct inventory_disk *d = NULL;
	struct errmsg why;
	struct stat st;
	int rc = new_disk(r, backing ? backing : "-", &d);
	if (rc)
		return rc;
	if (stat(d->backing, &st)) {
		rc = take_failure(r, d, path_failed(d->backing, errno, &why), &why);
	} else {
		identify(d, &st);
		if (is_there_already(r, d)) {
			drop(d);
			return 0;
		}
		rc = read_header(r, d);
	}
	r->disk_count++;
	if (rc >= 0)
		rc = expect_uuid(r, d, json_str(disk, "uuid"));
	return rc < 0 ? rc : inventory_overlay(r, d, mount, disk);
}

static int add_mount(struct inventory *r, const struct json *mount)
{
	const struct json *disks = json_get(mount, "disks");
	int rc = 0;
	for (size_t i = 0; !rc && i < json_array_len(disks); i++)
		rc = add_mounted(r, mount, json_array_at(disks, i));
	return rc;
}

int inventory_add_every_mount(struct inventory *r)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < json_array_len(r->mounts); i++)
		rc = add_mount(r, json_array_at(r->mounts, i));
	return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct inventory *r, const char *directory, const char *name, bool links)
{
	char path[PATH_MAX];
	struct stat st;
	size_t len = strlen(directory);
	int n = snprintf(path, sizeof(path), "%s%s%s", directory,
		len && directory[len - 1] == '/' ? "" : "/", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return links ? 0 : add_unreachable(r, directory, ENAMETOOLONG);
	if (lstat(path, &st) || S_ISLNK(st.st_mode) != links)
		return 0;
	// A link that leads nowhere, a directory, a socket: nothing that holds a disk.
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	return add_file(r, path, &st, true);
}

static int add_directory(struct inventory *r, const char *path)
{
	struct dirent **entries = NULL;
	struct errmsg why;
	int rc = 0, count = scandir(path, &entries, NULL, by_name);
	if (count < 0)
		return inventory_problem(r, path, path_failed(path, errno, &why), &why);
	// A file goes by its own name rather than by that of a link to it.
	for (int i = 0; !rc && i < count; i++)
		rc = add_entry(r, path, entries[i]->d_name, false);
	for (int i = 0; !rc && i < count; i++)
		rc = add_entry(r, path, entries[i]->d_name, true);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return rc;
}

int inventory_add_operand(struct inventory *r, const char *path)
{
	char resolved[PATH_MAX];
	const struct json *mount = NULL;
	struct errmsg why;
	struct stat st;
	if (!mountpoint_resolve(path, resolved, &why) && mountpoint_is_ours(resolved)) {
		int rc = inventory_mount(r, resolved, &mount);
		return rc || !mount ? rc : add_mount(r, mount);
	}
	if (stat(path, &st))
		return add_unreachable(r, path, errno);
	return S_ISDIR(st.st_mode) ? add_directory(r, path) : add_file(r, path, &st, false);
}
