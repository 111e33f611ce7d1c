// SPDX-License-Identifier: MIT
// Disks, keys and key sets that `cmkdisk report` might have met.
#ifndef CMK_INVENTORY_FIXTURE_H
#define CMK_INVENTORY_FIXTURE_H

#include "inventory.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#define NOW 2000000000
#define DAY INVENTORY_DAY_S
#define VAULT "https://contoso.vault.azure.net/keys/disks"
#define HOUR_MS 3600000u

static inline struct inventory begin(void)
{
	struct inventory r = {.now = NOW,
		.policy = {.max_grace_denied_ms = HOUR_MS,
			.max_age_s = 730 * DAY,
			.max_pending_s = DAY}};
	return r;
}

static inline struct inventory_disk *add_disk(struct inventory *r, const char *name)
{
	assert_int_equal(inventory_grow(&r->disks, r->disk_count, sizeof(*r->disks)), 0);
	struct inventory_disk *d = &r->disks[r->disk_count++];
	d->backing = strdup(name);
	assert_non_null(d->backing);
	d->header_seen = true;
	d->policy.grace_denied_ms = HOUR_MS;
	(void)snprintf(d->uuid, sizeof(d->uuid), "%.36s", name);
	return d;
}

static inline struct inventory_binding *bind(struct inventory *r, struct inventory_disk *d,
	const char *url, const char *version, int64_t days_ago)
{
	struct inventory_binding *b = NULL;
	assert_int_equal(inventory_bind(r, d, url, version, &b), 0);
	b->created = NOW - days_ago * DAY;
	return b;
}

// The key store showed this version.
static inline struct inventory_version *seen(
	struct inventory *r, const char *url, const char *version)
{
	size_t key, at;
	assert_int_equal(inventory_key_of(r, url, &key), 0);
	assert_int_equal(inventory_version_of(r, key, version, &at), 0);
	r->keys[key].versions[at].seen = true;
	return &r->keys[key].versions[at];
}

static inline void newest(
	struct inventory *r, const char *url, const char *version, int64_t days_ago)
{
	size_t key;
	seen(r, url, version)->info.created = NOW - days_ago * DAY;
	assert_int_equal(inventory_key_of(r, url, &key), 0);
	(void)snprintf(r->keys[key].newest, sizeof(r->keys[key].newest), "%s", version);
}

static inline struct keyset *add_set(struct inventory *r, const char *url)
{
	assert_int_equal(inventory_grow(&r->sets, r->set_count, sizeof(*r->sets)), 0);
	struct inventory_set *s = &r->sets[r->set_count++];
	s->path = "set.json";
	s->k = (struct keyset)KEYSET_NONE;
	(void)snprintf(s->k.key_url, sizeof(s->k.key_url), "%s", url);
	return &s->k;
}

#endif
