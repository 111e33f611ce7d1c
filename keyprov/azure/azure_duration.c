// SPDX-License-Identifier: MIT
// See azure_duration.h.
#include "azure_duration.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24u * 3600 * 1000)
#define DIGITS "0123456789"

struct unit {
	const char *name;
	uint32_t ms;
};

static const struct unit units[] = {{"d", DAY_MS}, {"h", 3600 * 1000}, {"min", 60 * 1000},
	{"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};

static const struct unit *find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return &units[i];
	return NULL;
}

bool azure_duration(const char *text, uint32_t *ms)
{
	uint64_t sum = 0, below = UINT64_MAX;
	const char *p = text;
	do {
		size_t digits = strspn(p, DIGITS);
		if (digits == 0 || digits > 9)
			return false;
		uint64_t n = strtoull(p, NULL, 10);
		p += digits;
		size_t len = strcspn(p, " " DIGITS);
		const struct unit *u = find(p, len);
		if (!u && (*p || p != text + digits))
			return false;
		uint32_t factor = u ? u->ms : 1000;
		if (factor >= below)
			return false;
		below = factor;
		sum += n * factor;
		p += len;
		if (*p == ' ' && !*(p += strspn(p, " ")))
			return false;
	} while (*p);
	if (sum > DAY_MS)
		return false;
	*ms = (uint32_t)sum;
	return true;
}
