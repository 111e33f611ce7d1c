// SPDX-License-Identifier: MIT
// Which disk depends on which version of which key: the tables of a report.
#include "inventory.h"
#include "json.h"
#include "keyurl.h"
#include "scope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void free_disk(struct inventory_disk *d)
{
	free(d->backing);
	free(d->bindings);
	free(d->error);
}

void inventory_free(struct inventory *r)
{
	for (size_t i = 0; i < r->disk_count; i++)
		free_disk(&r->disks[i]);
	for (size_t i = 0; i < r->key_count; i++)
		free(r->keys[i].versions);
	for (size_t i = 0; i < r->set_count; i++)
		keyset_free(&r->sets[i].k);
	for (size_t i = 0; i < r->problem_count; i++) {
		free(r->problems[i].path);
		free(r->problems[i].error);
	}
	free(r->disks);
	free(r->keys);
	free(r->sets);
	free(r->problems);
	json_free(&r->mounts);
	*r = (struct inventory){0};
}

int inventory_grow(void *list, size_t count, size_t size)
{
	void **at = list;
	// Doubled at each power of two, so that a thousand disks are not moved a thousand times.
	if ((count & (count - 1)) == 0) {
		void *more = reallocarray(*at, count ? 2 * count : 1, size);
		if (!more)
			return -ENOMEM;
		*at = more;
	}
	memset((char *)*at + count * size, 0, size);
	return 0;
}

void inventory_failed(struct inventory *r, int rc, const struct errmsg *why)
{
	if (r->failed)
		return;
	r->failed = rc;
	r->why = *why;
}

int inventory_problem(struct inventory *r, const char *path, int rc, const struct errmsg *why)
{
	inventory_failed(r, rc, why);
	if (inventory_grow(&r->problems, r->problem_count, sizeof(*r->problems)))
		return -ENOMEM;
	struct inventory_problem *p = &r->problems[r->problem_count++];
	p->path = strdup(path);
	p->errnum = -rc;
	p->error = strdup(why->text);
	return p->path && p->error ? 0 : -ENOMEM;
}

static size_t set_of(const struct inventory *r, const char *url)
{
	for (size_t i = 0; i < r->set_count; i++)
		if (key_url_same(r->sets[i].k.key_url, url))
			return i;
	return INVENTORY_NONE;
}

int inventory_key_of(struct inventory *r, const char *url, size_t *key)
{
	char plain[BINDING_URL_MAX];
	key_url_unversioned(url, plain);
	for (*key = 0; *key < r->key_count; (*key)++)
		if (key_url_same(r->keys[*key].url, plain))
			break;
	if (*key == r->key_count) {
		if (inventory_grow(&r->keys, r->key_count, sizeof(*r->keys)))
			return -ENOMEM;
		struct inventory_key *k = &r->keys[r->key_count++];
		(void)snprintf(k->url, sizeof(k->url), "%s", plain);
		(void)snprintf(k->ask_url, sizeof(k->ask_url), "%s", url);
		k->set = INVENTORY_NONE;
	}
	struct inventory_key *k = &r->keys[*key];
	if (k->set == INVENTORY_NONE)
		k->set = set_of(r, url);
	// Of a URL that names one version, that would be the newest.
	if (key_url_has_version(k->ask_url) && !key_url_has_version(url))
		(void)snprintf(k->ask_url, sizeof(k->ask_url), "%s", url);
	return 0;
}

int inventory_version_of(struct inventory *r, size_t key, const char *version, size_t *out)
{
	struct inventory_key *k = &r->keys[key];
	for (*out = 0; *out < k->version_count; (*out)++)
		if (!strcmp(k->versions[*out].info.version, version))
			return 0;
	if (inventory_grow(&k->versions, k->version_count, sizeof(*k->versions)))
		return -ENOMEM;
	struct inventory_version *v = &k->versions[k->version_count++];
	v->info.enabled = -1;
	(void)snprintf(v->info.version, sizeof(v->info.version), "%s", version);
	return 0;
}

int inventory_bind(struct inventory *r, struct inventory_disk *d, const char *url,
	const char *version, struct inventory_binding **out)
{
	size_t key, at;
	int rc = inventory_key_of(r, url, &key);
	if (!rc)
		rc = inventory_version_of(r, key, version, &at);
	if (!rc)
		rc = inventory_grow(&d->bindings, d->binding_count, sizeof(*d->bindings));
	if (rc)
		return rc;
	*out = &d->bindings[d->binding_count++];
	**out = (struct inventory_binding){.key = key, .version = at, .set = set_of(r, url)};
	return 0;
}

bool inventory_needs(const struct inventory_disk *d, size_t key, size_t version)
{
	for (size_t i = 0; i < d->binding_count; i++)
		if (d->bindings[i].key == key && d->bindings[i].version == version)
			return true;
	return false;
}

bool inventory_is_newest(const struct inventory_key *k, const struct inventory_version *v)
{
	return *k->newest && !strcmp(k->newest, v->info.version);
}

// A version that only a key set names is known, though no disk may need it.
static int add_named(struct inventory *r, const struct keyset *set)
{
	char version[CMK_VERSION_MAX];
	size_t key, at;
	key_url_version(set->key_url, version);
	int rc = inventory_key_of(r, set->key_url, &key);
	return rc || !*version ? rc : inventory_version_of(r, key, version, &at);
}

static void count_needed(struct inventory *r, const struct inventory_disk *d)
{
	for (size_t i = 0; i < d->binding_count; i++) {
		const struct inventory_binding *b = &d->bindings[i];
		bool again = false;
		for (size_t j = 0; j < i; j++)
			again |= d->bindings[j].key == b->key &&
				 d->bindings[j].version == b->version;
		r->keys[b->key].versions[b->version].disks += !again;
	}
}

int inventory_count(struct inventory *r)
{
	int rc = 0;
	size_t at;
	for (size_t i = 0; !rc && i < r->set_count; i++)
		rc = add_named(r, &r->sets[i].k);
	for (size_t i = 0; !rc && i < r->key_count; i++)
		if (*r->keys[i].newest)
			rc = inventory_version_of(r, i, r->keys[i].newest, &at);
	for (size_t i = 0; !rc && i < r->disk_count; i++) {
		struct inventory_disk *d = &r->disks[i];
		count_needed(r, d);
		for (size_t j = 0; !d->copy && *d->uuid && j < i; j++) {
			d->copy = !strcmp(d->uuid, r->disks[j].uuid);
			d->copy_of = j;
		}
	}
	return rc;
}
