// SPDX-License-Identifier: MIT
// See azure_sightings.h.
#include "azure_sightings.h"

#include "azure_clock.h"

#include <stdio.h>
#include <string.h>

// The version's place; when all are taken, the one that was taken longest ago.
static size_t place(struct azure_sightings *s, const char *version)
{
	for (size_t i = 0; i < SIGHTINGS_MAX; i++)
		if (s->of[i].used && strcmp(s->of[i].version, version) == 0)
			return i;
	size_t i = s->oldest;
	s->oldest = (s->oldest + 1) % SIGHTINGS_MAX;
	(void)snprintf(s->of[i].version, sizeof(s->of[i].version), "%s", version);
	s->of[i].used = true;
	s->of[i].missing_since = 0;
	return i;
}

void azure_seen(struct azure_sightings *s, const char *version)
{
	s->answered = true;
	s->of[place(s, version)].missing_since = 0;
}

uint32_t azure_missing(struct azure_sightings *s, const char *version, uint32_t confirm_ms)
{
	uint64_t now = azure_clock_ms();
	if (!s->answered)
		return 0;
	uint64_t *since = &s->of[place(s, version)].missing_since;
	if (*since == 0)
		*since = now;
	uint64_t missing = now - *since;
	return missing >= confirm_ms ? 0 : (uint32_t)(confirm_ms - missing);
}
