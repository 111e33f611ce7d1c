// SPDX-License-Identifier: MIT
// See disk_rig.h.
#include "disk_rig.h"

#include "cipher.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "disk_rig: %s: %s\n", what, strerror(-r));
	abort();
}

static uint64_t rig_boot_ns(void *ctx)
{
	return ((struct disk_rig *)ctx)->now_ns;
}

static int64_t rig_wall_s(void *ctx)
{
	(void)ctx;
	return 1700000000;
}

static int make_key(void *ctx, const struct secret *dek, void **key)
{
	struct cipher *c = NULL;
	int r = cipher_new(dek, ((struct disk_rig *)ctx)->sector_size, &c);
	*key = c;
	return r;
}

static void destroy_key(void **key)
{
	struct cipher *c = *key;
	cipher_free(&c);
	*key = NULL;
}

void rig_unlock(struct disk_rig *rig)
{
	const struct lease_verdict granted = {.verdict = CMK_GRANTED, .asked_ns = rig->now_ns};
	must(lease_unlock(rig->lease, rig->dek, &granted, true), "lease_unlock");
}

int rig_lease(struct disk_rig *rig, struct lease **out)
{
	const struct lease_policy policy = {
		.grace_denied_ms = RIG_GRACE_MS,
		.grace_unreachable_ms = RIG_GRACE_MS,
		.expiry_stops = true,
	};
	const struct lease_key_ops ops = {make_key, destroy_key, rig};
	return lease_new(&rig->clock, &policy, &ops, NULL, NULL, out);
}

static void stand_up(struct disk_rig *rig)
{
	must(rig_lease(rig, &rig->lease), "lease_new");
	rig->config.lease = rig->lease;
	must(disk_new(&rig->config, &rig->disk), "disk_new");
	rig_unlock(rig);
}

static void tear_down(struct disk_rig *rig)
{
	disk_free(&rig->disk);
	lease_free(&rig->lease);
}

struct disk_rig *rig_new(uint64_t size, uint32_t sector_size, bool thin, unsigned helpers)
{
	struct disk_rig *rig = calloc(1, sizeof(*rig));
	uint8_t key[CIPHER_KEY_LEN];
	if (!rig)
		abort();
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 37 + 11);
	must(secret_dup(key, sizeof(key), &rig->dek), "secret_dup");
	rig->clock = (struct clock_source){rig_boot_ns, rig_wall_s, rig};
	rig->now_ns = NS_PER_S;
	rig->sector_size = sector_size;
	rig->mem = memstore_new(RIG_OFFSET + size);
	must(crew_new(helpers, &rig->crew), "crew_new");
	rig->config = (struct disk_config){
		.store = &rig->mem->store,
		.crew = rig->crew,
		.data_offset = RIG_OFFSET,
		.size = size,
		.sector_size = sector_size,
		.thin = thin,
	};
	stand_up(rig);
	return rig;
}

void rig_free(struct disk_rig **rig)
{
	if (!*rig)
		return;
	tear_down(*rig);
	crew_free(&(*rig)->crew);
	memstore_free(&(*rig)->mem);
	secret_free(&(*rig)->dek);
	free(*rig);
	*rig = NULL;
}

void rig_reopen(struct disk_rig *rig)
{
	tear_down(rig);
	rig->now_ns += NS_PER_S;
	stand_up(rig);
}

void rig_read_only(struct disk_rig *rig)
{
	rig->config.read_only = true;
	rig_reopen(rig);
}

void rig_wait_ms(struct disk_rig *rig, uint64_t ms)
{
	rig->now_ns += ms * NS_PER_MS;
}

uint8_t *rig_ciphertext(struct disk_rig *rig, uint64_t off)
{
	return rig->mem->data + RIG_OFFSET + off;
}
