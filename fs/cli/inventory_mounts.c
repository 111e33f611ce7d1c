// SPDX-License-Identifier: MIT
// What daemons know of their disks: where they are mounted, whether they work, and what the key
// store showed them of the key.
#include "collect.h"
#include "inventory.h"
#include "json.h"
#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool answers(const struct json *mount)
{
	bool ok = false;
	return json_bool(mount, "ok", &ok) && ok;
}

static int silent(struct inventory *r, const struct json *mount)
{
	const char *at = json_str(mount, "mountpoint"), *error = json_str(mount, "error");
	int64_t errnum = ENOTCONN;
	struct errmsg why;
	(void)json_int(mount, "errno", &errnum);
	(void)errmsg_set(&why, (int)errnum, "%s", error ? error : "no answer");
	return inventory_problem(r, at ? at : "-", -(int)errnum, &why);
}

int inventory_ask_daemons(struct inventory *r, bool wanted)
{
	struct errmsg why;
	int first_silent, rc = json_array(&r->mounts);
	if (!rc)
		rc = collect_status(NULL, REMOTE_AT_ONCE_MS, r->mounts, &first_silent, &why);
	for (size_t i = 0; !rc && wanted && i < json_array_len(r->mounts); i++)
		if (!answers(json_array_at(r->mounts, i)))
			rc = silent(r, json_array_at(r->mounts, i));
	return rc;
}

int inventory_mount(struct inventory *r, const char *resolved, const struct json **out)
{
	struct errmsg why = {{0}};
	struct json *reply = NULL;
	*out = NULL;
	for (size_t i = 0; i < json_array_len(r->mounts); i++) {
		const struct json *mount = json_array_at(r->mounts, i);
		const char *at = json_str(mount, "mountpoint");
		if (!at || strcmp(at, resolved) != 0)
			continue;
		if (!answers(mount))
			return silent(r, mount);
		*out = mount;
		return 0;
	}
	// It was not among ours. Asked by its name, the sentence says whose it is.
	int rc = remote_call(resolved, "status", NULL, REMOTE_AT_ONCE_MS, &reply, &why);
	if (rc)
		return inventory_problem(r, resolved, rc, &why);
	rc = json_push(r->mounts, reply);
	*out = rc ? NULL : reply;
	return rc;
}

// A daemon in another mount namespace may name a file that is not to be seen here.
static bool same_file(const struct inventory_disk *d, const char *backing)
{
	struct stat st;
	if (!backing)
		return false;
	if (!strcmp(backing, d->backing))
		return true;
	return !stat(backing, &st) &&
	       (S_ISBLK(st.st_mode) ? st.st_rdev == d->dev
				    : st.st_dev == d->dev && st.st_ino == d->ino);
}

const struct json *inventory_mounted(
	const struct inventory *r, const struct inventory_disk *d, const struct json **mount)
{
	for (size_t i = 0; i < json_array_len(r->mounts); i++) {
		*mount = json_array_at(r->mounts, i);
		const struct json *disks = json_get(*mount, "disks");
		for (size_t j = 0; j < json_array_len(disks); j++) {
			const struct json *disk = json_array_at(disks, j);
			const char *uuid = json_str(disk, "uuid");
			if (uuid && !strcmp(uuid, d->uuid) &&
				same_file(d, json_str(disk, "backing")))
				return disk;
		}
	}
	return NULL;
}

static uint64_t number(const struct json *o, const char *member)
{
	int64_t n = 0;
	return json_int(o, member, &n) && n > 0 ? (uint64_t)n : 0;
}

// The key store showed it to the daemon at some check of its own.
static void overlay_key(
	struct inventory *r, const struct json *disk, const struct inventory_binding *b)
{
	struct inventory_key *k = &r->keys[b->key];
	struct inventory_version *v = &k->versions[b->version];
	const struct json *key = json_get(disk, "key"), *rotation = json_get(disk, "rotation");
	const char *kty = json_str(key, "type"), *newest = json_str(rotation, "newestVersion"),
		   *sentence = json_str(key, "attributesSentence");
	bool seen = false;
	if (json_bool(key, "attributesSeen", &seen) && seen) {
		v->seen = true;
		v->info.exp = (int64_t)number(key, "expires");
		v->info.nbf = (int64_t)number(key, "notBefore");
		(void)snprintf(v->info.kty, sizeof(v->info.kty), "%s", kty ? kty : "");
	}
	if (sentence && !*k->sentence)
		(void)snprintf(k->sentence, sizeof(k->sentence), "%s", sentence);
	if (newest && *newest)
		(void)snprintf(k->newest, sizeof(k->newest), "%s", newest);
}

static struct inventory_binding *find_binding(
	const struct inventory *r, struct inventory_disk *d, size_t key, const char *version)
{
	for (size_t i = 0; i < d->binding_count; i++) {
		const struct inventory_binding *b = &d->bindings[i];
		if (b->key == key &&
			!strcmp(r->keys[key].versions[b->version].info.version, version))
			return &d->bindings[i];
	}
	return NULL;
}

// Of a header that cannot be read, the daemon knows the key that it uses.
static int overlay_binding(struct inventory *r, struct inventory_disk *d, const struct json *disk)
{
	const struct json *key = json_get(disk, "key");
	const char *url = json_str(key, "url"), *version = json_str(key, "version"),
		   *alg = json_str(key, "alg");
	if (!url || !version)
		return 0;
	size_t at;
	int rc = inventory_key_of(r, url, &at);
	if (rc)
		return rc;
	struct inventory_binding *b = find_binding(r, d, at, version);
	if (!b && d->header_seen)
		return 0; // it has just moved on
	rc = b ? 0 : inventory_bind(r, d, url, version, &b);
	if (rc)
		return rc;
	if (!d->header_seen) {
		(void)snprintf(b->alg, sizeof(b->alg), "%s", alg ? alg : "");
		b->created = (int64_t)number(json_get(disk, "rotation"), "lastRotation");
	}
	b->in_use = true;
	overlay_key(r, disk, b);
	return 0;
}

int inventory_overlay(struct inventory *r, struct inventory_disk *d, const struct json *mount,
	const struct json *disk)
{
	const struct json *policy = json_get(disk, "policy");
	const char *uuid = json_str(disk, "uuid"), *on_expiry = json_str(policy, "onExpiry");
	int64_t since_grant;
	d->kind = INVENTORY_CMKDISK;
	d->mountpoint = json_str(mount, "mountpoint");
	d->name = json_str(disk, "name");
	d->state = json_str(disk, "state");
	d->cause = json_str(disk, "cause");
	(void)snprintf(d->uuid, sizeof(d->uuid), "%s", uuid ? uuid : "");
	d->policy.size = number(disk, "size");
	// Without a grant nobody has unlocked it yet, so nobody has seen the seal.
	d->proven = json_int(disk, "secondsSinceGrant", &since_grant);
	if (d->proven || !d->header_seen) {
		d->policy.grace_denied_ms = number(policy, "graceDeniedMs");
		d->policy.grace_unreachable_ms = number(policy, "graceUnreachableMs");
		d->policy.expiry_stops = !on_expiry || strcmp(on_expiry, "ignore") != 0;
	}
	return overlay_binding(r, d, disk);
}
