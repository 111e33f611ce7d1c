// SPDX-License-Identifier: MIT
// Which disks one version of a key opens.
#include "monitor_internal.h"

#include "scope.h"

#include <stdio.h>
#include <string.h>

struct group *group_new(const char *version)
{
	struct group *g = calloc(1, sizeof(*g));
	if (g)
		(void)snprintf(g->version, sizeof(g->version), "%s", version);
	return g;
}

static struct group *find_or_add(struct key *k, struct group **fresh)
{
	struct group **at = &k->groups;
	while (*at && strcmp((*at)->version, (*fresh)->version) != 0)
		at = &(*at)->next;
	if (!*at)
		*at = TAKE(*fresh);
	return *at;
}

void group_join(struct key *k, struct disk *d, struct group **fresh)
{
	struct group *g = find_or_add(k, fresh);
	struct disk **at = &g->first;
	while (*at)
		at = &(*at)->next;
	*at = d;
	d->next = NULL;
	g->count++;
	if (!g->probe)
		g->probe = d;
	with_lock(&k->monitor->lock);
	d->key = k;
	d->group = g;
}

static void free_group(struct key *k, struct group *g)
{
	struct group **at = &k->groups;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	free(g);
}

void group_leave(struct key *k, struct disk *d)
{
	struct group *g = d->group;
	struct disk **at = &g->first;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	g->count--;
	if (g->probe == d)
		g->probe = g->first;
	{
		// Nobody but its asker may know the group from here on.
		with_lock(&k->monitor->lock);
		d->group = NULL;
	}
	d->next = NULL;
	if (g->count == 0)
		free_group(k, g);
}

void group_limit_interval(struct key *k, const struct lease *lease)
{
	uint64_t most_ms = lease_grace_unreachable_ms(lease) / 3;
	if (most_ms == 0)
		most_ms = 1;
	if (k->schedule.interval_ns / NS_PER_MS <= most_ms)
		return;
	schedule_init(
		&k->schedule, most_ms, k->schedule.random, clock_boot_ns(k->monitor->config.clock));
}
