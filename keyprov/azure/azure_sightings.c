// SPDX-License-Identifier: MIT
// See azure_sightings.h.
#include "azure_sightings.h"

#include "azure_clock.h"

#include <stdio.h>
#include <string.h>

// The version's place, or with since 0 a free one; NULL if all belong to others.
static struct azure_missing *find(struct azure_sightings *s, const char *version)
{
	struct azure_missing *free_one = NULL;
	for (size_t i = 0; i < SIGHTINGS_MAX; i++) {
		struct azure_missing *m = &s->missing[i];
		if (m->since && strcmp(m->version, version) == 0)
			return m;
		if (!m->since)
			free_one = m;
	}
	return free_one;
}

void azure_seen(struct azure_sightings *s, const char *version)
{
	struct azure_missing *m = find(s, version);
	s->answered = true;
	if (m && m->since)
		m->since = 0;
	else
		s->others_since = 0; // it may have been one of them
}

uint32_t azure_missed(struct azure_sightings *s, const char *version, uint32_t confirm_ms)
{
	uint64_t now = azure_clock_ms();
	if (!s->answered)
		return 0;
	// A place is given up only when its version is seen: one that lost it would never have been
	// missing for long enough.
	struct azure_missing *m = find(s, version);
	uint64_t *since = m ? &m->since : &s->others_since;
	if (m && !m->since)
		(void)snprintf(m->version, sizeof(m->version), "%s", version);
	if (*since == 0)
		*since = now;
	uint64_t missing = now - *since;
	return missing >= confirm_ms ? 0 : (uint32_t)(confirm_ms - missing);
}
